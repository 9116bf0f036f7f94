import { Evidence, type Want } from '../../../../src/model/spans.ts'
import { type AnyValue, type KeyValue, type SpanMessage, type TraceMessage } from './otlp-messages.ts'
import { type SpanRow } from './span-rows.ts'

type Expected = Pick<
  SpanRow,
  'traceId' | 'spanId' | 'parentId' | 'startNs' | 'endNs' | 'name' | 'scope' | 'service' | 'kind' | 'evidence'
>

/** What a decoder should make of a message, in the plainest way: no bytes, no columns, no reuse. */
export function expectedRows(message: TraceMessage, wants: readonly Want[]): Expected[] {
  return message.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = serviceOf(resource?.attributes ?? [])
    return scopeSpans.flatMap(({ scope, spans }) =>
      spans.filter(isAcceptable).map((span) => ({
        traceId: hexOf(span.traceId),
        spanId: hexOf(span.spanId),
        parentId: hexOf(span.parentSpanId).padStart(16, '0'),
        startNs: BigInt(span.startTimeUnixNano ?? 0),
        endNs: BigInt(span.endTimeUnixNano ?? 0),
        name: span.name ?? '',
        scope: scope?.name ?? '',
        service,
        kind: (span.kind ?? 0) > 5 ? 0 : (span.kind ?? 0),
        evidence: evidenceOf(span, wants)
      }))
    )
  })
}

export function isAcceptable(span: SpanMessage): boolean {
  const start = BigInt(String(span.startTimeUnixNano ?? 0))
  const end = BigInt(String(span.endTimeUnixNano ?? 0))
  return (
    isId(span.traceId, 16) &&
    isId(span.spanId, 8) &&
    [0, 8].includes(span.parentSpanId?.length ?? 0) &&
    start > 0n &&
    end >= start &&
    end < 1n << 63n &&
    end - start < 1n << 53n
  )
}

function isId(bytes: ArrayLike<number> | undefined, size: number): boolean {
  return bytes?.length === size && Array.from(bytes).some((byte) => byte !== 0)
}

function hexOf(bytes: ArrayLike<number> | undefined): string {
  return Array.from(bytes ?? [], (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function serviceOf(attributes: readonly KeyValue[]): string {
  const valueOf = (key: string): string => attributes.findLast((one) => one.key === key)?.value?.stringValue ?? ''
  const name = valueOf('service.name') || 'unknown_service'
  return valueOf('service.namespace') === '' ? name : `${valueOf('service.namespace')}/${name}`
}

function evidenceOf(span: SpanMessage, wants: readonly Want[]): SpanRow['evidence'] {
  const rows: SpanRow['evidence'] = []
  for (const { key, value } of span.attributes ?? []) {
    wants.forEach((want, index) => {
      if (want.from !== 'attribute' || want.key !== key) return
      const a = want.type === 'number' ? numberOf(value) : textOf(value)
      if (a === undefined) return
      const code = Evidence.firstWanted + index
      const known = rows.find((row) => row.code === code)
      if (known === undefined) rows.push({ code, a, b: 0 })
      else known.a = a
    })
  }
  for (const { timeUnixNano, name, attributes } of span.events ?? []) {
    const valueOf = (key: string): AnyValue | undefined => attributes?.findLast((one) => one.key === key)?.value
    wants.forEach((want, index) => {
      if (want.from !== 'event') return
      if (want.name !== undefined && want.name !== name) return
      if (want.where !== undefined && textOf(valueOf(want.where.key)) !== want.where.equals) return
      const field = want.field === undefined ? undefined : numberOf(valueOf(want.field))
      if (want.name === undefined && want.where === undefined && field === undefined) return
      const a = Number(BigInt(timeUnixNano ?? 0) - BigInt(span.startTimeUnixNano ?? 0))
      rows.push({ code: Evidence.firstWanted + index, a, b: field ?? 0 })
    })
  }
  for (const { traceId, spanId } of span.links ?? []) {
    if (hexOf(traceId) !== hexOf(span.traceId)) continue
    const id = hexOf(spanId)
    const [a, b] = [Number.parseInt(id.slice(0, 8), 16), Number.parseInt(id.slice(8), 16)]
    rows.push({ code: Evidence.linkSameTrace, a: a, b: b })
  }
  const threshold = /(?:^|[,;=])(?:.*;)?th:([0-9a-f]+)/.exec(span.traceState ?? '')?.[1]
  if (threshold !== undefined) {
    const a = Number.parseInt(threshold.padEnd(14, '0').slice(0, 13), 16) / 2 ** 52
    rows.push({ code: Evidence.samplingThreshold, a, b: 0 })
  }
  return rows
}

function numberOf(value: AnyValue | undefined): number | undefined {
  if (value?.intValue !== undefined) return Number(value.intValue)
  if (value?.doubleValue !== undefined) return value.doubleValue
  const text = textOf(value) ?? ''
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
}

function textOf(value: AnyValue | undefined): string | undefined {
  return value?.stringValue ?? value?.arrayValue?.values[0]?.stringValue
}
