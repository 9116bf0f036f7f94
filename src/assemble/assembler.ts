import { type LoggedRows } from '../model/logged.ts'
import { CloseReason, type Resources, type SpanBatch } from '../model/spans.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import { type Stage } from '../runtime/stage.ts'
import { createClosedDraft, createClosedTraces } from './closed-traces.ts'
import { createClosing } from './closing.ts'
import { assembleCounters } from './counters.ts'
import { createElapsed } from './elapsed.ts'
import { indexBytes } from './id-index.ts'
import { createInsert } from './insert.ts'
import { createLearnedRoots } from './learned-roots.ts'
import { bornMs, createOpenTraces, firstSequence, largest, quietest, touchedMs, traceBytes } from './open-traces.ts'
import { type AssembleNext } from './next.ts'
import { allocatedBytes, type Pages, releasePage, usedBytes } from './pages.ts'
import { type AssembleSettings } from './settings.ts'
import { createSpanSlab, markSlab } from './span-slab.ts'

/** Not Infinity: a trace that is full is due at -Infinity plus this. */
const NEVER_MS = Number.MAX_VALUE
/** Closed traces forgotten at most at one tick: about 2 ms. */
const EXPIRED_PER_TICK = 16_384
/** Pages looked at per tick and table, to give them back: those of a burst of 4,000,000 spans within 6 s. */
const PAGES_PER_TICK = 4
/** Of what is to be freed: a trace with so large a share goes first, whenever it was touched. One must not push out thousands. */
const GIANT_SHARE = 1 / 4

export interface AssembleTools {
  readonly resources: Resources
  /** Of the hashes; random unless a test wants to see the same order again. */
  readonly seed?: number
}

export interface Assembler extends Stage {
  /** `logged` is the request's sequence in the segment log, or those of the several that share the batch. */
  readonly consume: (batch: SpanBatch, nowMs: number, logged?: number | LoggedRows) => void
  /** Sequence of the first request with a span of any trace that has not been handed on; Infinity when there is none. */
  readonly oldestOpen: () => number
  /** For reading the log again. */
  readonly replay: AssemblerReplay
  /** Whether `tick` has work left that should not wait for its next turn. */
  readonly due: (nowMs: number) => boolean
  /** Less than a tick: only closes what is due, up to a slice's worth. */
  readonly closeDue: (nowMs: number) => void
  /** Closes a giant, then the traces that were quiet for longest, until this many bytes are free for others, a slice at a time. */
  readonly relieve: (bytesToFree: number, nowMs: number) => void
  readonly openSpans: () => number
  /** Bytes that open traces hold. */
  readonly openBytes: () => number
  readonly openTraces: () => number
  readonly counters: Counters<typeof assembleCounters>
}

export interface AssemblerReplay {
  /** From now on spans of requests up to what `settledThrough` says of their trace are put aside; -1 = none. */
  readonly begin: (settledThrough: (ids: Uint32Array, at: number) => number) => void
  /** The trace was closed by an earlier process: what still comes of it is late. */
  readonly recall: (ids: Uint32Array, nowMs: number) => void
  /** Time goes on from here; that since the last request of the log was nobody's. */
  readonly end: (nowMs: number) => void
}

/**
 * Spans to traces.
 *
 *   absent --span--> open --quiet, no root, age, spans, memory, shutdown--> closed (summary) --late window--> absent
 *                                              closed --span--> continuation --quiet--> closed (units; the rest is late)
 */
