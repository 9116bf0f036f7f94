import { type Decomposition } from '../model/decomposition.ts'
import { GRADES, PHASES } from '../model/phases.ts'
import { type Marks } from '../runtime/stage.ts'
import { type TraceColumns } from '../model/spans.ts'
import { Band, Outcome } from '../model/requests.ts'
import { type RetainedTrace } from '../model/tail.ts'
import {
  type TraceCopy,
  copyBytes,
  copyTrace,
  evidenceRowsOf,
  hexOfTraceId,
  joinLate,
  markTrace,
  viewTrace
} from '../model/trace-copy.ts'

/** Slowest examples kept per operation and dominant phase. */
const PER_PHASE = 4
/** Examples kept per operation of each other band: what normal looks like; and the slowest while there are no bands. */
const PER_BAND = 2
/** Kept traces looked at for one whose cause has another example, before one that has none is given up. */
const LOOKED_AT_MAX = 256
/** Objects and map entry of a kept trace, beside its columns. */
const OVERHEAD_BYTES = 400

/** Why a trace is kept: one request of an operation. */
interface Example {
  readonly kept: KeptTrace
  readonly row: number
  /** Dominant phase of one of the tail; PHASES + band of any other. */
  readonly group: number
  readonly durationNs: number
  readonly band: number
  readonly outcome: number
  readonly dominantPhase: number
  readonly atMs: number
}

export interface KeptTrace {
  readonly id: string
  copy: TraceCopy
  bytes: number
  readonly examples: Set<Example>
  /** Cells of the exemplar table that may name this trace. */
  readonly exemplars: number[]
}

/** A request that may be worth an example. */
export interface Candidate {
  row: number
  request: number
  band: number
  dominantPhase: number
}

/**
 * Whole traces kept as examples, at most `retainedBytesMax`. Each operation asks for the slowest of every dominant phase
 * in the present window and for a few usual ones; a trace stays while one operation has it as an example. When memory
 * is short the longest kept goes first, the only example of a cause later, an operation's only example last.
 */
export interface RetainedTraces {
  /** Whether this request of the trace at hand would be an example: the cheap test. */
  readonly wants: (decomposition: Decomposition, candidate: Candidate, nowMs: number) => boolean
  /** Keeps the trace (once) for this request; undefined when it is too large. */
  readonly keep: (decomposition: Decomposition, candidate: Candidate, nowMs: number) => KeptTrace | undefined
  readonly late: (trace: TraceColumns) => boolean
  readonly get: (traceId: string) => TraceColumns | undefined
  readonly of: (row: number) => RetainedTrace[]
  readonly dropRow: (row: number) => void
  readonly mark: (marks: Marks) => void
  /** Gives up the longest kept until so many bytes are free. */
  readonly relieve: (bytesToFree: number) => void
  readonly bytes: () => number
}

export interface RetainedOptions {
  readonly retainedBytesMax: number
  readonly retainedTraceBytesMax: number
  readonly windowMs: number
  readonly onEvicted: (kept: KeptTrace) => void
}

