import { Language, languages, type TraceColumns, Evidence, type Wants } from '../model/spans.ts'
import { Outcome } from '../model/requests.ts'
import { spanIdHex, traceIdHex } from './hex.ts'
import { listText } from './text-slices.ts'
import { type Names } from './trace-document.ts'
import { unixNano } from './unix-nano.ts'

const STATUS_ERROR = 2

type AttributeValue =
  { readonly stringValue: string } | { readonly intValue: string } | { readonly doubleValue: number }
interface Attribute {
  readonly key: string
  readonly value: AttributeValue
}
interface SpanEvent {
  readonly timeUnixNano: string
  readonly name: string
}

/**
 * A kept trace as an OTLP/JSON export request, for Jaeger, Tempo or otel-desktop-viewer, in slices. Of attributes and events it
 * has what evidence is made of (`wants`), because nothing else is kept.
 */
export function* otlpText(trace: TraceColumns, wants: Wants, names: Names): Generator<string> {
  const bySender = new Map<number, Map<number, number[]>>()
  for (let row = 0; row < trace.n; row++) {
    const scopes = entryOf(bySender, trace.resource[row] as number, () => new Map<number, number[]>())
    entryOf(scopes, trace.scope[row] as number, (): number[] => []).push(row)
  }
  let before = '{"resourceSpans":['
  for (const [resource, scopes] of bySender) {
    yield `${before}{"resource":${JSON.stringify({ attributes: resourceAttributes(resource, names) })},"scopeSpans":[`
    before = ''
    for (const [scope, rows] of scopes) {
      yield `${before}{"scope":${JSON.stringify({ name: names.strings.text(scope) })},"spans":`
      yield* listText(rows.length, (i) => spanOf(trace, rows[i] as number, wants, names))
      yield '}'
      before = ','
    }
    yield ']}'
    before = ','
  }
  yield ']}'
}

function entryOf<V>(map: Map<number, V>, key: number, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

function resourceAttributes(row: number, { strings, resources }: Names): Attribute[] {
  const { service, process, host, version, language } = resources
  const texts: readonly (readonly [string, string])[] = [
    ['service.name', strings.text(service[row] as number)],
    ['service.version', strings.text(version[row] as number)],
    ['service.instance.id', strings.text(process[row] as number)],
    ['host.name', strings.text(host[row] as number)],
    ['telemetry.sdk.language', language[row] === Language.unknown ? '' : (languages[language[row] as number] ?? '')]
  ]
  return texts.filter(([, text]) => text !== '').map(([key, text]) => ({ key, value: { stringValue: text } }))
}

function spanOf(trace: TraceColumns, row: number, wants: Wants, names: Names): object {
  const { attributes, events } = evidenceOf(trace, row, wants, names)
  const parent = spanIdHex(trace.parentId, row)
  const outcome = trace.outcome[row] as number
  return {
    traceId: traceIdHex(trace.traceId, 0),
    spanId: spanIdHex(trace.spanId, row),
    ...(/[^0]/.test(parent) && { parentSpanId: parent }),
    name: names.strings.text(trace.name[row] as number),
    kind: trace.kind[row] as number,
    startTimeUnixNano: unixNano(trace, trace.startNs[row] as number),
    endTimeUnixNano: unixNano(trace, trace.endNs[row] as number),
    ...(attributes.length > 0 && { attributes }),
    ...(events.length > 0 && { events }),
    ...(outcome !== Outcome.ok && {
      status: { code: STATUS_ERROR, ...(outcome === Outcome.timeout && { message: 'timeout' }) }
    })
  }
}

function evidenceOf(
  trace: TraceColumns,
  row: number,
  wants: Wants,
  { strings }: Names
): { attributes: Attribute[]; events: SpanEvent[] } {
  const attributes: Attribute[] = []
  const events: SpanEvent[] = []
  const first = row === 0 ? 0 : (trace.evidenceEnd[row - 1] as number)
  for (let i = first; i < (trace.evidenceEnd[row] as number); i++) {
    const want = wants[(trace.evidence.code[i] as number) - Evidence.firstWanted]
    const a = trace.evidence.a[i] as number
    if (want?.from === 'event') {
      const name = want.name ?? want.where?.equals
      const timeUnixNano = unixNano(trace, (trace.startNs[row] as number) + a)
      if (name !== undefined) events.push({ timeUnixNano, name })
    } else if (want?.type === 'string') attributes.push({ key: want.key, value: { stringValue: strings.text(a) } })
    else if (want?.type === 'number') attributes.push({ key: want.key, value: numberValue(a) })
  }
  return { attributes, events }
}

function numberValue(value: number): AttributeValue {
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
