import { CloseReason, type Resources, type SpanBatch } from '../model/spans.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import { type Stage } from '../runtime/stage.ts'
import { createClosedTraces } from './closed-traces.ts'
import { createClosing } from './closing.ts'
import { assembleCounters } from './counters.ts'
import { createElapsed } from './elapsed.ts'
import { indexBytes } from './id-index.ts'
import { createInsert } from './insert.ts'
import { createLearnedRoots } from './learned-roots.ts'
import { bornMs, createOpenTraces, quietest, touchedMs, traceBytes } from './open-traces.ts'
import { type AssembleNext } from './next.ts'
import { allocatedBytes, usedBytes } from './pages.ts'
import { type AssembleSettings } from './settings.ts'
import { createSpanSlab, markSlab } from './span-slab.ts'

/** Not Infinity: a trace that is full is due at -Infinity plus this. */
const NEVER_MS = Number.MAX_VALUE
/** Closed traces forgotten at most at one tick: about 2 ms. */
const EXPIRED_PER_TICK = 16_384

export interface AssembleTools {
  readonly resources: Resources
  /** Of the hashes; random unless a test wants to see the same order again. */
  readonly seed?: number
}

export interface Assembler extends Stage {
  readonly consume: (batch: SpanBatch, nowMs: number) => void
  /** Whether `tick` has work left that should not wait for its next turn. */
  readonly due: (nowMs: number) => boolean
  /** Closes the traces that were quiet for longest until this many bytes are free for others, a slice at a time. */
  readonly relieve: (bytesToFree: number, nowMs: number) => void
  readonly openSpans: () => number
  readonly openTraces: () => number
  readonly counters: Counters<typeof assembleCounters>
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
  const parts = { slab, open, closed, learned, resources, counters }
  const closing = createClosing({ ...parts, next, seed })
  const insert = createInsert({ ...parts, spansPerTraceMax: settings.spansPerTraceMax })
  let bytesToFree = 0

  function consume(batch: SpanBatch, nowMs: number): void {
    const now = elapsed.at(nowMs)
    for (let from = 0; from < batch.n;) {
      const to = insert(batch, from, now)
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
      const trace = quietest(open)
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

  function memory(): Readonly<Record<string, number>> {
    const traces = usedBytes(open.rows)
    const waiting = usedBytes(slab.spans) + usedBytes(slab.evidence)
    const allocated = allocatedBytes(slab.spans) + allocatedBytes(slab.evidence) + allocatedBytes(open.rows)
    return {
      spans: usedBytes(slab.spans),
      evidence: usedBytes(slab.evidence),
      traces: traces + indexBytes(open.index),
      closed_traces: closed.bytes(),
      learned_roots: learned.bytes(),
      scratch: closing.bytes(),
      reserve: allocated - waiting - traces
    }
  }

  return {
    counters,
    consume,
    due: (nowMs) => closing.pending() || bytesToFree > 0 || dueReason(elapsed.at(nowMs)) !== undefined,
    tick(nowMs) {
      const now = elapsed.at(nowMs)
      closeSlice(now)
      closed.expire(now, EXPIRED_PER_TICK)
    },
    relieve(bytes, nowMs) {
      bytesToFree = bytes
      closeSlice(elapsed.at(nowMs))
    },
    shutdown(nowMs) {
      const now = elapsed.at(nowMs)
      bytesToFree = 0
      while (open.rows.used > 0 || closing.pending()) closeQuietest(CloseReason.shutdown, now)
    },
    openSpans: () => slab.spans.used,
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
