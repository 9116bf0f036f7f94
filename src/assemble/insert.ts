import { type Resources, type SpanBatch } from '../model/spans.ts'
import { type Counters } from '../runtime/counters.ts'
import { type assembleCounters } from './counters.ts'
import { type LearnedRoots } from './learned-roots.ts'
import {
  enterFirst,
  enterLast,
  leave,
  type OpenTraces,
  touchOrder,
  traceAt,
  traceDoubles,
  TraceFlag,
  traceWords,
  TraceWord
} from './open-traces.ts'
import { PAGE_MASK, PAGE_SHIFT } from './pages.ts'
import { EVIDENCE_PER_SPAN_MAX, evidenceRowsOf, SPAN_WORDS, type SpanSlab, SpanWord, storeSpan } from './span-slab.ts'
import { cameFromElsewhere } from './summarize.ts'
import { nsBetween } from './trace-columns.ts'

/** Differences of whole numbers below this are exact. */
const EXACT_NS = 2 ** 53

export interface InsertParts {
  readonly slab: SpanSlab
  readonly open: OpenTraces
  readonly learned: LearnedRoots
  readonly resources: Resources
  readonly spansPerTraceMax: number
  readonly counters: Counters<typeof assembleCounters>
}

/** Adds row i of a batch to an open trace, or counts why not. There must be room in the slab. */
export function createInsert(parts: InsertParts) {
  const { slab, open, learned, resources, spansPerTraceMax, counters } = parts

  function insert(trace: number, batch: SpanBatch, i: number, nowMs: number): void {
    const words = traceWords(open, trace)
    const doubles = traceDoubles(open, trace)
    const at = traceAt(trace)
    const spans = words[at + TraceWord.spans] as number
    if ((words[at + TraceWord.flags] as number) & TraceFlag.full || spans === spansPerTraceMax) {
      refuse(trace)
      return
    }
    if (spans === 0) {
      words[at + TraceWord.base] = batch.startHi[i] as number
      words[at + TraceWord.base + 1] = batch.startLo[i] as number
      doubles[(at + TraceWord.earliest) >> 1] = 0
      doubles[(at + TraceWord.latest) >> 1] = 0
    }
    const baseHi = words[at + TraceWord.base] as number
    const baseLo = words[at + TraceWord.base + 1] as number
    const start = nsBetween(baseHi, baseLo, batch.startHi[i] as number, batch.startLo[i] as number)
    const end = nsBetween(baseHi, baseLo, batch.endHi[i] as number, batch.endLo[i] as number)
    const earliest = Math.min(start, doubles[(at + TraceWord.earliest) >> 1] as number)
    const latest = Math.max(end, doubles[(at + TraceWord.latest) >> 1] as number)
    if (latest - earliest >= EXACT_NS) {
      words[at + TraceWord.flags] = (words[at + TraceWord.flags] as number) | TraceFlag.truncated
      counters.add('tail_spans_misfit_total')
      return
    }
    doubles[(at + TraceWord.earliest) >> 1] = earliest
    doubles[(at + TraceWord.latest) >> 1] = latest
    const row = storeSpan(slab, batch, i)
    const span = (row & PAGE_MASK) * SPAN_WORDS
    const spanWords = slab.spans.words[row >>> PAGE_SHIFT] as Uint32Array
    const spanDoubles = slab.spans.doubles[row >>> PAGE_SHIFT] as Float64Array
    spanDoubles[(span + SpanWord.start) >> 1] = start
    spanDoubles[(span + SpanWord.end) >> 1] = end
    spanWords[span + SpanWord.previous] = words[at + TraceWord.lastSpan] as number
    words[at + TraceWord.lastSpan] = row
    words[at + TraceWord.spans] = spans + 1
    const evidenceRows = spanWords[span + SpanWord.evidenceRows] as number
    words[at + TraceWord.evidenceRows] = (words[at + TraceWord.evidenceRows] as number) + evidenceRows
    if (evidenceRows === EVIDENCE_PER_SPAN_MAX) countDroppedEvidence(batch, i)
    touch(trace, batch, i, nowMs)
  }

  /** Moves a trace to the end of its order; a root that comes moves it to the other one. */
  function touch(trace: number, batch: SpanBatch, i: number, nowMs: number): void {
    const words = traceWords(open, trace)
    const doubles = traceDoubles(open, trace)
    const at = traceAt(trace)
    const flags = words[at + TraceWord.flags] as number
    const rooting = (flags & TraceFlag.rooted) === 0 ? rootFlags(batch, i) : 0
    if (rooting === 0 && doubles[(at + TraceWord.touchedMs) >> 1] === nowMs) return
    leave(open, touchOrder(open, trace), trace)
    doubles[(at + TraceWord.touchedMs) >> 1] = nowMs
    words[at + TraceWord.flags] = flags | rooting
    enterLast(open, touchOrder(open, trace), trace)
  }

  function rootFlags(batch: SpanBatch, i: number): number {
    if (batch.parentId[2 * i] === 0 && batch.parentId[2 * i + 1] === 0) return TraceFlag.rooted
    if (!cameFromElsewhere(batch.kind[i] as number, batch.flags[i] as number)) return 0
    const service = resources.service[batch.resource[i] as number] as number
    return learned.isRoot(service, batch.operation[i] as number) ? TraceFlag.rooted | TraceFlag.rootedByHabit : 0
  }

  /** A trace that is full is next to close, and takes nothing more. */
  function refuse(trace: number): void {
    counters.add('tail_spans_over_trace_max_total')
    const words = traceWords(open, trace)
    const at = traceAt(trace)
    const flags = words[at + TraceWord.flags] as number
    if (flags & TraceFlag.full) return
    leave(open, touchOrder(open, trace), trace)
    words[at + TraceWord.flags] = flags | TraceFlag.full | TraceFlag.truncated | TraceFlag.rooted
    traceDoubles(open, trace)[(at + TraceWord.touchedMs) >> 1] = -Infinity
    enterFirst(open, open.rooted, trace)
  }

  function countDroppedEvidence(batch: SpanBatch, i: number): void {
    const first = i === 0 ? 0 : (batch.evidenceEnd[i - 1] as number)
    const dropped = (batch.evidenceEnd[i] as number) - first - evidenceRowsOf(batch, i)
    if (dropped > 0) counters.add('tail_evidence_dropped_total', dropped)
  }

  return insert
}
