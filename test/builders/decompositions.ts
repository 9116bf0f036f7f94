import {
  type BlameColumns,
  type CrossingColumns,
  type Decomposition,
  type RequestColumns
} from '../../src/model/decomposition.ts'
import { PATTERNS, type PatternName, patterns } from '../../src/model/patterns.ts'
import { GRADES, PHASE_SLOTS, type PhaseName, phases } from '../../src/model/phases.ts'
import { Outcome, RequestClass, Sampling } from '../../src/model/requests.ts'
import { CloseReason, type TraceColumns } from '../../src/model/spans.ts'

/** A request by what differs from one ok request of 1 ms, all of it processing. */
export interface RequestSketch {
  readonly service?: number
  readonly operation?: number
  readonly class?: number
  readonly outcome?: number
  /** By default whatever the phases leave of 1 ms. */
  readonly durationNs?: number
  /** Measured; what is left of the duration is processing. */
  readonly phases?: Partial<Record<PhaseName, number>>
  readonly leadNs?: number
  readonly patterns?: Partial<Record<PatternName, number>>
  readonly partial?: boolean
  readonly weight?: number
  readonly sampling?: number
}

export interface BlameSketch {
  readonly service: number
  readonly operation: number
  readonly phase: PhaseName
  readonly ns: number
}

export interface DecompositionSketch {
  readonly requests: readonly RequestSketch[]
  readonly blame?: readonly BlameSketch[]
  /** Last word of the trace id. */
  readonly traceId?: number
  readonly spans?: number
  readonly rootRequest?: number
  readonly closedBy?: number
  /** What each Advice would have explained of any request in ns, and the operation of a call without its answer. */
  readonly missing?: readonly (readonly [advice: number, ns: number])[]
  readonly missingCall?: number
  readonly crossings?: readonly CrossingSketch[]
}

/** Rows of the trace, and what is known of the crossing. */
export interface CrossingSketch {
  readonly caller: number
  readonly callee: number
  readonly request?: number
  readonly networkNs?: number
  readonly marshallingNs?: number
  readonly queueNs?: number
}

export function traceColumns(id: number, spans: number): TraceColumns {
  const ids = (seed: number): Uint32Array => Uint32Array.from({ length: spans * 2 }, (_, i) => seed + i)
  return {
    n: spans,
    traceId: Uint32Array.of(0xabcdef01, 2, 3, id),
    custody: { first: 0, last: 0, parts: 1 },
    baseHi: 1,
    baseLo: 1000,
    closedBy: CloseReason.quiet,
    truncated: false,
    spanId: ids(id * 1000),
    parentId: ids(id * 1000 + 500),
    startNs: Float64Array.from({ length: spans }, (_, i) => i),
    endNs: Float64Array.from({ length: spans }, (_, i) => i + 10),
    name: new Uint32Array(spans).fill(7),
    operation: new Uint32Array(spans).fill(8),
    scope: new Uint32Array(spans).fill(9),
    resource: new Uint32Array(spans).fill(1),
    kind: new Uint8Array(spans).fill(2),
    outcome: new Uint8Array(spans),
    flags: new Uint16Array(spans).fill(3),
    held: new Uint32Array(spans),
    evidenceEnd: Uint32Array.from({ length: spans }, (_, i) => i + 1),
    evidence: {
      code: Uint16Array.from({ length: spans }, (_, i) => 16 + i),
      a: Float64Array.from({ length: spans }, (_, i) => i * 2),
      b: Float64Array.from({ length: spans }, (_, i) => i * 3)
    }
  }
}

