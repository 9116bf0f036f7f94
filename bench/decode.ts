import { createResources, createSpanDecoder, decoderLimits } from '../src/accept/otlp/index.ts'
import { createStrings } from '../src/runtime/strings.ts'
import { type Want } from '../src/model/spans.ts'
import {
  encodeTraces,
  int,
  text,
  toJson,
  type KeyValue,
  type TraceMessage
} from '../test/unit/accept/otlp/otlp-messages.ts'

const SPANS = 512
const RESOURCES = 4
const SECONDS = 1.5
const ROUNDS = 5

/** What the evidence sources ask for, or much like it. */
const wants: Want[] = [
  ...['busy_ns', 'idle_ns', 'queue_wait', 'scheduling', 'gc', 'allocator', 'processing'].map((key): Want => ({
    from: 'attribute',
    key: key.endsWith('_ns') ? key : `tailspan.${key}_ns`,
    type: 'number'
  })),
  { from: 'attribute', key: 'messaging.servicebus.message.enqueued_time', type: 'number' },
  { from: 'attribute', key: 'http.server.request.time_in_queue', type: 'number' },
  { from: 'attribute', key: 'http.request.header.x-request-start', type: 'string' },
  { from: 'event', field: 'aquired_after_secs' },
  { from: 'event', where: { key: 'target', equals: 'sqlx::query' }, field: 'elapsed_secs' },
  { from: 'event', name: 'Delayed LB pick complete' },
  { from: 'event', name: 'http.getconn.start' },
  { from: 'event', name: 'http.getconn.done' }
]

export interface DecodeRow {
  readonly format: string
  readonly bytesPerSpan: number
  readonly usPerSpan: number
}

/** Decoding alone: 512 spans of 10 attributes from 4 resources a body; the median of five rounds in CPU time. */
export function run(): DecodeRow[] {
  const message = request()
  return [
    measure('protobuf', encodeTraces(message), (decoder) => decoder.decodeProtobuf),
    measure('json', toJson(message), (decoder) => decoder.decodeJson)
  ]
}

type Decoder = ReturnType<typeof createSpanDecoder>

function measure(format: string, body: Uint8Array, pick: (decoder: Decoder) => Decoder['decodeJson']): DecodeRow {
  const strings = createStrings({ stringsMax: 100_000, bytesMax: 1 << 26, stringBytesMax: 1024, seed: 1 })
  const decoder = createSpanDecoder({ strings, resources: createResources(strings, decoderLimits), wants })
  const decode = pick(decoder)
  const rounds: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const start = process.cpuUsage()
    const untilMs = performance.now() + (SECONDS * 1000) / ROUNDS
    let spans = 0
    while (performance.now() < untilMs) {
      decode(body, NaN)
      spans += decoder.batch.n
    }
    const { user, system } = process.cpuUsage(start)
    // The first round is for the compiler.
    if (round > 0) rounds.push((user + system) / spans)
  }
  rounds.sort((a, b) => a - b)
  return { format, bytesPerSpan: Math.round(body.length / SPANS), usPerSpan: rounds[ROUNDS >>> 1] as number }
}

function request(): TraceMessage {
  let state = 7
  const random = (): number => (state = Math.imul(state, 1103515245) + 12345) >>> 8
  const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => random() & 255)
  const services = ['checkout', 'cart', 'payments', 'catalog']
  const startNs = 1_760_000_000_000_000_000n
  const perResource = SPANS / RESOURCES
  return {
    resourceSpans: services.map((service, s) => ({
      resource: { attributes: resourceOf(service) },
      scopeSpans: [
        {
          scope: { name: 'go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp', version: '0.70.0' },
          spans: Array.from({ length: perResource }, (_, i) => {
            const from = startNs + BigInt(s * perResource + i) * 1_300_017n
            const shape = shapes[i % shapes.length] as Shape
            return {
              traceId: bytes(16),
              spanId: bytes(8),
              parentSpanId: i % 8 === 0 ? new Uint8Array(0) : bytes(8),
              flags: 0x101,
              name: shape.name,
              kind: shape.kind,
              startTimeUnixNano: String(from),
              endTimeUnixNano: String(from + BigInt(50_000 + (random() % 200_000_000))),
              attributes: shape.attributes(random() % 1_000_000, service)
            }
          })
        }
      ]
    }))
  }
}

interface Shape {
  readonly name: string
  readonly kind: number
  readonly attributes: (random: number, service: string) => KeyValue[]
}

const shapes: readonly Shape[] = [
  {
    name: 'GET /api/orders/{id}',
    kind: 2,
    attributes: (random, service) => [
      text('http.request.method', 'GET'),
      text('http.route', '/api/orders/{id}'),
      text('url.path', `/api/orders/${random}`),
      text('url.scheme', 'https'),
      int('http.response.status_code', 200),
      text('server.address', `${service}.prod.svc.cluster.local`),
      int('server.port', 8080),
      text('client.address', `10.42.0.${random % 250}`),
      text('user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) otel-bench/1.0'),
      text('network.protocol.version', '1.1')
    ]
  },
  {
    name: 'SELECT orders',
    kind: 3,
    attributes: (random) => [
      text('db.system.name', 'postgresql'),
      text('db.namespace', 'shop'),
      text('db.operation.name', 'SELECT'),
      text('db.collection.name', 'orders'),
      text('db.query.text', 'SELECT id, sku, qty, price FROM orders WHERE tenant_id = $1 AND id = $2'),
      text('server.address', 'pg-primary.prod.internal'),
      int('server.port', 5432),
      text('thread.name', `worker-${random % 16}`),
      int('thread.id', random % 16),
      text('code.function.name', 'Repo.findOrders')
    ]
  },
  {
    name: 'POST',
    kind: 3,
    attributes: (random, service) => [
      text('http.request.method', 'POST'),
      text('url.full', `https://${service}.prod.svc/api/v2/rpc?x=${random}`),
      int('http.response.status_code', 200),
      text('peer.service', service),
      text('server.address', `${service}.prod.svc.cluster.local`),
      int('server.port', 443),
      text('network.peer.address', `10.42.1.${random % 250}`),
      int('network.peer.port', 443),
      int('http.request.body.size', random),
      text('network.protocol.version', '2')
    ]
  },
  {
    name: 'process order',
    kind: 1,
    attributes: (random) => [
      text('code.module.name', 'shop::handlers'),
      text('code.file.path', 'src/handlers/process.rs'),
      int('code.line.number', 120),
      text('app.tenant', `tenant-${random % 40}`),
      int('thread.id', random % 16),
      text('thread.name', 'tokio-runtime-worker'),
      text('target', 'shop::handlers'),
      text('app.region', 'eu-west-1'),
      int('busy_ns', random * 10),
      int('idle_ns', random * 30)
    ]
  }
]

function resourceOf(service: string): KeyValue[] {
  return [
    text('service.name', service),
    text('service.version', '2.13.4'),
    text('service.instance.id', `0f8fad5b-d9cb-469f-a165-${service}`),
    text('deployment.environment.name', 'production'),
    text('telemetry.sdk.language', 'go'),
    text('telemetry.sdk.name', 'opentelemetry'),
    text('k8s.pod.name', `${service}-7d9f6-abcde`),
    text('host.name', 'node-17')
  ]
}

if (import.meta.filename === process.argv[1]) {
  console.log('| format | bytes a span | µs a span (CPU) |\n|---|---|---|')
  for (const row of run()) console.log(`| ${row.format} | ${row.bytesPerSpan} | ${row.usPerSpan.toFixed(2)} |`)
}
