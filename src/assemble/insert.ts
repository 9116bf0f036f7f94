import { type Resources, type SpanBatch, Unplaced } from '../model/spans.ts'
import { type Counters } from '../runtime/counters.ts'
import { ClosedFlag, closedFlags, type ClosedTraces } from './closed-traces.ts'
import { type assembleCounters } from './counters.ts'
import { type LearnedRoots } from './learned-roots.ts'
import { type AssembleNext } from './next.ts'
import {
  enterFirst,
  enterLast,
  findTrace,
  leave,
  noteSequence,
  openTrace,
  type OpenTraces,
  startTrace,
  touchOrder,
  traceAt,
  traceDoubles,
  TraceFlag,
  traceWords,
  TraceWord
} from './open-traces.ts'
import { PAGE_MASK, PAGE_SHIFT, takeRow } from './pages.ts'
import {
  evidenceRowsOf,
  KIND_SHIFT,
  lastWithRoom,
  LIVE,
  OUTCOME_SHIFT,
  SPAN_WORDS,
  type SpanSlab,
  SpanWord,
  storeEvidence
} from './span-slab.ts'
import { cameFromElsewhere } from './summarize.ts'
import { nsBetween } from './trace-columns.ts'

/** Differences of whole numbers below this are exact. */
const EXACT_NS = 2 ** 53

/** In place of an open trace: the span was settled before this process began. */
const SETTLED = 2 ** 32 - 1

/** Spans resolved and stored in one go; what one go touches stays in the cache. */
const STRETCH_SPANS = 512

export interface InsertParts {
  readonly slab: SpanSlab
  readonly open: OpenTraces
  readonly closed: ClosedTraces
  readonly learned: LearnedRoots
  readonly resources: Resources
  readonly spansPerTraceMax: number
  readonly counters: Counters<typeof assembleCounters>
  readonly unplaced: AssembleNext['unplaced']
}

/**
 * Adds rows of a batch, from `from` to before `end`, to open traces, as many as there is room for, and returns the row it stopped
 * at. First all traces are looked up, then all spans stored: each loop is small, so that the processor works on several
 * spans while it waits for memory, and no column is fetched from its object more than once a stretch.
 */
export type Insert = (batch: SpanBatch, from: number, end: number, nowMs: number) => number

