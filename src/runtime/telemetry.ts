import { lookup } from 'node:dns/promises'
import { hostname, networkInterfaces } from 'node:os'
import { type Attributes, type Span, type SpanStatusCode, type Tracer } from '@opentelemetry/api'

export interface Address {
  readonly host: string
  readonly port: number
}

/** The program's own spans. Off, all of it does nothing. */
export interface Telemetry {
  readonly on: boolean
  /** Starts a span and returns what ends it. */
  readonly begin: (name: string, attributes: Attributes) => (failure?: unknown) => void
  /** A span of something that ended just now and took so long. */
  readonly record: (name: string, attributes: Attributes, tookMs: number) => void
  /** Runs `work` inside a span. */
  readonly trace: <T>(name: string, attributes: Attributes, work: () => T) => T
  /** Sends what is held. Never throws, never takes longer than a few seconds. */
  readonly shutdown: () => Promise<void>
}

export interface TelemetryOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where this process listens: its spans must not come back to it. */
  readonly listening: readonly Address[]
  readonly log: { readonly info: (text: string) => void; readonly warn: (text: string) => void }
}

/** A busy service would tell more of itself than of the services it watches. */
const SPANS_PER_SECOND_MAX = 50
const SHUTDOWN_MS_MAX = 3000

export const telemetryOff: Telemetry = {
  on: false,
  begin: () => () => undefined,
  record: () => undefined,
  trace: (_name, _attributes, work) => work(),
  shutdown: () => Promise.resolve()
}

/** On only where OTEL_EXPORTER_OTLP_ENDPOINT (or its form for traces) says where to; the SDK is loaded then and not before. */
export async function startTelemetry({ env, listening, log }: TelemetryOptions): Promise<Telemetry> {
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT']
  if (!endpoint || env['OTEL_SDK_DISABLED'] === 'true') return telemetryOff
  if (await isOwn(endpoint, listening)) {
    log.warn(`own spans stay off: ${endpoint} is this process itself, and its spans would beget spans without end`)
    return telemetryOff
  }
  const [{ NodeSDK }, { OTLPTraceExporter }, api] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-grpc'),
    import('@opentelemetry/api')
  ])
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? env['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? 'grpc'
  const sdk = new NodeSDK({
    ...(env['OTEL_SERVICE_NAME'] === undefined && { serviceName: 'tailspan' }),
    // Any other protocol is the SDK's to choose, from the same variable.
    ...(protocol === 'grpc' && { traceExporter: new OTLPTraceExporter() }),
    metricReaders: [],
    logRecordProcessors: []
  })
  sdk.start()
  log.info(`own spans go to ${endpoint}`)
  return createTelemetry({
    tracer: api.trace.getTracer('tailspan'),
    error: api.SpanStatusCode.ERROR,
    shutdown: () => sdk.shutdown()
  })
}

export interface Sdk {
  readonly tracer: Tracer
  /** Handed in, because its enum would load the API while telemetry is off. */
  readonly error: SpanStatusCode
  readonly shutdown: () => Promise<void>
}

export function createTelemetry(sdk: Sdk): Telemetry {
  let second = 0
  let begun = 0
  let skipped = 0

  const start = (name: string, attributes: Attributes, startTime: number): Span | undefined => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) begun = 0
    second = now
    begun += 1
    if (begun > SPANS_PER_SECOND_MAX) {
      skipped += 1
      return undefined
    }
    const counted = { ...attributes, 'tailspan.spans_skipped_before': skipped }
    skipped = 0
    return sdk.tracer.startSpan(name, { attributes: counted, startTime })
  }

  const begin: Telemetry['begin'] = (name, attributes) => {
    const span = start(name, attributes, Date.now())
    return (failure) => {
      if (failure !== undefined) span?.setStatus({ code: sdk.error, message: messageOf(failure) })
      span?.end()
    }
  }

  return {
    on: true,
    begin,
    record(name, attributes, tookMs) {
      start(name, attributes, Date.now() - tookMs)?.end()
    },
    trace(name, attributes, work) {
      const end = begin(name, attributes)
      try {
        const result = work()
        if (!(result instanceof Promise)) {
          end()
          return result
        }
        result.then(() => {
          end()
        }, end)
        return result
      } catch (failure) {
        end(failure)
        throw failure
      }
    },
    async shutdown() {
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, SHUTDOWN_MS_MAX)))
      await Promise.race([sdk.shutdown().catch(() => undefined), timeout])
      clearTimeout(timer)
    }
  }
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : 'failed'
}

/** Whether an endpoint leads back to one of our own listening addresses, by any of this machine's names. */
async function isOwn(endpoint: string, listening: readonly Address[]): Promise<boolean> {
  const url = URL.parse(endpoint.includes('://') ? endpoint : `http://${endpoint}`)
  if (url === null) return false
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const samePort = listening.filter((address) => address.port === port)
  if (samePort.length === 0) return false
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const found = await lookup(host, { all: true }).catch(() => [])
  const targets = new Set([host, ...found.map((entry) => entry.address)])
  const own = new Set([
    hostname(),
    ...Object.values(networkInterfaces()).flatMap((list) => list?.map((i) => i.address) ?? [])
  ])
  return samePort.some((address) => [...targets].some((target) => reaches(target, address.host, own)))
}

const LOOPBACK = /^(127\.|::1$|localhost$)/
const UNSPECIFIED = /^(0\.0\.0\.0|::)$/

function reaches(target: string, bound: string, own: ReadonlySet<string>): boolean {
  if (target === bound) return true
  // Loopback has many names; a server bound to one of them is taken to answer to all.
  const toLoopback = LOOPBACK.test(target) || UNSPECIFIED.test(target)
  if (UNSPECIFIED.test(bound)) return toLoopback || own.has(target)
  return toLoopback && LOOPBACK.test(bound)
}
