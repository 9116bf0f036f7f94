import { type AcceptEnd } from '../../src/accept/index.ts'
import { entry, join, scope } from './otlp-wire.ts'
import { bytesField, fixed64Field, numberField, textField } from './protobuf-bytes.ts'
import { wholeNumbers } from './whole-numbers.ts'

interface SpanJson {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
}

export interface ShopRequest {
  readonly service: string
  readonly spans: readonly SpanJson[]
}

export interface ShopOptions {
  readonly traces: number
  readonly seed?: number
  /** One trace in so many waits 300 ms for a connection of the pool. */
  readonly slowEvery?: number
}

const START_NS = 1_700_000_000_000_000_000n

/** Export requests of a shop: `gateway` calls `pricing`, which takes a connection from a pool. A request holds 50 traces of one service. */
export function shopRequests({ traces, seed = 1, slowEvery = 70 }: ShopOptions): ShopRequest[] {
  const next = wholeNumbers(seed)
  const hex = (digits: number): string => Array.from({ length: digits }, () => next(16).toString(16)).join('')
  const requests: ShopRequest[] = []
  let gateway: SpanJson[] = []
  let pricing: SpanJson[] = []
  for (let i = 0; i < traces; i++) {
    const startUs = i * 10_000
    const waitUs = i % slowEvery === 0 ? 300_000 : 100
    const endUs = startUs + 8_000 + next(3_000) + waitUs
    const traceId = hex(32)
    const [root, call, server] = [hex(16), hex(16), hex(16)]
    const span = (spanId: string, name: string, kind: number, [fromUs, toUs]: readonly [number, number]): SpanJson => ({
      traceId,
      spanId,
      name,
      kind,
      startTimeUnixNano: String(START_NS + BigInt(fromUs) * 1000n),
      endTimeUnixNano: String(START_NS + BigInt(toUs) * 1000n)
    })
    gateway.push(span(root, 'GET /buy', 2, [startUs, endUs]))
    gateway.push({ ...span(call, 'GET', 3, [startUs + 1000, endUs - 1000]), parentSpanId: root })
    pricing.push({ ...span(server, 'GET /price', 2, [startUs + 1500, endUs - 1500]), parentSpanId: call })
    pricing.push({
      ...span(hex(16), 'pool.acquire', 1, [startUs + 1600, startUs + 1600 + waitUs]),
      parentSpanId: server
    })
    if (i % 50 !== 49 && i !== traces - 1) continue
    requests.push({ service: 'gateway', spans: gateway }, { service: 'pricing', spans: pricing })
    gateway = []
    pricing = []
  }
  return requests
}

export function requestJson(...requests: readonly ShopRequest[]): object {
  return {
    resourceSpans: requests.map(({ service, spans }) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
      scopeSpans: [{ scope: { name: 'shop' }, spans }]
    }))
  }
}

export function requestProtobuf(...requests: readonly ShopRequest[]): Uint8Array {
  return join(requests.map(({ service, spans }) => entry(service, [scope('shop', spans.map(spanProtobuf))])))
}

function spanProtobuf(span: SpanJson): Uint8Array {
  return bytesField(
    2,
    join([
      bytesField(1, Buffer.from(span.traceId, 'hex')),
      bytesField(2, Buffer.from(span.spanId, 'hex')),
      ...(span.parentSpanId === undefined ? [] : [bytesField(4, Buffer.from(span.parentSpanId, 'hex'))]),
      textField(5, span.name),
      numberField(6, span.kind),
      fixed64Field(7, BigInt(span.startTimeUnixNano)),
      fixed64Field(8, BigInt(span.endTimeUnixNano))
    ])
  )
}

/** Some requests at once, some of them twice or late. */
export function inBunches(requests: readonly ShopRequest[], random: () => number): ShopRequest[][] {
  const bunched: ShopRequest[][] = []
  for (let at = 0; at < requests.length;) {
    const count = 1 + Math.floor(random() * 6)
    const again = random() < 0.1 && at > 40 ? [requests[at - 40] as ShopRequest] : []
    bunched.push([...requests.slice(at, at + count), ...again])
    at += count
  }
  return bunched
}

/** As JSON or protobuf. */
export function sendShop(accept: Pick<AcceptEnd, 'traces'>, request: ShopRequest, random: () => number): void {
  if (random() < 0.2) accept.traces(Buffer.from(JSON.stringify(requestJson(request))), 'json')
  else accept.traces(requestProtobuf(request), 'protobuf')
}