function requestColumns(sketches: readonly RequestSketch[]): RequestColumns {
  const numbers = (of: (sketch: RequestSketch) => number): number[] => sketches.map(of)
  const durationOf = (sketch: RequestSketch): number =>
    sketch.durationNs ??
    Math.max(
      1e6,
      Object.values(sketch.phases ?? {}).reduce((sum, ns) => sum + ns, 0)
    )
  const phaseNs = new Float64Array(sketches.length * PHASE_SLOTS)
  for (const [i, sketch] of sketches.entries()) {
    let left = durationOf(sketch)
    for (const [phase, name] of phases.entries()) {
      const ns = sketch.phases?.[name] ?? 0
      phaseNs[i * PHASE_SLOTS + phase * GRADES] = ns
      left -= ns
    }
    const processing = i * PHASE_SLOTS + phases.indexOf('processing') * GRADES + 1
    phaseNs[processing] = left
  }
  const patternNs = new Float64Array(sketches.length * PATTERNS)
  for (const [i, sketch] of sketches.entries()) {
    for (const [pattern, name] of patterns.entries()) patternNs[i * PATTERNS + pattern] = sketch.patterns?.[name] ?? 0
  }
  return {
    n: sketches.length,
    span: Uint32Array.from(sketches, (_, i) => i),
    service: Uint32Array.from(numbers(({ service }) => service ?? 10)),
    operation: Uint32Array.from(numbers(({ operation }) => operation ?? 20)),
    class: Uint8Array.from(numbers((sketch) => sketch.class ?? RequestClass.request)),
    outcome: Uint8Array.from(numbers(({ outcome }) => outcome ?? Outcome.ok)),
    durationNs: Float64Array.from(numbers(durationOf)),
    phaseNs,
    patternNs,
    leadNs: Float64Array.from(numbers(({ leadNs }) => leadNs ?? 0)),
    partial: Uint8Array.from(numbers(({ partial }) => (partial === true ? 1 : 0))),
    weight: Float64Array.from(numbers(({ weight }) => weight ?? 1)),
    sampling: Uint8Array.from(numbers(({ sampling }) => sampling ?? Sampling.none))
  }
}

function blameColumns(sketches: readonly BlameSketch[]): BlameColumns {
  return {
    n: sketches.length,
    span: new Uint32Array(sketches.length),
    service: Uint32Array.from(sketches, ({ service }) => service),
    operation: Uint32Array.from(sketches, ({ operation }) => operation),
    phase: Uint8Array.from(sketches, ({ phase }) => phases.indexOf(phase)),
    grade: new Uint8Array(sketches.length),
    ns: Float64Array.from(sketches, ({ ns }) => ns)
  }
}

function crossingColumns(sketches: readonly CrossingSketch[]): CrossingColumns {
  return {
    n: sketches.length,
    caller: Uint32Array.from(sketches, ({ caller }) => caller),
    callee: Uint32Array.from(sketches, ({ callee }) => callee),
    request: Uint32Array.from(sketches, ({ request }) => request ?? 0),
    ns: Float64Array.from(
      sketches.flatMap(({ networkNs, marshallingNs, queueNs }) => [
        networkNs ?? NaN,
        marshallingNs ?? NaN,
        queueNs ?? NaN
      ])
    )
  }
}

export const noCrossings = (): CrossingColumns => crossingColumns([])

/** What decompose would say of a trace; spans are only as many as asked for. */
export function decompositionOf(sketch: DecompositionSketch): Decomposition {
  const { requests, blame = [], traceId = 1, spans = 1, rootRequest = 0, closedBy = CloseReason.quiet } = sketch
  return {
    trace: { ...traceColumns(traceId, spans), closedBy },
    root: rootRequest,
    complete: true,
    conflicts: 0,
    requests: requestColumns(requests),
    rootRequest,
    blame: blameColumns(blame),
    missingEvidence(_request, ns) {
      for (const [advice, lackingNs] of sketch.missing ?? []) ns[advice] = (ns[advice] as number) + lackingNs
      return sketch.missingCall ?? 0
    },
    addPathNs: () => undefined,
    crossings: crossingColumns(sketch.crossings ?? []),
    path: { n: 0, span: new Uint32Array(0), startNs: new Float64Array(0), endNs: new Float64Array(0) },
    own: {
      phaseNs: new Float64Array(0),
      inProcessChildrenNs: new Float64Array(0),
      startNs: new Float64Array(0),
      endNs: new Float64Array(0),
      parent: new Int32Array(0)
    }
  }
}
