/** A run of the whole shop: services up, load on, episodes of a cause, everything flushed and down. */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Binaries, buildShop } from './build.ts'
import { type CauseName, causeOf, planEpisodes, type ServiceName } from './causes.ts'
import { type Running, runProgram, startProcess } from './processes.ts'

export const levels = ['default', 'waits', 'companion'] as const
export type Level = (typeof levels)[number]

export interface ShopRun {
  readonly cause: CauseName
  readonly level: Level
  readonly seed: number
  readonly seconds: number
  /** Requests a second outside of bursts. */
  readonly rate: number
  /** Where spans and metrics go: host:port of OTLP/gRPC and OTLP/HTTP. */
  readonly endpoints: { readonly grpc: string; readonly http: string }
  /** Folder for `<service>.truth.jsonl`; without it no truth is recorded. */
  readonly truthDir?: string
  /** Also writes names and times of spans into the Go truth files. */
  readonly namedTruth?: boolean
  /** Load before the one that counts, so that code is warm and connections are made; by default none. */
  readonly warmUpSeconds?: number
  /** Hears that the warm-up is over, and everything sent of it. */
  readonly onWarm?: () => void
  /** Hears of builds, of what is left out, and of each episode. */
  readonly say?: (line: string) => void
  /** Hears of each episode when it begins. */
  readonly onEpisode?: (episode: Episode) => void
}

export interface Episode {
  readonly cause: CauseName
  readonly fromUnixNano: string
  readonly toUnixNano: string
}

/** What the customers saw; see cmd/load. */
export interface LoadReport {
  readonly sent: number
  readonly ok: number
  readonly failed: number
  readonly given_up: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
  readonly late_p99_ms: number
}

export interface ShopResult {
  readonly episodes: readonly Episode[]
  readonly services: readonly ServiceName[]
  readonly load: LoadReport
  /**
   * Milliseconds that each service was ready to run and others had the processors. No runtime sees that, so truth counts it as
   * whatever the thread was doing: a recording with more than a little of it was made on a busy machine.
   */
  readonly cpuDelayMs: Readonly<Partial<Record<ServiceName, number>>>
}

/** What the services have not yet said when the load ends: the last orders reach shipping. */
const SETTLE_MS = 500
/** Spans leave the services every half second; a companion holds them for a second or two more. */
const FLUSHED_MS = 3_000
const SECONDS_MAX = 24 * 3600
/** Truth has every scheduling event in it: a recording stays a recording. */
const TRUTH_REQUESTS_MAX = 20_000

interface Shop {
  readonly running: ReadonlyMap<ServiceName, Running>
  /** What starts after the others, stops first. */
  readonly stop: () => Promise<void>
}

const unixNanoOf = (performanceMs: number): bigint =>
  BigInt(Math.round(performance.timeOrigin * 1e3)) * 1_000n + BigInt(Math.round(performanceMs * 1e6))

/** Builds what changed, runs the shop for the given time, and returns when everything is flushed, stopped and written. */
export async function runShop(run: ShopRun): Promise<ShopResult> {
  check(run)
  const say = run.say ?? ((): void => undefined)
  const binaries = buildShop(say)
  if (run.truthDir !== undefined) mkdirSync(run.truthDir, { recursive: true })
  const shop = await startShop(run, binaries)
  let episodes: Episode[]
  let load: LoadReport
  let cpuDelayMs: ShopResult['cpuDelayMs']
  try {
    const target = `http://${addressOf(shop, 'gateway')}`
    const send = (seconds: number): Promise<string> =>
      runProgram(binaries.load, [
        ...['-target', target, '-seconds', `${seconds}`, '-rate', `${run.rate}`, '-seed', `${run.seed}`]
      ])
    if (run.warmUpSeconds !== undefined) {
      await send(run.warmUpSeconds)
      await pause(FLUSHED_MS)
    }
    run.onWarm?.()
    const [report, injected] = await Promise.all([send(run.seconds), inject(run, shop)])
    load = JSON.parse(report) as LoadReport
    episodes = injected
    await pause(SETTLE_MS)
    cpuDelayMs = Object.fromEntries([...shop.running].map(([name, service]) => [name, service.cpuDelayMs()]))
  } finally {
    await shop.stop()
  }
  if (run.truthDir !== undefined) await writeTruth(run, binaries, run.truthDir)
  return { episodes, services: [...shop.running.keys()], load, cpuDelayMs }
}

function check({ seconds, rate, truthDir, seed }: ShopRun): void {
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) throw new Error(`seconds must be above 0, at most ${SECONDS_MAX}`)
  if (!(rate > 0)) throw new Error('rate must be above 0')
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('seed must be a whole number from 0 on')
  if (truthDir !== undefined && seconds * rate > TRUTH_REQUESTS_MAX) {
    throw new Error(`truth of more than ${TRUTH_REQUESTS_MAX} requests is too much: lower seconds or rate`)
  }
}

