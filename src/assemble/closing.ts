import { CloseReason, type Resources } from '../model/spans.ts'
import { type Counters } from '../runtime/counters.ts'
import { type Marks } from '../runtime/stage.ts'
import { ClosedFlag, type ClosedTraces } from './closed-traces.ts'
import { type assembleCounters, LateResult } from './counters.ts'
import { createGather } from './gather.ts'
import { createLateUnits } from './late-units.ts'
import { type LearnedRoots } from './learned-roots.ts'
import {
  findTrace,
  forgetTrace,
  type OpenTraces,
  restartTrace,
  spansOf,
  traceAt,
  TraceFlag,
  traceWords,
  TraceWord
} from './open-traces.ts'
import { type AssembleNext } from './next.ts'
import { type SpanSlab } from './span-slab.ts'
import { createSummarizer } from './summarize.ts'
import { markColumns } from './trace-columns.ts'

export interface ClosingParts {
  readonly slab: SpanSlab
  readonly open: OpenTraces
  readonly closed: ClosedTraces
  readonly learned: LearnedRoots
  readonly resources: Resources
  readonly counters: Counters<typeof assembleCounters>
  readonly next: AssembleNext
  readonly seed: number
}

/** One trace at a time on its way out; a giant, or a giant's late units, in several goes. */
export interface Closing {
  readonly begin: (trace: number, reason: number) => void
  /** Works on about this many spans, and says on how many it was (at least 1). */
  readonly advance: (spansMax: number, nowMs: number) => number
  readonly pending: () => boolean
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

export function createClosing(parts: ClosingParts): Closing {
  const { slab, open, closed, counters, next } = parts
  const gather = createGather(slab, parts.seed)
  const { columns } = gather
  const summarizer = createSummarizer(gather, parts.learned, parts.resources)
  const late = createLateUnits(gather)
  /** Its row, until its spans are off it. */
  let trace = 0
  let flags = 0
  let reason = 0
  /** Its row has become that of its continuation. */
  let restarted = false
  /** A continuation is being handed on, unit by unit. */
  let splitting = false

  function begin(row: number, closeReason: number): void {
    const words = traceWords(open, row)
    const at = traceAt(row)
    if (spansOf(open, row) === 0) {
      forgetTrace(open, row)
      return
    }
    trace = row
    flags = words[at + TraceWord.flags] as number
    reason = (flags & TraceFlag.full) === 0 ? closeReason : CloseReason.spans
    gather.begin(open, row)
  }

  function advance(spansMax: number, nowMs: number): number {
    let worked = 1
    if (gather.pending()) {
      worked += gather.advance(spansMax)
      leaveTable(nowMs)
      if (gather.pending()) return worked
      counters.add('tail_spans_duplicate_total', gather.duplicates)
      if ((flags & TraceFlag.continuation) === 0) handOn(nowMs)
      else beginSplit(nowMs)
    }
    while (splitting) {
      worked += handOnLate()
      if (worked >= spansMax) break
    }
    return worked
  }

  /** What comes while a giant is being gathered belongs to its continuation. */
  function leaveTable(nowMs: number): void {
    if (trace !== 0 && gather.pending()) {
      const full = flags & TraceFlag.full
      restartTrace(open, trace, TraceFlag.continuation | TraceFlag.rooted | full, nowMs)
      restarted = true
    } else if (trace !== 0) {
      forgetTrace(open, trace)
    } else if (restarted && !gather.pending()) {
      restarted = false
      const continuation = findTrace(open, columns.traceId, 0)
      if (continuation !== 0 && spansOf(open, continuation) === 0) forgetTrace(open, continuation)
    }
    trace = 0
  }

  function handOn(nowMs: number): void {
    columns.closedBy = reason
    columns.truncated = (flags & TraceFlag.truncated) !== 0
    const settled = (reason === CloseReason.quiet || reason === CloseReason.noRoot) && !columns.truncated
    const whole = reason === CloseReason.quiet && settled ? ClosedFlag.whole : 0
    summarizer.ofTrace({
      settled,
      rootedByHabit: (flags & TraceFlag.rootedByHabit) !== 0,
      flags: whole | fullFlag()
    })
    closed.remember(columns.traceId, summarizer.draft, nowMs)
    counters.add('tail_traces_closed_total', 1, reason)
    next.closed(columns, 0)
  }

  function fullFlag(): number {
    return (flags & TraceFlag.full) === 0 ? 0 : ClosedFlag.full
  }

  function beginSplit(nowMs: number): void {
    const before = closed.find(columns.traceId, 0, nowMs)
    const known = late.markKnown(before)
    counters.add('tail_spans_duplicate_total', known)
    summarizer.ofContinuation(before, late.known)
    summarizer.draft.flags |= fullFlag()
    // Without its root or cut short, the first part may have held what lies below these spans.
    const whole = (summarizer.draft.flags & ClosedFlag.whole) !== 0
    columns.truncated = (flags & TraceFlag.truncated) !== 0 || !whole
    closed.remember(columns.traceId, summarizer.draft, nowMs)
    late.split()
    splitting = true
  }

  /** The units first, then the rest in one. */
  function handOnLate(): number {
    if (late.takeUnit(summarizer.draft)) {
      counters.add('tail_traces_closed_total', 1, CloseReason.lateUnit)
      next.closed(late.columns, late.contextRows)
      return late.columns.n
    }
    splitting = false
    if (!late.takeRest()) return 0
    const joined = next.late(late.columns)
    counters.add('tail_spans_late_total', late.columns.n, joined ? LateResult.joined : LateResult.ignored)
    return late.columns.n
  }

  return {
    begin,
    advance,
    pending: () => gather.pending() || splitting,
    mark(marks) {
      if (gather.pending() || splitting) markColumns(columns, marks)
    },
    bytes: () => gather.bytes() + late.bytes()
  }
}
