import { Kind, type Resources, type SpanBatch } from '../../src/model/spans.ts'

/** A span in a few words. Ids are small numbers, times are ns after EPOCH, strings and resources are their ids. */
export interface DrawnSpan {
  readonly trace: number
  readonly id: number
  readonly parent?: number
  readonly start?: number
  readonly end?: number
  readonly kind?: number
  readonly name?: number
  readonly operation?: number
  readonly scope?: number
  readonly resource?: number
  readonly outcome?: number
  readonly flags?: number
  readonly held?: number
  /** Code, a, b. */
  readonly evidence?: readonly (readonly [number, number, number])[]
}

export const EPOCH = 1_700_000_000_000_000_000n
const WORD = 2 ** 32

/** Words of the trace id of a number. */
export function traceIdOf(trace: number): [number, number, number, number] {
  return [0xabcd, 0, Math.floor(trace / WORD), trace >>> 0]
}

export function batchOf(spans: readonly DrawnSpan[]): SpanBatch {
  const evidence = spans.flatMap((span) => span.evidence ?? [])
  const starts = spans.map((span) => EPOCH + BigInt(span.start ?? 0))
  const ends = spans.map((span) => EPOCH + BigInt(span.end ?? (span.start ?? 0) + 1))
  const column = (value: (span: DrawnSpan) => number): number[] => spans.map(value)
  const id = (value: number): [number, number] => [Math.floor(value / WORD), value >>> 0]
  let evidenceEnd = 0
  return {
    n: spans.length,
    traceId: Uint32Array.from(spans.flatMap((span) => traceIdOf(span.trace))),
    spanId: Uint32Array.from(spans.flatMap((span) => id(span.id))),
    parentId: Uint32Array.from(spans.flatMap((span) => id(span.parent ?? 0))),
    startHi: Uint32Array.from(starts, (time) => Number(time >> 32n)),
    startLo: Uint32Array.from(starts, (time) => Number(time & 0xffffffffn)),
    endHi: Uint32Array.from(ends, (time) => Number(time >> 32n)),
    endLo: Uint32Array.from(ends, (time) => Number(time & 0xffffffffn)),
    name: Uint32Array.from(column((span) => span.name ?? 0)),
    operation: Uint32Array.from(column((span) => span.operation ?? 0)),
    scope: Uint32Array.from(column((span) => span.scope ?? 0)),
    resource: Uint32Array.from(column((span) => span.resource ?? 0)),
    kind: Uint8Array.from(column((span) => span.kind ?? Kind.internal)),
    outcome: Uint8Array.from(column((span) => span.outcome ?? 0)),
    flags: Uint16Array.from(column((span) => span.flags ?? 0)),
    held: Uint32Array.from(column((span) => span.held ?? 0)),
    evidenceEnd: Uint32Array.from(column((span) => (evidenceEnd += span.evidence?.length ?? 0))),
    evidence: {
      code: Uint16Array.from(evidence, ([code]) => code),
      a: Float64Array.from(evidence, ([, a]) => a),
      b: Float64Array.from(evidence, ([, , b]) => b)
    }
  }
}

/** Resource row r belongs to the service whose interned name has id 100 + r. */
export function resourcesOf(rows: number): Resources {
  return {
    rows,
    service: Uint32Array.from({ length: rows }, (_, row) => 100 + row),
    process: new Uint32Array(rows),
    host: new Uint32Array(rows),
    version: new Uint32Array(rows),
    language: new Uint8Array(rows)
  }
}
