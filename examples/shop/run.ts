/** `npm run shop -- <cause>`: a Tailspan, real services that send it spans, and what it finds beside what was injected. */
import { join } from 'node:path'
import { readOperations } from '../../test/demo/readings.ts'
import { pause, startService, type LiveService } from '../../test/builders/live-service.ts'
import { type Exposition, increase } from '../../test/builders/prometheus-text.ts'
import { HELP, type Options, readArguments } from './arguments.ts'
import { type CauseName, causeOf } from './causes.ts'
import { findInAnalysis, findOnMetrics, PURCHASE } from './findings.ts'
import { type Relay, startRelay } from './relay.ts'
import { type Episode, type LoadReport, runShop } from './shop.ts'
import { inWords, isWrong, table, type Verdict } from './verdict.ts'

export { runShop } from './shop.ts'
export type { Episode, Level, LoadReport, ShopResult, ShopRun } from './shop.ts'

const SHOW_EVERY_MS = 5_000
const QUIET_MS = 2_000
/** Traces with something unusually long wait for their neighbours (decompose.inference.wait). */
const NEIGHBOURS_MS = 5_000
/** After the load: spans are exported, traces close, and are counted. */
const SETTLE_MS = QUIET_MS + NEIGHBOURS_MS + 3_000
/** Beyond it `analyze` would print more than one string of ours holds. */
const ANALYZED_REQUESTS_MAX = 20_000
const PHASES_SHOWN = 3
/** What runs cold is slow, and not because of the cause. */
const WARM_UP_SECONDS = 5
/**
 * Thresholds of the tail follow the last 20 s here, not the last ten minutes, and what is said is of the time after the first
 * 35 s, as a dashboard shows a range: until then a new service has neither seen what is usual nor found the queues.
 */
const WINDOW = '20s'
const LEARN_SECONDS = 35

/** A run of one cause. */
interface Run extends Omit<Options, 'causes'> {
  readonly cause: CauseName
}

async function main({ causes, truthDir, ...options }: Options): Promise<void> {
  const verdicts: Verdict[] = []
  for (const cause of causes) {
    const folder = causes.length > 1 && truthDir !== undefined ? join(truthDir, cause) : truthDir
    verdicts.push(await watchCause({ ...options, cause, ...(folder === undefined ? {} : { truthDir: folder }) }))
  }
  if (causes.length > 1) console.log(`\n${table(verdicts)}`)
  if (verdicts.some(isWrong)) process.exitCode = 1
}

async function watchCause(options: Run): Promise<Verdict> {
  const service = await startService({
    assemble: { quiet_time: `${QUIET_MS}ms` },
    expose: { zero_first: '0s' },
    explain: { blame_gather: '2s', window: WINDOW }
  })
  console.log(`Tailspan   http://${service.metrics}/metrics`)
  console.log(`injected   ${options.cause}: ${causeOf(options.cause).title}`)
  const truth = causeOf(options.cause).truth
  console.log(`expected   ${truth === undefined ? 'no cause in particular' : `${truth.service}: ${truth.phase}`}\n`)
  console.log(`warming up for ${WARM_UP_SECONDS} s`)
  const startedMs = performance.now()
  let episodes = 0
  const onEpisode = (episode: Episode): void => {
    episodes++
    const ms = Number((BigInt(episode.toUnixNano) - BigInt(episode.fromUnixNano)) / 1_000_000n)
    console.log(`${secondsSince(startedMs)}   ${options.cause} is on for ${ms} ms`)
  }
  let over = false
  const relay = options.seconds * options.rate <= ANALYZED_REQUESTS_MAX ? await startRelay(service.http) : undefined
  const endpoints = relay?.endpoints ?? { grpc: service.grpc, http: service.http }
  const warmth = { warmUpSeconds: WARM_UP_SECONDS, onWarm: () => relay?.keepFromNow() }
  const running = runShop({ ...options, ...warmth, endpoints, say: console.log, onEpisode }).finally(() => {
    over = true
  })
  try {
    const [{ load }, learned] = await Promise.all([running, watch(service, options, () => over, startedMs)])
    await pause(SETTLE_MS)
    console.log(`\n=== after ${episodes} episodes`)
    const exposition = await show(service, options, startedMs, learned)
    sayLoad(load)
    const verdict = await judge(exposition, options, relay)
    sayVerdict(verdict)
    return verdict
  } finally {
    await relay?.close()
    await service.stop()
  }
}