export function createAssembler(settings: AssembleSettings, tools: AssembleTools, next: AssembleNext): Assembler {
  const { resources, seed = (Math.random() * 2 ** 32) | 0 } = tools
  const { sliceSpans } = settings
  const held = settings.holdUntilMemory
  const quietTimeMs = held ? NEVER_MS : settings.quietTimeMs
  const rootWaitMs = held ? NEVER_MS : settings.rootWaitMs
  const ageMaxMs = held ? NEVER_MS : settings.ageMaxMs
  const counters = createCounters(assembleCounters)
  const elapsed = createElapsed()
  const slab = createSpanSlab(settings.spansMax)
  const open = createOpenTraces(settings.tracesMax, seed)
  const learned = createLearnedRoots(seed, () => {
    counters.add('tail_root_learning_forgotten_total')
  })
  const closed = createClosedTraces({
    windowMs: held ? NEVER_MS : settings.lateWindowMs,
    bytesMax: settings.lateBytesMax,
    seed,
    forgotten: () => {
      counters.add('tail_late_forgotten_total')
    }
  })
  const tables: readonly Pages[] = [slab.spans, slab.evidence, open.rows]
  const parts = { slab, open, closed, learned, resources, counters }
  const closing = createClosing({ ...parts, next, seed })
  const insert = createInsert({ ...parts, spansPerTraceMax: settings.spansPerTraceMax, unplaced: next.unplaced })
  let bytesToFree = 0
  /** Whether to look for a giant before anything else is closed for memory. */
  let giantFirst = false

  function consume(batch: SpanBatch, nowMs: number, logged: number | LoggedRows = 0): void {
    const now = elapsed.at(nowMs)
    if (typeof logged === 'number') {
      consumeRows(batch, 0, batch.n, now, logged)
      return
    }
    let from = 0
    for (const [i, end] of logged.ends.entries()) {
      consumeRows(batch, from, end, now, logged.sequences[i] as number)
      from = end
    }
  }

  function consumeRows(batch: SpanBatch, first: number, end: number, now: number, sequence: number): void {
    open.sequence = sequence
    for (let from = first; from < end;) {
      const to = insert(batch, from, end, now)
      if (to === from) closeQuietest(CloseReason.memory, now)
      from = to
    }
  }

  /** At once and whole: whoever calls needs the room. */
  function closeQuietest(reason: number, now: number): void {
    while (closing.pending()) closing.advance(Infinity, now)
    const trace = quietest(open)
    if (trace === 0) return
    closing.begin(trace, reason)
    while (closing.pending()) closing.advance(Infinity, now)
  }

  /** Closes what is due, up to a slice's worth. */
  function closeSlice(now: number): void {
    let left = sliceSpans
    while (left > 0) {
      if (!closing.pending() && !beginNext(now)) return
      left -= closing.advance(left, now)
    }
  }

  function beginNext(now: number): boolean {
    if (bytesToFree > 0) {
      const trace = (giantFirst && giantAmong(bytesToFree)) || quietest(open)
      giantFirst = false
      bytesToFree = trace === 0 ? 0 : bytesToFree - traceBytes(open, trace)
      if (trace !== 0) closing.begin(trace, CloseReason.memory)
      return true
    }
    const reason = dueReason(now)
    if (reason === CloseReason.quiet) closing.begin(open.rooted.first, reason)
    else if (reason === CloseReason.noRoot) closing.begin(open.rootless.first, reason)
    else if (reason === CloseReason.age) closing.begin(open.born.first, reason)
    return reason !== undefined
  }

  /** Why a trace is due; it is the first in that reason's order. */
  function dueReason(now: number): number | undefined {
    const { rooted, rootless, born } = open
    if (rooted.first !== 0 && touchedMs(open, rooted.first) + quietTimeMs <= now) return CloseReason.quiet
    if (rootless.first !== 0 && touchedMs(open, rootless.first) + rootWaitMs <= now) return CloseReason.noRoot
    if (born.first !== 0 && bornMs(open, born.first) + ageMaxMs <= now) return CloseReason.age
    return undefined
  }

  function giantAmong(bytes: number): number {
    const trace = largest(open)
    return trace !== 0 && traceBytes(open, trace) > bytes * GIANT_SHARE ? trace : 0
  }

  const waitingBytes = (): number => usedBytes(slab.spans) + usedBytes(slab.evidence)

  function memory(): Readonly<Record<string, number>> {
    const traces = usedBytes(open.rows)
    const allocated = allocatedBytes(slab.spans) + allocatedBytes(slab.evidence) + allocatedBytes(open.rows)
    return {
      spans: usedBytes(slab.spans),
      evidence: usedBytes(slab.evidence),
      traces: traces + indexBytes(open.index),
      closed_traces: closed.bytes(),
      learned_roots: learned.bytes(),
      scratch: closing.bytes() - closing.untouchedBytes(),
      untouched: closing.untouchedBytes(),
      reserve: allocated - waitingBytes() - traces
    }
  }

  return {
    counters,
    consume,
    due: (nowMs) => closing.pending() || bytesToFree > 0 || dueReason(elapsed.at(nowMs)) !== undefined,
    closeDue(nowMs) {
      closeSlice(elapsed.at(nowMs))
    },
    tick(nowMs) {
      const now = elapsed.at(nowMs)
      closeSlice(now)
      closed.expire(now, EXPIRED_PER_TICK)
      for (const pages of tables) for (let i = 0; i < PAGES_PER_TICK; i++) releasePage(pages)
    },
    relieve(bytes, nowMs) {
      if (bytesToFree <= 0) giantFirst = true
      bytesToFree = bytes
      closeSlice(elapsed.at(nowMs))
    },
    shutdown(nowMs) {
      const now = elapsed.at(nowMs)
      bytesToFree = 0
      while (open.rows.used > 0 || closing.pending()) closeQuietest(CloseReason.shutdown, now)
    },
    oldestOpen() {
      const { first } = open.born
      return Math.min(closing.oldest(), first === 0 ? Infinity : firstSequence(open, first))
    },
    replay: {
      begin(settledThrough) {
        open.settledThrough = settledThrough
      },
      recall(ids, nowMs) {
        const now = elapsed.at(nowMs)
        if (closed.find(ids, 0, now) === undefined) closed.remember(ids, createClosedDraft(), now)
      },
      end(nowMs) {
        open.settledThrough = undefined
        elapsed.resumeAt(nowMs)
      }
    },
    openSpans: () => slab.spans.used,
    openBytes: () => waitingBytes() + usedBytes(open.rows) + indexBytes(open.index),
    openTraces: () => open.rows.used,
    mark(marks) {
      markSlab(slab, marks)
      closing.mark(marks)
      closed.mark(marks)
      learned.mark(marks)
    },
    memory
  }
}
