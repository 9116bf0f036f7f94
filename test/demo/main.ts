/** `npm run demo`: the service, a shop that sends it traces, and what it says of them, beside what was done to the shop. */
import { parseArgs } from 'node:util'
import { pause, startService, type LiveService } from '../builders/live-service.ts'
import { countsOf, readBlame, readOperations } from './readings.ts'
import { createScreen } from './screen.ts'
import { type CauseName, causes, createTraffic, type Traffic } from './traffic.ts'

const HELP = `npm run demo -- [options]
  --seconds N        ends by itself after N seconds (otherwise Ctrl-C ends it)
  --rate N           requests a second (150)
  --cause-seconds N  how long each cause lasts (30)
  --config FILE      settings of the service instead of the demo's own
  --otlp-port N      port of OTLP/gRPC (a free one)
  --metrics-port N   port of /metrics and the API (a free one)`

const SHOW_EVERY_MS = 2_000
const SEND_EVERY_MS = 20
/** SDKs flush every 5 s by default; shorter makes the demo livelier. */
const EXPORT_EVERY_MS = 1_000
const QUIET_MS = 3_000
/** From sent to counted: traces of the last cause are still closing for that long. */
const SETTLE_MS = EXPORT_EVERY_MS + QUIET_MS + 1_000
const SEED = 7

interface Options {
  readonly seconds: number
  readonly rate: number
  readonly causeSeconds: number
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
    causeSeconds: number('cause-seconds', values['cause-seconds'], 30),
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
    explain: { blame_gather: '2s' }
  }

function causeAt(elapsedMs: number, options: Options): { name: CauseName; startedMs: number } {
  const names = Object.keys(causes) as CauseName[]
  const turn = Math.floor(elapsedMs / (options.causeSeconds * 1e3))
  return { name: names[turn % names.length] ?? 'queue', startedMs: turn * options.causeSeconds * 1e3 }
}

/** Sends as many requests as are due each time, so that the rate holds however late a timer is. */
function keepSending(traffic: Traffic, options: Options, startedMs: number): () => void {
  let sent = 0
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedMs
    const due = Math.floor((elapsedMs / 1e3) * options.rate)
    const { name } = causeAt(elapsedMs, options)
    // Long enough ago that even a slow request has ended by now.
    for (; sent < due; sent++) traffic.request(Date.now() - 500 + (sent % 10) * 2, name)
  }, SEND_EVERY_MS)
  return () => {
    clearInterval(timer)
  }
}

async function watch(service: LiveService, options: Options, stopped: () => boolean, startedMs: number): Promise<void> {
  const isTerminal = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  const screen = createScreen(isTerminal)
  if (isTerminal) process.stdout.write('\u001b[2J')
  let before: ReturnType<typeof countsOf> = new Map()
  let beforeOf = -1
  while (!stopped() && performance.now() - startedMs < options.seconds * 1e3) {
    const elapsedMs = performance.now() - startedMs
    const { name, startedMs: causeMs } = causeAt(elapsedMs, options)
    const exposition = await service.scrape()
    const settling = elapsedMs - causeMs < SETTLE_MS
    if (!settling && beforeOf !== causeMs) {
      before = countsOf(exposition)
      beforeOf = causeMs
    }
    screen.show({
      elapsedSeconds: elapsedMs / 1e3,
      metricsUrl: `http://${service.metrics}/metrics`,
      requestsPerSecond: options.rate,
      counted: exposition.sum('tail_requests_total'),
      cause: causes[name],
      settling,
      operations: readOperations(exposition, before),
      blame: settling ? [] : readBlame(exposition, before)
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
  let interrupted = false
  process.once('SIGINT', () => (interrupted = true))
  process.once('SIGTERM', () => (interrupted = true))
  const service = await startService(settingsOf(options))
  const traffic = createTraffic({ grpcAddress: service.grpc, exportEveryMs: EXPORT_EVERY_MS, seed: SEED })
  const startedMs = performance.now()
  const stopSending = keepSending(traffic, options, startedMs)
  try {
    await watch(service, options, () => interrupted || !service.alive(), startedMs)
    if (!service.alive()) throw new Error(`the service ended:\n${service.output()}`)
  } finally {
    stopSending()
    await traffic.shutdown()
    await service.stop()
  }
}

await main()