export function createInsert(parts: InsertParts): Insert {
  const { slab, open, closed, learned, resources, spansPerTraceMax, counters, unplaced } = parts
  /** The open trace of each span of a stretch; 0 = its trace takes nothing more. */
  const traces = new Uint32Array(STRETCH_SPANS)

  function insert(batch: SpanBatch, from: number, end: number, nowMs: number): number {
    const to = resolve(batch, from, lastWithRoom(slab, batch, from, Math.min(STRETCH_SPANS, end - from)), nowMs)
    store(batch, from, to, nowMs)
    return to
  }

  function resolve(batch: SpanBatch, from: number, to: number, nowMs: number): number {
    const ids = batch.traceId
    for (let i = from; i < to; i++) {
      if (i > from && isSameTrace(ids, 4 * i)) {
        traces[i - from] = traces[i - from - 1] as number
        continue
      }
      const found = findTrace(open, ids, 4 * i)
      if (found === 0 && open.rows.used === open.rows.rowsMax) return i
      if (found !== 0 && open.sequence > 0) noteSequence(open, found)
      traces[i - from] = found === 0 ? openOrContinue(batch, i, nowMs) : found
    }
    return to
  }

  function openOrContinue({ traceId, order }: SpanBatch, row: number, nowMs: number): number {
    const settledThrough = open.settledThrough?.(traceId, 4 * row) ?? -1
    if (settledThrough >= open.sequence) return SETTLED
    const before = closed.find(traceId, 4 * row, nowMs)
    if (before !== undefined && (closedFlags(before) & ClosedFlag.full) !== 0) return 0
    const trace = openTrace(open, traceId, 4 * row)
    if (order !== undefined) traceWords(open, trace)[traceAt(trace) + TraceWord.order] = order[row] as number
    const isContinuation = before !== undefined || settledThrough >= 0
    startTrace(open, trace, isContinuation ? TraceFlag.continuation | TraceFlag.rooted : 0, nowMs)
    return trace
  }

  function store(batch: SpanBatch, from: number, to: number, nowMs: number): void {
    const { spanId, parentId, startHi, startLo, endHi, endLo } = batch
    const { name, operation, scope, resource, kind, outcome, flags, held, evidenceEnd } = batch
    const { spans } = slab
    for (let i = from; i < to; i++) {
      const trace = traces[i - from] as number
      if (trace === SETTLED) {
        counters.add('tail_spans_settled_total')
        unplaced?.(held[i] as number, spanId[2 * i] as number, spanId[2 * i + 1] as number, Unplaced.settled)
        continue
      }
      if (trace === 0 || !takesMore(trace)) {
        counters.add('tail_spans_over_trace_max_total')
        unplaced?.(held[i] as number, spanId[2 * i] as number, spanId[2 * i + 1] as number, Unplaced.overLimit)
        continue
      }
      const traceWord = traceWords(open, trace)
      const traceDouble = traceDoubles(open, trace)
      const at = traceAt(trace)
      const count = traceWord[at + TraceWord.spans] as number
      if (count === 0) {
        traceWord[at + TraceWord.base] = startHi[i] as number
        traceWord[at + TraceWord.base + 1] = startLo[i] as number
        traceDouble[(at + TraceWord.earliest) >> 1] = 0
        traceDouble[(at + TraceWord.latest) >> 1] = 0
      }
      const baseHi = traceWord[at + TraceWord.base] as number
      const baseLo = traceWord[at + TraceWord.base + 1] as number
      const start = nsBetween(baseHi, baseLo, startHi[i] as number, startLo[i] as number)
      const end = nsBetween(baseHi, baseLo, endHi[i] as number, endLo[i] as number)
      const earliest = Math.min(start, traceDouble[(at + TraceWord.earliest) >> 1] as number)
      const latest = Math.max(end, traceDouble[(at + TraceWord.latest) >> 1] as number)
      if (latest - earliest >= EXACT_NS) {
        traceWord[at + TraceWord.flags] = (traceWord[at + TraceWord.flags] as number) | TraceFlag.truncated
        counters.add('tail_spans_misfit_total')
        unplaced?.(held[i] as number, spanId[2 * i] as number, spanId[2 * i + 1] as number, Unplaced.overLimit)
        continue
      }
      const row = takeRow(spans)
      const words = spans.words[row >>> PAGE_SHIFT] as Uint32Array
      const doubles = spans.doubles[row >>> PAGE_SHIFT] as Float64Array
      const span = (row & PAGE_MASK) * SPAN_WORDS
      doubles[(span + SpanWord.start) >> 1] = start
      doubles[(span + SpanWord.end) >> 1] = end
      words[span + SpanWord.spanId] = spanId[2 * i] as number
      words[span + SpanWord.spanId + 1] = spanId[2 * i + 1] as number
      words[span + SpanWord.parentId] = parentId[2 * i] as number
      words[span + SpanWord.parentId + 1] = parentId[2 * i + 1] as number
      words[span + SpanWord.name] = name[i] as number
      words[span + SpanWord.operation] = operation[i] as number
      words[span + SpanWord.scope] = scope[i] as number
      words[span + SpanWord.resource] = resource[i] as number
      words[span + SpanWord.meta] =
        LIVE | ((outcome[i] as number) << OUTCOME_SHIFT) | ((kind[i] as number) << KIND_SHIFT) | (flags[i] as number)
      words[span + SpanWord.previous] = traceWord[at + TraceWord.lastSpan] as number
      words[span + SpanWord.evidence] = 0
      words[span + SpanWord.held] = held[i] as number
      traceDouble[(at + TraceWord.earliest) >> 1] = earliest
      traceDouble[(at + TraceWord.latest) >> 1] = latest
      traceWord[at + TraceWord.lastSpan] = row
      traceWord[at + TraceWord.spans] = count + 1
      const firstEvidence = i === 0 ? 0 : (evidenceEnd[i - 1] as number)
      if (evidenceEnd[i] !== firstEvidence) addEvidence(trace, row, batch, i)
      const isRoot = parentId[2 * i] === 0 && parentId[2 * i + 1] === 0
      const rooted = (traceWord[at + TraceWord.flags] as number) & TraceFlag.rooted
      if (rooted === 0 && (isRoot || isHabitualRoot(batch, i))) {
        touch(trace, nowMs, isRoot ? TraceFlag.rooted : TraceFlag.rooted | TraceFlag.rootedByHabit)
      } else if (traceDouble[(at + TraceWord.touchedMs) >> 1] !== nowMs) {
        touch(trace, nowMs, 0)
      } else continue
      if (batch.order !== undefined) traceWord[at + TraceWord.order] = batch.order[i] as number
    }
  }

  /** A trace that is full takes nothing more and is next to close. */
  function takesMore(trace: number): boolean {
    const words = traceWords(open, trace)
    const at = traceAt(trace)
    const flags = words[at + TraceWord.flags] as number
    if ((flags & TraceFlag.full) !== 0) return false
    if ((words[at + TraceWord.spans] as number) < spansPerTraceMax) return true
    leave(open, touchOrder(open, trace), trace)
    words[at + TraceWord.flags] = flags | TraceFlag.full | TraceFlag.truncated | TraceFlag.rooted
    traceDoubles(open, trace)[(at + TraceWord.touchedMs) >> 1] = -Infinity
    enterFirst(open, open.rooted, trace)
    return false
  }

  function addEvidence(trace: number, row: number, batch: SpanBatch, i: number): void {
    const stored = storeEvidence(slab, row, batch, i)
    const words = traceWords(open, trace)
    const at = traceAt(trace) + TraceWord.evidenceRows
    words[at] = (words[at] as number) + stored
    const dropped = evidenceRowsOf(batch, i) - stored
    if (dropped > 0) counters.add('tail_evidence_dropped_total', dropped)
  }

  /** Moves a trace to the end of its order; a root that comes moves it to the other one. */
  function touch(trace: number, nowMs: number, newFlags: number): void {
    const words = traceWords(open, trace)
    const at = traceAt(trace)
    leave(open, touchOrder(open, trace), trace)
    words[at + TraceWord.flags] = (words[at + TraceWord.flags] as number) | newFlags
    traceDoubles(open, trace)[(at + TraceWord.touchedMs) >> 1] = nowMs
    enterLast(open, touchOrder(open, trace), trace)
  }

  function isHabitualRoot(batch: SpanBatch, i: number): boolean {
    if (!cameFromElsewhere(batch.kind[i] as number, batch.flags[i] as number)) return false
    const service = resources.service[batch.resource[i] as number] as number
    return learned.isRoot(service, batch.operation[i] as number)
  }

  return insert
}

function isSameTrace(ids: Uint32Array, at: number): boolean {
  return (
    ids[at] === ids[at - 4] && ids[at + 1] === ids[at - 3] && ids[at + 2] === ids[at - 2] && ids[at + 3] === ids[at - 1]
  )
}
