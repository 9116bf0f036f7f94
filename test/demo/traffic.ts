/** Requests of a small shop in Go and Rust, written as their instrumentation writes them, with a cause that changes. */
import { type Attributes, context, type Context, type HrTime, SpanKind, trace, type Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { createRandom } from '../builders/random.ts'

/** What is made slow, and what Tailspan should find. */
export interface Cause {
  readonly title: string
  readonly culprit: { readonly service: string; readonly phase: string }
  /** Root operations that it slows; the others have an ordinary tail. */
  readonly roots: readonly string[]
}

const BUY = 'gateway GET /buy'
const QUOTE = 'gateway GET /quote'

export const causes = {
  queue: {
    title: 'queue burst: the connection pool of inventory runs dry',
    culprit: { service: 'inventory', phase: 'queue_wait' },
    roots: [BUY]
  },
  gc: {
    title: 'GC: mark assist stops requests of gateway',
    culprit: { service: 'gateway', phase: 'gc' },
    roots: [BUY, QUOTE]
  },
  tokio: {
    title: 'tokio stall: a task of pricing blocks the workers',
    culprit: { service: 'pricing', phase: 'scheduling' },
    roots: [BUY, QUOTE]
  },
  database: {
    title: 'slow database: some queries of inventory take long',
    culprit: { service: 'inventory', phase: 'downstream' },
    roots: [BUY]
  }
} as const satisfies Record<string, Cause>
export type CauseName = keyof typeof causes

/** A little more than the tail. */
const HIT_SHARE = 0.015
const SLOW_MS = 80

export interface Traffic {
  /** One request that ends at `endMs`. */
  readonly request: (endMs: number, cause: CauseName | undefined) => void
  readonly shutdown: () => Promise<void>
}

export interface TrafficOptions {
  readonly grpcAddress: string
  readonly exportEveryMs: number
  readonly seed: number
  /** Share of requests that the cause hits. */
  readonly hitShare?: number
}

export function createTraffic(options: TrafficOptions): Traffic {
  const random = createRandom(options.seed)
  const { hitShare = HIT_SHARE } = options
  const gateway = createService('gateway', 'go', options)
  const pricing = createService('pricing', 'rust', options)
  const inventory = createService('inventory', 'go', options)
  /** Around `ms`, never below half of it. */
  const about = (ms: number): number => ms * (0.5 + random() ** 2 * 1.5)

  function price(parent: Context, fromMs: number, stalledMs: number): number {
    const busyMs = about(2)
    const idleMs = about(1) + stalledMs
    const inner = startSpan(pricing.tracer, parent, 'POST /price', SpanKind.SERVER, fromMs)
    const endMs = fromMs + busyMs + idleMs
    const attributes: Attributes = {
      'http.request.method': 'POST',
      'http.route': '/price',
      'http.response.status_code': 200,
      'code.namespace': 'pricing::quote',
      'thread.name': 'tokio-runtime-worker',
      busy_ns: Math.round(busyMs * 1e6),
      idle_ns: Math.round(idleMs * 1e6)
    }
    // The companion library's: how long the woken task waited for its poll.
    if (stalledMs > 0) attributes['tailspan.scheduling_ns'] = Math.round(stalledMs * 1e6)
    endSpan(inner, endMs, attributes)
    return endMs
  }

  function reserve(parent: Context, fromMs: number, slow: { poolMs: number; queryMs: number }): number {
    const server = startSpan(inventory.tracer, parent, 'POST /reserve', SpanKind.SERVER, fromMs)
    const acquireFrom = fromMs + about(0.5)
    const acquired = acquireFrom + about(0.2) + slow.poolMs
    endSpan(startSpan(inventory.tracer, server, 'pool.acquire', SpanKind.INTERNAL, acquireFrom), acquired, {})
    const queried = acquired + about(3) + slow.queryMs
    endSpan(startSpan(inventory.tracer, server, 'UPDATE stock', SpanKind.CLIENT, acquired), queried, {
      'db.system.name': 'postgresql',
      'db.collection.name': 'stock',
      'db.query.text': 'UPDATE stock SET reserved = reserved + $1 WHERE sku = $2'
    })
    const endMs = queried + about(0.5)
    endSpan(server, endMs, {
      'http.request.method': 'POST',
      'http.route': '/reserve',
      'http.response.status_code': 200
    })
    return endMs
  }

  function call(parent: Context, peer: string, fromMs: number, serve: (inner: Context, at: number) => number): number {
    const client = startSpan(gateway.tracer, parent, 'POST', SpanKind.CLIENT, fromMs)
    const endMs = serve(client, fromMs + about(0.2)) + about(0.2)
    endSpan(client, endMs, { 'http.request.method': 'POST', 'server.address': peer, 'http.response.status_code': 200 })
    return endMs
  }

  /** Writes the request from `fromMs` on; returns when it ended. */
  function buy(fromMs: number, slow: { causeHit: CauseName | undefined; reserves: boolean }): number {
    const extra = (cause: CauseName): number => (slow.causeHit === cause ? about(SLOW_MS) : 0)
    const route = slow.reserves ? '/buy' : '/quote'
    const server = startSpan(gateway.tracer, context.active(), `GET ${route}`, SpanKind.SERVER, fromMs)
    const gcMs = extra('gc')
    let at = fromMs + about(1) + gcMs
    at = call(server, 'pricing', at, (inner, from) => price(inner, from, extra('tokio')))
    if (slow.reserves) {
      const reserveSlow = { poolMs: extra('queue'), queryMs: extra('database') }
      at = call(server, 'inventory', at + about(0.3), (inner, from) => reserve(inner, from, reserveSlow))
    }
    const endMs = at + about(0.5)
    const attributes: Attributes = {
      'http.request.method': 'GET',
      'http.route': route,
      'http.response.status_code': 200,
      'user_agent.original': 'shop-app/3.1'
    }
    if (gcMs > 0) attributes['tailspan.gc_ns'] = Math.round(gcMs * 1e6)
    endSpan(server, endMs, attributes)
    return endMs
  }

  return {
    request(startMs, cause) {
      buy(startMs, { causeHit: random() < hitShare ? cause : undefined, reserves: random() < 0.7 })
    },
    async shutdown() {
      await Promise.all([gateway, pricing, inventory].map(({ provider }) => provider.shutdown()))
    }
  }
}

const SEND_EVERY_MS = 20

/** Sends as many requests as are due each time, so that the rate holds however late a timer is, until it is told to stop. */
export function keepSending(traffic: Traffic, rate: number, cause: () => CauseName | undefined): () => void {
  const startedMs = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) / 1e3) * rate)
    const now = cause()
    // Long enough ago that even a slow request has ended by now.
    for (; sent < due; sent++) traffic.request(Date.now() - 500 + (sent % 10) * 2, now)
  }, SEND_EVERY_MS)
  return () => {
    clearInterval(timer)
  }
}