const secondsSince = (startedMs: number): string =>
  `${((performance.now() - startedMs) / 1e3).toFixed(1).padStart(6)} s`

/** Shows what is found while the load lasts; gives what /metrics said once the service had learned, if it came so far. */
async function watch(
  service: LiveService,
  options: Run,
  over: () => boolean,
  startedMs: number
): Promise<Exposition | undefined> {
  let shownMs = performance.now()
  let learned: Exposition | undefined
  while (!over()) {
    await pause(100)
    if (performance.now() - shownMs < SHOW_EVERY_MS) continue
    shownMs = performance.now()
    await show(service, options, startedMs, learned)
    if (learned !== undefined || shownMs - startedMs < (WARM_UP_SECONDS + LEARN_SECONDS) * 1e3) continue
    learned = await service.scrape()
    console.log(`${secondsSince(startedMs)}   learned; from here on, what is found is of the time after it`)
  }
  return learned
}

async function show(
  service: LiveService,
  { cause }: Run,
  startedMs: number,
  learned: Exposition | undefined
): Promise<Exposition> {
  const now = await service.scrape()
  const exposition = learned === undefined ? now : increase(now, learned)
  console.log(`${secondsSince(startedMs)}   ${exposition.sum('tail_requests_total')} requests counted`)
  console.log(`  found      ${inWords(findOnMetrics(exposition, askedOf(cause)), causeOf(cause))}`)
  for (const reading of readOperations(exposition, new Map())) {
    if (reading.tailRequests === 0) continue
    const excess = reading.excess
      .filter(({ seconds }) => seconds > 0)
      .slice(0, PHASES_SHOWN)
      .map(({ phase, seconds }) => `${phase} +${milliseconds(seconds)}`)
    const name = `${reading.service} ${reading.operation}`.padEnd(36)
    console.log(
      `  ${name} p50 ${milliseconds(reading.p50Seconds)}  p99 ${milliseconds(reading.p99Seconds)}  tail: ${excess.join(', ')}`
    )
  }
  return exposition
}

/** What a run is for: what /metrics says of what was injected, and what `analyze` says of the same traffic. */
async function judge(exposition: Exposition, { cause }: Run, relay: Relay | undefined): Promise<Verdict> {
  const asked = askedOf(cause)
  return {
    cause,
    metrics: findOnMetrics(exposition, asked),
    analysis: relay === undefined ? undefined : findInAnalysis(await relay.analyze(), asked)
  }
}

function sayVerdict({ cause, metrics, analysis }: Verdict): void {
  const { truth, title } = causeOf(cause)
  console.log(`\ninjected   ${truth === undefined ? title : `${truth.service}: ${truth.phase}  (${title})`}`)
  console.log(`/metrics   ${inWords(metrics, causeOf(cause))}`)
  if (analysis === undefined)
    console.log(`analyze    not asked: that is for runs of up to ${ANALYZED_REQUESTS_MAX} requests`)
  else console.log(`analyze    ${inWords(analysis, causeOf(cause))}`)
}

/** Whose own tail is looked at. */
const askedOf = (cause: CauseName): string => causeOf(cause).truth?.service ?? PURCHASE.service

function sayLoad(load: LoadReport): void {
  console.log(
    `customers  ${load.sent} requests, ${load.failed} failed, ${load.given_up} given up; from when each was due: ` +
      `p50 ${load.p50_ms.toFixed(1)} ms, p99 ${load.p99_ms.toFixed(1)} ms, max ${load.max_ms.toFixed(1)} ms`
  )
}

const milliseconds = (seconds: number): string => `${(seconds * 1e3).toFixed(1)} ms`

if (import.meta.main) {
  try {
    const options = readArguments(process.argv.slice(2))
    if (options === undefined) console.log(HELP)
    else await main(options)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
