import { CloseReason, type Resources, Unplaced } from '../model/spans.ts'
import { type Counters } from '../runtime/counters.ts'
import { type Marks } from '../runtime/stage.ts'
import { ClosedFlag, type ClosedTraces } from './closed-traces.ts'
import { type assembleCounters } from './counters.ts'
import { createGather } from './gather.ts'
import { createLateUnits } from './late-units.ts'
import { type LearnedRoots } from './learned-roots.ts'
import {
  findTrace,
  forgetTrace,
  type OpenTraces,
  restartTrace,
  spansOf,
  touchedMs,
  touchOrder,
  traceAt,
  TraceFlag,
  traceWords,
  TraceWord
} from './open-traces.ts'
import { type AssembleNext, type Turn } from './next.ts'
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
  /** Sequence of the first request with a span of what is pending; Infinity when nothing is. */
  readonly oldest: () => number
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
  readonly untouchedBytes: () => number
}

export function createClosing(parts: ClosingParts): Closing {
  const { slab, open, closed, counters, next } = parts
  const gather = createGather(slab, parts.seed, next.unplaced)
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
  const turn: Turn = { rank: 0, order: 0 }

  function begin(row: number, closeReason: number): void {
    const words = traceWords(open, row)
    const at = traceAt(row)
    turn.order = words[at + TraceWord.order] as number
    turn.rank = rankOf(row, closeReason)
    if (spansOf(open, row) === 0) {
      forgetTrace(open, row)
      return
    }
    trace = row
    flags = words[at + TraceWord.flags] as number
    reason = (flags & TraceFlag.full) === 0 ? closeReason : CloseReason.spans
    gather.begin(open, row)
  }

  /** As the assembler chooses: what is due reason by reason; for want of room what was quiet for longest, and of those with a root. */
  function rankOf(row: number, closeReason: number): number {
    if (closeReason <= CloseReason.age) return closeReason
    const rootless = touchOrder(open, row) === open.rootless ? 1 : 0
    return 2 * touchedMs(open, row) + rootless
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
    next.closed(columns, 0, turn)
  }

  function fullFlag(): number {
    return (flags & TraceFlag.full) === 0 ? 0 : ClosedFlag.full
  }

  function beginSplit(nowMs: number): void {
    const before = closed.find(columns.traceId, 0, nowMs)
    const known = late.markKnown(before)
    counters.add('tail_spans_duplicate_total', known)
    if (known > 0 && next.unplaced !== undefined) dropKnown(next.unplaced)
    summarizer.ofContinuation(before, late.known)
    summarizer.draft.flags |= fullFlag()
    // Without its root or cut short, the first part may have held what lies below these spans.
    const whole = (summarizer.draft.flags & ClosedFlag.whole) !== 0
    columns.truncated = (flags & TraceFlag.truncated) !== 0 || !whole
    closed.remember(columns.traceId, summarizer.draft, nowMs)
    late.split()
    splitting = true
  }

  function dropKnown(unplaced: NonNullable<AssembleNext['unplaced']>): void {
    const { held, spanId } = columns
    for (let row = 0; row < columns.n; row++) {
      if (late.known[row] === 0) continue
      unplaced(held[row] as number, spanId[2 * row] as number, spanId[2 * row + 1] as number, Unplaced.duplicate)
    }
  }

  /** The units first, then the rest in one. */
  function handOnLate(): number {
    if (late.takeUnit(summarizer.draft)) {
      counters.add('tail_traces_closed_total', 1, CloseReason.lateUnit)
      next.closed(late.columns, late.contextRows, turn)
      return late.columns.n
    }
    splitting = false
    if (late.units === 0) next.settled?.(columns, turn)
    if (!late.takeRest()) return 0
    next.late(late.columns, turn)
    return late.columns.n
  }

  return {
    begin,
    advance,
    pending: () => gather.pending() || splitting,
    oldest: () => (gather.pending() || splitting ? columns.custody.first : Infinity),
    mark(marks) {
      if (gather.pending() || splitting) markColumns(columns, marks)
    },
    bytes: () => gather.bytes() + late.bytes(),
    untouchedBytes: gather.untouchedBytes
  }
}