export function createRetainedTraces(options: RetainedOptions): RetainedTraces {
  const traceBytesMax = Math.min(options.retainedTraceBytesMax, options.retainedBytesMax)
  /** Longest kept first. */
  const traces = new Map<string, KeptTrace>()
  const examplesOf: (Example[] | undefined)[] = []
  let bytes = 0

  function unlink(example: Example): void {
    const list = examplesOf[example.row] as Example[]
    list.splice(list.indexOf(example), 1)
    example.kept.examples.delete(example)
  }

  function evict(kept: KeptTrace): void {
    for (const example of [...kept.examples]) unlink(example)
    traces.delete(kept.id)
    bytes -= kept.bytes
    options.onEvicted(kept)
  }

  function isOnlyExample(kept: KeptTrace): boolean {
    for (const example of kept.examples) if (examplesOf[example.row]?.length === 1) return true
    return false
  }

  function isOnlyOfItsCause(kept: KeptTrace): boolean {
    for (const example of kept.examples) {
      const others = examplesOf[example.row] as Example[]
      if (!others.some((other) => other !== example && other.group === example.group)) return true
    }
    return false
  }

  /** Second chances: the only example of a cause moves to the back, then an operation's only one, until nothing else is left. */
  function makeRoom(needed: number, except?: KeptTrace, bytesMax = options.retainedBytesMax): void {
    let looks = Math.min(traces.size, LOOKED_AT_MAX)
    let chances = traces.size
    while (bytes + needed > bytesMax) {
      const oldest = traces.values().next().value
      if (oldest === undefined) return
      const isSpared = looks > 0 ? isOnlyOfItsCause(oldest) : chances > 0 && isOnlyExample(oldest)
      if (oldest === except || isSpared) {
        if (oldest === except && traces.size === 1) return
        traces.delete(oldest.id)
        traces.set(oldest.id, oldest)
        if (looks <= 0) chances -= 1
      } else evict(oldest)
      looks -= 1
    }
  }

  /** The example that a new one of this group would replace, 'none' while there is room, undefined if it is not wanted. */
  function place(candidate: Candidate, durationNs: number, nowMs: number): Example | 'none' | undefined {
    const group = groupOf(candidate)
    const slow = group < PHASES || candidate.band === Band.none
    let count = 0
    let worst: Example | undefined
    for (const example of examplesOf[candidate.row] ?? []) {
      if (example.group !== group) continue
      count += 1
      if (example.atMs + options.windowMs <= nowMs) return example
      if (slow && (worst === undefined || example.durationNs < worst.durationNs)) worst = example
    }
    if (count < (group < PHASES ? PER_PHASE : PER_BAND)) return 'none'
    return worst !== undefined && durationNs > worst.durationNs ? worst : undefined
  }

  function keepTrace(trace: TraceColumns): KeptTrace | undefined {
    const id = hexOfTraceId(trace.traceId)
    const known = traces.get(id)
    if (known !== undefined) return known
    const needed = copyBytes(trace.n, evidenceRowsOf(trace)) + OVERHEAD_BYTES
    if (needed > traceBytesMax) return undefined
    makeRoom(needed)
    const kept: KeptTrace = { id, copy: copyTrace(trace), bytes: needed, examples: new Set(), exemplars: [] }
    traces.set(id, kept)
    bytes += needed
    return kept
  }

  function keep(decomposition: Decomposition, candidate: Candidate, nowMs: number): KeptTrace | undefined {
    const kept = keepTrace(decomposition.trace)
    if (kept === undefined) return undefined
    const { requests } = decomposition
    const durationNs = requests.durationNs[candidate.request] as number
    const group = groupOf(candidate)
    const list = (examplesOf[candidate.row] ??= [])
    // One trace is one example of an operation, however many of its requests are in it.
    const same = list.find((example) => example.kept === kept && example.group === group)
    if (same !== undefined && same.durationNs >= durationNs) return kept
    const replaced = same ?? place(candidate, durationNs, nowMs)
    const example: Example = {
      kept,
      row: candidate.row,
      group,
      durationNs,
      band: candidate.band,
      outcome: requests.outcome[candidate.request] as number,
      dominantPhase: candidate.dominantPhase,
      atMs: nowMs
    }
    list.push(example)
    kept.examples.add(example)
    if (replaced !== undefined && replaced !== 'none') release(replaced)
    return kept
  }

  function release(example: Example): void {
    unlink(example)
    if (example.kept.examples.size === 0) evict(example.kept)
  }

  return {
    wants: (decomposition, candidate, nowMs) =>
      place(candidate, decomposition.requests.durationNs[candidate.request] as number, nowMs) !== undefined,
    keep,
    late(trace) {
      const kept = traces.get(hexOfTraceId(trace.traceId))
      if (kept === undefined) return false
      const more = copyBytes(trace.n, evidenceRowsOf(trace))
      if (kept.bytes + more > traceBytesMax) return false
      makeRoom(more, kept)
      kept.copy = joinLate(kept.copy, trace)
      kept.bytes += more
      bytes += more
      return true
    },
    get(traceId) {
      const kept = traces.get(traceId)
      return kept === undefined ? undefined : viewTrace(kept.copy)
    },
    of(row) {
      const slowestFirst = [...(examplesOf[row] ?? [])].sort((a, b) => b.durationNs - a.durationNs)
      const seen = new Set<KeptTrace>()
      const answer: RetainedTrace[] = []
      for (const { kept, durationNs, band, outcome, dominantPhase, atMs } of slowestFirst) {
        if (seen.has(kept)) continue
        seen.add(kept)
        answer.push({ traceId: kept.id, durationNs, band, outcome, dominantPhase, atMs })
      }
      return answer
    },
    dropRow(row) {
      for (const example of [...(examplesOf[row] ?? [])]) release(example)
      examplesOf[row] = undefined
    },
    mark(marks) {
      for (const kept of traces.values()) markTrace(viewTrace(kept.copy), marks)
    },
    relieve(bytesToFree) {
      makeRoom(0, undefined, Math.max(0, bytes - bytesToFree))
    },
    bytes: () => bytes
  }
}

function groupOf({ band, dominantPhase }: Candidate): number {
  return band === Band.gtP99 ? dominantPhase : PHASES + band
}

/** Whether a request of this band and outcome may be an example at all: failed fast ones say nothing about the body. */
export function mayBeExample(band: number, outcome: number): boolean {
  return band !== Band.leP50 || outcome === Outcome.ok
}

/** The phase that most exceeds `bodyMeanNs` (its mean in the operation's body). */
export function dominantPhaseOf(
  decomposition: Decomposition,
  request: number,
  bodyMeanNs: (phase: number) => number
): number {
  const { phaseNs } = decomposition.requests
  let dominant = 0
  let most = -Infinity
  for (let phase = 0; phase < PHASES; phase++) {
    let ns = -bodyMeanNs(phase)
    const first = (request * PHASES + phase) * GRADES
    for (let grade = 0; grade < GRADES; grade++) ns += phaseNs[first + grade] as number
    if (ns <= most) continue
    most = ns
    dominant = phase
  }
  return dominant
}
