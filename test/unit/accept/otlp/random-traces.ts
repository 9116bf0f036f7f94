import {
  type AnyValue,
  type EventMessage,
  type KeyValue,
  type SpanMessage,
  type TraceMessage
} from './otlp-messages.ts'

export type Random = () => number

/** Uniform in [0, 1), the same for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T
}

function many<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(random() * (most + 1)) }, make)
}

function idOf(random: Random, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => 1 + Math.floor(random() * 255))
}

const attributeKeys = [
  'http.request.method',
  'http.route',
  'http.response.status_code',
  'rpc.method',
  'rpc.service',
  'rpc.grpc.status_code',
  'rpc.unheard_of',
  'messaging.destination.name',
  'error.type',
  'network.protocol.name',
  'method',
  'uri',
  'url.path',
  'busy_ns',
  'idle_ns',
  'peer.text',
  'thread.name',
  'SampleRate',
  '__proto__',
  'constructor',
  ''
]
const texts = [
  'GET',
  '/users/:id',
  '/users/42/items',
  'timeout',
  'orders.v1',
  '12345',
  '3.5',
  '',
  'ключ 🚀',
  'websocket',
  'tower::buffer::worker'
]
const eventNames = ['exception', 'processing request', 'acquired connection', '']
const eventKeys = ['exception.type', 'target', 'aquired_after_secs', 'elapsed_secs', 'rpc.message.id', 'level']

function anyValue(random: Random): AnyValue {
  switch (Math.floor(random() * 9)) {
    case 0:
    case 1:
      return { stringValue: pick(random, texts) }
    case 2:
      return { intValue: String(Math.floor(random() * 600)) }
    case 3:
      return { intValue: pick(random, ['-1', '9007199254740993', '-9223372036854775808', '1760000000000000001']) }
    case 4:
      return { doubleValue: random() * 1e6 }
    case 5:
      return { boolValue: random() < 0.5 }
    case 6:
      return { arrayValue: { values: many(random, 3, () => anyValue(random)) } }
    case 7:
      return { kvlistValue: { values: many(random, 2, () => keyValue(random, attributeKeys)) } }
    default:
      return { bytesValue: idOf(random, 5) }
  }
}

function keyValue(random: Random, keys: readonly string[]): KeyValue {
  const key = pick(random, keys)
  return random() < 0.05 ? { key } : { key, value: anyValue(random) }
}

function event(random: Random, startNs: bigint): EventMessage {
  return {
    timeUnixNano: String(startNs + BigInt(Math.floor(random() * 1e9) - 1000)),
    name: pick(random, eventNames),
    attributes: many(random, 4, () => keyValue(random, eventKeys))
  }
}

function span(random: Random, traceId: Uint8Array): SpanMessage {
  const startNs = 1_760_000_000_000_000_000n + BigInt(Math.floor(random() * 1e15))
  const broken = random()
  const made: SpanMessage = {
    traceId: broken < 0.03 ? idOf(random, Math.floor(random() * 20)) : traceId,
    spanId: broken > 0.97 ? new Uint8Array(8) : idOf(random, 8),
    traceState: pick(random, ['', 'ot=th:c', 'vendor=x, ot=rv:12;th:8000', 'ot=th:zz']),
    parentSpanId: pick(random, [
      new Uint8Array(0),
      idOf(random, 8),
      new Uint8Array(8),
      idOf(random, 8),
      idOf(random, 8)
    ]),
    name: pick(random, [...texts, 'GET /users/42', 'process order']),
    kind: Math.floor(random() * 7),
    startTimeUnixNano: String(startNs),
    endTimeUnixNano: String(startNs + BigInt(Math.floor(random() * 1e10)) - (random() < 0.03 ? 10_000_000_000n : 0n)),
    attributes: many(random, 12, () => keyValue(random, attributeKeys)),
    droppedAttributesCount: random() < 0.1 ? 3 : 0,
    events: many(random, 2, () => event(random, startNs)),
    links: many(random, 1, () => ({
      traceId: pick(random, [traceId, idOf(random, 16), idOf(random, 3)]),
      spanId: idOf(random, 8)
    })),
    flags: pick(random, [0, 1, 0x101, 0x301])
  }
  if (random() < 0.3)
    made.status = { code: Math.floor(random() * 3), message: pick(random, ['', 'context canceled', 'no']) }
  return made
}

const resourceValues: readonly KeyValue[] = [
  { key: 'service.name', value: { stringValue: 'cart' } },
  { key: 'service.namespace', value: { stringValue: 'shop' } },
  { key: 'service.instance.id', value: { stringValue: 'i-1' } },
  { key: 'k8s.pod.uid', value: { stringValue: 'uid-1' } },
  { key: 'host.name', value: { stringValue: 'node-17' } },
  { key: 'process.pid', value: { intValue: '4711' } },
  { key: 'telemetry.sdk.language', value: { stringValue: 'rust' } },
  { key: 'service.version', value: { doubleValue: 1.5 } }
]

export function randomTraces(random: Random): TraceMessage {
  return {
    resourceSpans: many(random, 3, () => ({
      ...(random() < 0.9 ? { resource: { attributes: resourceValues.filter(() => random() < 0.5) } } : {}),
      scopeSpans: many(random, 2, () => {
        const traceId = idOf(random, 16)
        const scope = {
          name: pick(random, ['otelhttp', '', 'sqlx']),
          attributes: random() < 0.1 ? [{ key: 'tailsampling.policy', value: { stringValue: 'slow' } }] : []
        }
        return { ...(random() < 0.9 ? { scope } : {}), spans: many(random, 6, () => span(random, traceId)) }
      })
    }))
  }
}
