import { type PhaseName } from '../../src/model/phases.ts'

/** Times are ns after the recording's start. */
export interface Interval {
  readonly fromNs: number
  readonly toNs: number
}

/** An operating-system process with spans of its own and moments in which it cannot run. */
export interface SimulatedProcess {
  readonly service: string
  readonly pid: number
  readonly language: 'go' | 'rust'
  /** Nothing of the process runs: a collector that stops the world, a frozen scheduler. In order, not overlapping. */
  readonly stalls: readonly Interval[]
  readonly stallPhase: 'scheduling' | 'gc'
  /** Tasks run, but answers from the network are not noticed: nobody polls the reactor. In order, not overlapping. */
  readonly deaf: readonly Interval[]
}

export interface SimulatedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parent: SimulatedSpan | undefined
  readonly process: SimulatedProcess
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client'
  readonly attributes: Record<string, string | number>
  startNs: number
  endNs: number
  /** From the arrival of what it answers to its start, when its process could not run. */
  before: Piece | undefined
  /** What happened in its self time. Pieces tile it. */
  readonly pieces: Piece[]
}

export interface Piece extends Interval {
  readonly phase: PhaseName
}

/** A goroutine or task: one thing after the other, at the mercy of its process. */
export interface Activity {
  /** What kept it from starting when it was to. */
  readonly late: Piece | undefined
  readonly nowNs: () => number
  /** Runs for so long; what its process takes away comes on top. */
  readonly work: (span: SimulatedSpan, ns: number) => void
  /** Waits until a moment outside its own will, and runs again when its process does. */
  readonly wait: (span: SimulatedSpan, phase: PhaseName, untilNs: number) => void
}

export function createActivity(process: SimulatedProcess, startNs: number): Activity {
  const wantedNs = Math.round(startNs)
  let atNs = awake(process, wantedNs)
  const late = atNs > wantedNs ? { phase: process.stallPhase, fromNs: wantedNs, toNs: atNs } : undefined

  function spend(span: SimulatedSpan, phase: PhaseName, untilNs: number): void {
    if (untilNs <= atNs) return
    const last = span.pieces.at(-1)
    if (last?.phase === phase && last.toNs === atNs) span.pieces.pop()
    const fromNs = last?.phase === phase && last.toNs === atNs ? last.fromNs : atNs
    span.pieces.push({ phase, fromNs, toNs: untilNs })
    atNs = untilNs
  }

  return {
    late,
    nowNs: () => atNs,
    work(span, ns) {
      let leftNs = Math.round(ns)
      for (const stall of process.stalls) {
        if (stall.toNs <= atNs) continue
        if (stall.fromNs >= atNs + leftNs) break
        leftNs -= Math.max(0, stall.fromNs - atNs)
        spend(span, 'processing', stall.fromNs)
        spend(span, process.stallPhase, stall.toNs)
      }
      spend(span, 'processing', atNs + leftNs)
    },
    wait(span, phase, untilNs) {
      spend(span, phase, Math.round(untilNs))
      if (phase === 'downstream') spend(span, 'scheduling', after(process.deaf, atNs))
      spend(span, process.stallPhase, awake(process, atNs))
    }
  }
}

function awake(process: SimulatedProcess, ns: number): number {
  return after(process.stalls, Math.round(ns))
}

/** The end of the interval that a moment falls into, or the moment itself. */
function after(intervals: readonly Interval[], ns: number): number {
  return intervals.find(({ fromNs, toNs }) => fromNs <= ns && ns < toNs)?.toNs ?? ns
}
