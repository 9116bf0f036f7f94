import { Evidence, Kind, Language, type Resources, type TraceColumns } from '../../src/model/spans.ts'
import { createStrings, type Strings } from '../../src/runtime/strings.ts'

/** A span as a test writes it; everything but the times has a default. */
export interface SpanOf {
  readonly id: number
  readonly parent?: number
  readonly startNs: number
  readonly endNs: number
  readonly service?: string
  /** Known process and host of the service's instance; none by default. */
  readonly process?: string
  readonly host?: string
  readonly language?: keyof typeof Language
  readonly name?: string
  readonly scope?: string
  readonly kind?: keyof typeof Kind
  readonly outcome?: number
  readonly flags?: number
  /** Evidence rows: code, a, b. */
  readonly evidence?: readonly (readonly [number, number, number])[]
  readonly linkTo?: number
}

export interface World {
  readonly strings: Strings
  readonly resources: Resources
  readonly trace: (spans: readonly SpanOf[], options?: { truncated?: boolean; closedBy?: number }) => TraceColumns
}

/** Shared tables and a maker of TraceColumns over them. */
export function createWorld(): World {
  const strings = createStrings({ stringsMax: 100_000, bytesMax: 1 << 24, stringBytesMax: 1024, seed: 1 })
  const rowsMax = 1000
  const resources = {
    rows: 0,
    service: new Uint32Array(rowsMax),
    process: new Uint32Array(rowsMax),
    host: new Uint32Array(rowsMax),
    version: new Uint32Array(rowsMax),
    language: new Uint8Array(rowsMax)
  }
  const rowOf = new Map<string, number>()

  function resource(span: SpanOf): number {
    const key = `${span.service ?? 'a'}|${span.process ?? ''}|${span.host ?? ''}|${span.language ?? ''}`
    const known = rowOf.get(key)
    if (known !== undefined) return known
    const row = resources.rows++
    resources.service[row] = strings.internText(span.service ?? 'a')
    resources.process[row] = strings.internText(span.process ?? '')
    resources.host[row] = strings.internText(span.host ?? '')
    resources.language[row] = Language[span.language ?? 'unknown']
    rowOf.set(key, row)
    return row
  }

  function trace(spans: readonly SpanOf[], options: { truncated?: boolean; closedBy?: number } = {}): TraceColumns {
    const n = spans.length
    const rows = spans.flatMap((span) => evidenceOf(span))
    const columns: TraceColumns = {
      n,
      traceId: Uint32Array.of(1, 2, 3, 4),
      custody: { first: 0, last: 0, parts: 1 },
      baseHi: 0x17979cfe,
      baseLo: 0x362a0000,
      closedBy: options.closedBy ?? 0,
      truncated: options.truncated ?? false,
      spanId: new Uint32Array(2 * n),
      parentId: new Uint32Array(2 * n),
      startNs: Float64Array.from(spans, (span) => span.startNs),
      endNs: Float64Array.from(spans, (span) => span.endNs),
      name: Uint32Array.from(spans, (span) => strings.internText(span.name ?? `op${span.id}`)),
      operation: Uint32Array.from(spans, (span) => strings.internText(span.name ?? `op${span.id}`)),
      scope: Uint32Array.from(spans, (span) => strings.internText(span.scope ?? '')),
      resource: Uint32Array.from(spans, resource),
      kind: Uint8Array.from(spans, (span) => Kind[span.kind ?? 'internal']),
      outcome: Uint8Array.from(spans, (span) => span.outcome ?? 0),
      flags: Uint16Array.from(spans, (span) => span.flags ?? 0),
      held: new Uint32Array(n),
      evidenceEnd: new Uint32Array(n),
      evidence: {
        code: Uint16Array.from(rows, (row) => row[0]),
        a: Float64Array.from(rows, (row) => row[1]),
        b: Float64Array.from(rows, (row) => row[2])
      }
    }
    let end = 0
    for (const [row, span] of spans.entries()) {
      columns.spanId[2 * row + 1] = span.id
      columns.parentId[2 * row + 1] = span.parent ?? 0
      end += evidenceOf(span).length
      columns.evidenceEnd[row] = end
    }
    return columns
  }
  return { strings, resources, trace }
}

function evidenceOf(span: SpanOf): (readonly [number, number, number])[] {
  const link = span.linkTo === undefined ? [] : [[Evidence.linkSameTrace, 0, span.linkTo] as const]
  return [...(span.evidence ?? []), ...link]
}
