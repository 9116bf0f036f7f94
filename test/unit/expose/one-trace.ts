import { createStrings } from '../../../src/runtime/strings.ts'
import { type Decomposition } from '../../../src/model/decomposition.ts'
import { Grade, GRADES, Phase, PHASE_SLOTS } from '../../../src/model/phases.ts'
import { type Resources, type TraceColumns } from '../../../src/model/spans.ts'
import { noCrossings } from '../../builders/decompositions.ts'
import { type Names } from '../../../src/expose/index.ts'

/** 2026-01-02T03:04:05.000000007Z: a time in ns that no double holds. */
export const BASE_UNIX_NANO = 1_767_323_045_000_000_007n

type PhaseNs = readonly (readonly [phase: number, grade: number, ns: number])[]

function phaseColumns(rows: readonly PhaseNs[]): Float64Array {
  const columns = new Float64Array(rows.length * PHASE_SLOTS)
  rows.forEach((row, index) => {
    for (const [phase, grade, ns] of row) columns[index * PHASE_SLOTS + phase * GRADES + grade] = ns
  })
  return columns
}

/**
 * gateway GET /buy  |====================| 0..1000
 * shop   POST /buy      |========|         200..700, 100 of it waiting for a turn
 * The client side of the call is gateway's own span of 100..800.
 */
export function oneTrace(): { decomposition: Decomposition; names: Names } {
  const strings = createStrings({ stringsMax: 100, bytesMax: 10_000, stringBytesMax: 100, seed: 1 })
  const ids = (...texts: string[]): Uint32Array => Uint32Array.from(texts, strings.internText)
  const trace: TraceColumns = {
    n: 3,
    traceId: Uint32Array.of(0x0af76519, 0x16cd43dd, 0x8448eb21, 0x1c80319c),
    custody: { first: 0, last: 0, parts: 1 },
    baseHi: Number(BASE_UNIX_NANO >> 32n),
    baseLo: Number(BASE_UNIX_NANO & 0xffffffffn),
    closedBy: 0,
    truncated: false,
    spanId: Uint32Array.of(0, 1, 0, 2, 0xfedcba98, 3),
    parentId: Uint32Array.of(0, 0, 0, 1, 0, 2),
    startNs: Float64Array.of(0, 100, 200),
    endNs: Float64Array.of(1000, 800, 700),
    name: ids('GET', 'call shop', 'POST'),
    operation: ids('GET /buy', 'call shop', 'POST /buy'),
    scope: new Uint32Array(3),
    resource: Uint32Array.of(0, 0, 1),
    kind: Uint8Array.of(2, 3, 2),
    outcome: new Uint8Array(3),
    flags: new Uint16Array(3),
    held: new Uint32Array(3),
    evidenceEnd: new Uint32Array(3),
    evidence: { code: new Uint16Array(0), a: new Float64Array(0), b: new Float64Array(0) }
  }
  const resources: Resources = {
    rows: 2,
    service: ids('gateway', 'shop'),
    process: new Uint32Array(2),
    host: new Uint32Array(2),
    version: new Uint32Array(2),
    language: new Uint8Array(2)
  }
  const decomposition: Decomposition = {
    trace,
    root: 0,
    complete: true,
    conflicts: 0,
    rootRequest: 0,
    addPathNs: () => undefined,
    requests: {
      n: 2,
      span: Uint32Array.of(0, 2),
      service: ids('gateway', 'shop'),
      operation: ids('GET /buy', 'POST /buy'),
      class: Uint8Array.of(0, 1),
      outcome: Uint8Array.of(0, 2),
      durationNs: Float64Array.of(1000, 500),
      phaseNs: phaseColumns([
        [
          [Phase.processing, Grade.inferred, 300],
          [Phase.downstream, Grade.measured, 500],
          [Phase.network, Grade.measured, 150],
          [Phase.network, Grade.inferred, 50]
        ],
        [
          [Phase.queueWait, Grade.measured, 100],
          [Phase.unattributed, 0, 400]
        ]
      ]),
      leadNs: Float64Array.of(0, 42),
      patternNs: Float64Array.of(250, 0, 0, 0, 0, 0),
      partial: new Uint8Array(2),
      weight: Float64Array.of(1, 1),
      sampling: new Uint8Array(2)
    },
    blame: {
      n: 2,
      span: Uint32Array.of(0, 2),
      service: ids('gateway', 'shop'),
      operation: ids('GET /buy', 'POST /buy'),
      phase: Uint8Array.of(Phase.processing, Phase.unattributed),
      grade: Uint8Array.of(Grade.inferred, 0),
      ns: Float64Array.of(500, 500)
    },
    missingEvidence: () => 0,
    crossings: noCrossings(),
    path: {
      n: 3,
      span: Uint32Array.of(0, 2, 0),
      startNs: Float64Array.of(0, 200, 700),
      endNs: Float64Array.of(200, 700, 1000)
    },
    own: {
      phaseNs: phaseColumns([
        [[Phase.processing, Grade.inferred, 300]],
        [
          [Phase.downstream, Grade.measured, 500],
          [Phase.network, Grade.measured, 200]
        ],
        [
          [Phase.queueWait, Grade.measured, 100],
          [Phase.unattributed, 0, 400]
        ]
      ]),
      inProcessChildrenNs: Float64Array.of(700, 0, 0),
      startNs: trace.startNs,
      endNs: trace.endNs,
      parent: Int32Array.of(-1, 0, 1)
    }
  }
  return { decomposition, names: { strings, resources } }
}