interface Service {
  readonly provider: TracerProvider
  readonly tracer: Tracer
}

/** A service has its own SDK, resource and connection, as it would in its own process. */
function createService(name: string, language: 'go' | 'rust', options: TrafficOptions): Service {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': name,
      'service.version': '1.4.2',
      'service.instance.id': `${name}-7d9f6-abcde`,
      'host.name': `${name}-node`,
      'telemetry.sdk.name': 'opentelemetry',
      'telemetry.sdk.language': language
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: `http://${options.grpcAddress}` }),
        scheduledDelayMillis: options.exportEveryMs,
        maxQueueSize: 65_536
      })
    ]
  })
  const scope = language === 'go' ? 'go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp' : name
  return { provider, tracer: provider.getTracer(scope) }
}

function startSpan(tracer: Tracer, parent: Context, name: string, kind: SpanKind, atMs: number): Context {
  return trace.setSpan(parent, tracer.startSpan(name, { kind, startTime: hrTime(atMs) }, parent))
}

function endSpan(started: Context, atMs: number, attributes: Attributes): void {
  const span = trace.getSpan(started)
  span?.setAttributes(attributes)
  span?.end(hrTime(atMs))
}

/** Seconds and nanoseconds: a double of Unix milliseconds keeps less than a microsecond. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)]
}