async function startShop(run: ShopRun, binaries: Binaries): Promise<Shop> {
  const running = new Map<ServiceName, Running>()
  const stop = async (): Promise<void> => {
    const problems: unknown[] = []
    for (const service of [...running.values()].toReversed())
      await service.stop().catch((e: unknown) => problems.push(e))
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('\n'))
  }
  const start = async (name: ServiceName, binary: string, others: Readonly<Record<string, string>>): Promise<void> => {
    const environment = { ...environmentOf(run, name), ...others, ...causeOf(run.cause).environment?.[name] }
    running.set(name, await startProcess({ name, binary, environment }))
  }
  try {
    await start('shipping', binaries.shipping, {})
    await start('inventory', binaries.inventory, { SHOP_CACHE: running.get('shipping')?.cache ?? '' })
    if (binaries.pricing !== undefined) await start('pricing', binaries.pricing, {})
    const at = (name: ServiceName): string => running.get(name)?.address ?? ''
    await start('gateway', binaries.gateway, {
      SHOP_BROKER: at('shipping'),
      SHOP_INVENTORY: at('inventory'),
      SHOP_PRICING: at('pricing'),
      SHOP_TAX_ENDPOINT: `http://${run.endpoints.http}`
    })
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
  return { running, stop }
}

function environmentOf(run: ShopRun, name: ServiceName): Record<string, string> {
  const endpoint = name === 'pricing' ? run.endpoints.http : run.endpoints.grpc
  return {
    OTEL_SERVICE_NAME: name,
    OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${name}-${run.cause}-${run.seed},service.version=1.0.0`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${endpoint}`,
    OTEL_BSP_SCHEDULE_DELAY: '500',
    OTEL_BSP_MAX_QUEUE_SIZE: '65536',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
    SHOP_LEVEL: run.level,
    SHOP_SKEW_MS: String(causeOf(run.cause).skewMs?.[name] ?? 0),
    ...(run.truthDir === undefined ? {} : { SHOP_TRUTH: run.truthDir })
  }
}

function addressOf(shop: Shop, name: ServiceName): string {
  const service = shop.running.get(name)
  if (service === undefined) throw new Error(`${name} does not run`)
  return service.address
}

/** Switches the cause on as planned; services that do not run are left out, as was said when they were not built. */
async function inject(run: ShopRun, shop: Shop): Promise<Episode[]> {
  const startedMs = performance.now()
  const targets = causeOf(run.cause).switches.flatMap((name) => shop.running.get(name) ?? [])
  if (targets.length === 0 && causeOf(run.cause).switches.length > 0) {
    throw new Error(`${run.cause} needs ${causeOf(run.cause).switches.join(' and ')}, which cannot run here`)
  }
  const episodes: Episode[] = []
  for (const { atMs, lengthMs } of planEpisodes(run.cause, run)) {
    await pause(Math.max(startedMs + atMs - performance.now(), 0))
    const from = unixNanoOf(performance.now())
    await Promise.all(targets.map((target) => switchOn(target, run.cause, lengthMs)))
    const episode: Episode = {
      cause: run.cause,
      fromUnixNano: String(from),
      toUnixNano: String(from + BigInt(lengthMs) * 1_000_000n)
    }
    episodes.push(episode)
    run.onEpisode?.(episode)
  }
  return episodes
}

async function switchOn(target: Running, cause: CauseName, lengthMs: number): Promise<void> {
  const answer = await fetch(`http://${target.control}/cause/${cause}?ms=${lengthMs}`, {
    method: 'PUT',
    signal: AbortSignal.timeout(10_000)
  })
  if (answer.status !== 204) throw new Error(`${cause}: ${answer.status} ${await answer.text()}`)
}

/** The Rust services write their truth themselves; of the Go ones there is an execution trace to read. */
async function writeTruth(run: ShopRun, binaries: Binaries, folder: string): Promise<void> {
  for (const name of ['gateway', 'inventory', 'shipping'] as const) {
    const trace = join(folder, `${name}.gotrace`)
    const args = ['-trace', trace, '-out', join(folder, `${name}.truth.jsonl`)]
    args.push('-skew-ms', String(causeOf(run.cause).skewMs?.[name] ?? 0))
    const foreign = join(folder, 'tax.truth.jsonl')
    if (name === 'gateway' && existsSync(foreign)) args.push('-foreign', foreign)
    if (run.namedTruth === true) args.push('-named')
    const said = await runProgram(binaries.gotruth, args)
    run.say?.(`truth of ${name}: ${said.trim()}`)
    rmSync(trace)
  }
}
