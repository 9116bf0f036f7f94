/** `npm run demo`: the service, a shop that sends it traces, and what it says of them, beside what was done to the shop. */
import { parseArgs } from 'node:util'
import { startAlerting, type Alerting } from '../builders/alerting.ts'
import { pause, startService, type LiveService } from '../builders/live-service.ts'
import { countsOf, readBlame, readOperations } from './readings.ts'
import { createScreen } from './screen.ts'
import { type CauseName, causes, createTraffic, keepSending } from './traffic.ts'

const HELP = `npm run demo -- [options]
  --seconds N        ends by itself after N seconds (otherwise Ctrl-C ends it)
  --rate N           requests a second (150)
  --cause-seconds N  how long each cause lasts (30)
  --alerts           a Prometheus and an Alertmanager too, with the rules and routes of deploy/; the shop is well at
                     first, then one cause stays and hits three requests in ten (needs test/prometheus/install.sh)
  --config FILE      settings of the service instead of the demo's own
  --otlp-port N      port of OTLP/gRPC (a free one)
  --metrics-port N   port of /metrics and the API (a free one)`

const SHOW_EVERY_MS = 2_000
/** SDKs flush every 5 s by default; shorter makes the demo livelier. */
const EXPORT_EVERY_MS = 1_000
const QUIET_MS = 3_000
/** From sent to counted: traces of the last cause are still closing for that long. */
const SETTLE_MS = EXPORT_EVERY_MS + QUIET_MS + 1_000
const SEED = 7
/** With alerts: an incident instead of a tail, after a time in which everything is as it should be. */
const INCIDENT_SHARE = 0.3
const HEALTHY_MS = 20_000
const SCRAPE_EVERY_MS = 5_000
const budgets = [{ service: 'gateway', operation: 'GET *', p99: '60ms' }]

interface Options {
  readonly seconds: number
  readonly rate: number
  readonly causeSeconds: number
  readonly alerts: boolean
  readonly config: string | undefined
  readonly otlpPort: number
  readonly metricsPort: number
}

function readOptions(): Options | undefined {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      seconds: text,
      rate: text,
      'cause-seconds': text,
      alerts: { type: 'boolean' },
      config: text,
      'otlp-port': text,
      'metrics-port': text,
      help: { type: 'boolean' }
    }
  })
  if (values.help === true) return undefined
  const number = (name: string, given: string | undefined, fallback: number): number => {
    const value = given === undefined ? fallback : Number(given)
    if (Number.isNaN(value) || value < 0) throw new Error(`--${name} takes a number, got ${given ?? ''}`)
    return value
  }
  return {
    seconds: number('seconds', values.seconds, Infinity),
    rate: number('rate', values.rate, 150),
    causeSeconds: number('cause-seconds', values['cause-seconds'], values.alerts === true ? Infinity : 30),
    alerts: values.alerts === true,
    config: values.config,
    otlpPort: number('otlp-port', values['otlp-port'], 0),
    metricsPort: number('metrics-port', values['metrics-port'], 0)
  }
}

const settingsOf = (options: Options): Parameters<typeof startService>[0] =>
  options.config ?? {
    accept: { grpc_port: options.otlpPort },
    assemble: { quiet_time: `${QUIET_MS}ms` },
    expose: { port: options.metricsPort, zero_first: '0s' },
    explain: { blame_gather: '2s' },
    ...(options.alerts && { budgets })
  }

/** What breaks the shop now, and since when; nothing before that. */
function causeAt(elapsedMs: number, options: Options): { name: CauseName; startedMs: number; acts: boolean } {
  const names = Object.keys(causes) as CauseName[]
  const firstMs = options.alerts ? HEALTHY_MS : 0
  const turn = Math.max(0, Math.floor((elapsedMs - firstMs) / (options.causeSeconds * 1e3)))
  const startedMs = firstMs + (turn === 0 ? 0 : turn * options.causeSeconds * 1e3)
  return { name: names[turn % names.length] ?? 'queue', startedMs, acts: elapsedMs >= startedMs }
}

interface Watched {
  readonly service: LiveService
  readonly alerting: Alerting | undefined
}

async function watch(
  { service, alerting }: Watched,
  options: Options,
  stopped: () => boolean,
  startedMs: number
): Promise<void> {
  const isTerminal = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  const screen = createScreen(isTerminal)
  if (isTerminal) process.stdout.write('\u001b[2J')
  let before: ReturnType<typeof countsOf> = new Map()
  let beforeOf = -1
  while (!stopped() && performance.now() - startedMs < options.seconds * 1e3) {
    const elapsedMs = performance.now() - startedMs
    const { name, startedMs: causeMs, acts } = causeAt(elapsedMs, options)
    const exposition = await service.scrape()
    const settling = acts && elapsedMs - causeMs < SETTLE_MS
    if (!settling && beforeOf !== causeMs) {
      before = countsOf(exposition)
      beforeOf = causeMs
    }
    screen.show({
      elapsedSeconds: elapsedMs / 1e3,
      metricsUrl: `http://${service.metrics}/metrics`,
      requestsPerSecond: options.rate,
      counted: exposition.sum('tail_requests_total'),
      cause: acts ? causes[name] : undefined,
      settling,
      operations: readOperations(exposition, before),
      blame: settling ? [] : readBlame(exposition, before),
      ...(alerting !== undefined && {
        alerting: {
          urls: [alerting.prometheus, alerting.alertmanager].map(({ address }) => `http://${address}`),
          alerts: await alerting.alertmanager.alerts()
        }
      })
    })
    await pause(SHOW_EVERY_MS)
  }
}

async function main(): Promise<void> {
  const options = readOptions()
  if (options === undefined) {
    console.log(HELP)
    return
  }
  const interrupt = new AbortController()
  const { signal } = interrupt
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      interrupt.abort()
    })
  }
  const service = await startService(settingsOf(options))
  const alerting = options.alerts
    ? await startAlerting({ target: service.metrics, windowScale: 1, everyMs: SCRAPE_EVERY_MS }).catch(
        async (reason: unknown) => {
          await service.stop()
          throw reason
        }
      )
    : undefined
  const traffic = createTraffic({
    grpcAddress: service.grpc,
    exportEveryMs: EXPORT_EVERY_MS,
    seed: SEED,
    ...(options.alerts && { hitShare: INCIDENT_SHARE })
  })
  const startedMs = performance.now()
  const stopSending = keepSending(traffic, options.rate, () => {
    const { name, acts } = causeAt(performance.now() - startedMs, options)
    return acts ? name : undefined
  })
  try {
    await watch({ service, alerting }, options, () => signal.aborted || !service.alive(), startedMs)
    if (!signal.aborted && !service.alive()) throw new Error(`the service ended:\n${service.output()}`)
  } finally {
    stopSending()
    await traffic.shutdown().catch((reason: unknown) => {
      // Ctrl-C ends the service as well, and it may be gone before its last spans come.
      if (!signal.aborted) throw reason
    })
    await alerting?.stop()
    await service.stop()
  }
}

await main()
