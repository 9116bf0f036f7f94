/** `npm run shop -- <cause>`: a Tailspan, real services that send it spans, and what it finds beside what was injected. */
import { readOperations } from '../../test/demo/readings.ts'
import { pause, startService, type LiveService } from '../../test/builders/live-service.ts'
import { HELP, type Options, readArguments } from './arguments.ts'
import { type Cause, causeOf, type Truth } from './causes.ts'
import { findInAnalysis, type Finding, findOnMetrics, type Findings, isRight, PURCHASE } from './findings.ts'
import { type Relay, startRelay } from './relay.ts'
import { type Episode, type LoadReport, runShop } from './shop.ts'

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
const sinceStart = new Map<string, number>()

async function main(options: Options): Promise<void> {
  const service = await startService({
    assemble: { quiet_time: `${QUIET_MS}ms` },
    expose: { zero_first: '0s' },
    explain: { blame_gather: '2s' }
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
    const [{ load }] = await Promise.all([running, watch(service, options, () => over, startedMs)])
    await pause(SETTLE_MS)
    console.log(`\n=== after ${episodes} episodes`)
    await show(service, options, startedMs)
    sayLoad(load)
    await sayVerdict(service, options, relay)
  } finally {
    await relay?.close()
    await service.stop()
  }
}

const secondsSince = (startedMs: number): string =>
  `${((performance.now() - startedMs) / 1e3).toFixed(1).padStart(6)} s`

async function watch(service: LiveService, options: Options, over: () => boolean, startedMs: number): Promise<void> {
  let shownMs = performance.now()
  while (!over()) {
    await pause(100)
    if (performance.now() - shownMs < SHOW_EVERY_MS) continue
    await show(service, options, startedMs)
    shownMs = performance.now()
  }
}

/** Since the start: a cause that hits three requests in a hundred makes a tail only over many seconds. */
async function show(service: LiveService, { cause }: Options, startedMs: number): Promise<void> {
  const exposition = await service.scrape()
  console.log(`${secondsSince(startedMs)}   ${exposition.sum('tail_requests_total')} requests counted`)
  console.log(`  found      ${inWords(findOnMetrics(exposition, askedOf(cause)), causeOf(cause))}`)
  for (const reading of readOperations(exposition, sinceStart)) {
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
}

/** The line that a run is for: what was injected, what /metrics says, and what `analyze` says of the same traffic. */
async function sayVerdict(service: LiveService, { cause }: Options, relay: Relay | undefined): Promise<void> {
  const { truth, title } = causeOf(cause)
  const asked = askedOf(cause)
  console.log(`\ninjected   ${truth === undefined ? title : `${truth.service}: ${truth.phase}  (${title})`}`)
  console.log(`/metrics   ${inWords(findOnMetrics(await service.scrape(), asked), causeOf(cause))}`)
  if (relay === undefined)
    console.log(`analyze    not asked: that is for runs of up to ${ANALYZED_REQUESTS_MAX} requests`)
  else console.log(`analyze    ${inWords(findInAnalysis(await relay.analyze(), asked), causeOf(cause))}`)
}

/** Whose own tail is looked at. */
const askedOf = (cause: Options['cause']): string => causeOf(cause).truth?.service ?? PURCHASE.service

function inWords({ whole, local }: Findings, { truth, path = truth }: Cause): string {
  const judged = (finding: Finding, name: string, expected: Truth | undefined): string => {
    const verdict = expected === undefined ? '' : isRight(finding, expected) ? ', right' : ', WRONG'
    return `${name} (${percent(finding.share)}${verdict})`
  }
  const slow = whole && `purchases are slow because of ${judged(whole, `${whole.service}: ${whole.phase}`, path)}`
  const own = truth && local && `the tail of ${truth.service} itself is ${judged(local, local.phase, truth)}`
  return [slow, own].filter((part) => part !== undefined).join('; ') || 'no tail yet'
}

function sayLoad(load: LoadReport): void {
  console.log(
    `customers  ${load.sent} requests, ${load.failed} failed, ${load.given_up} given up; from when each was due: ` +
      `p50 ${load.p50_ms.toFixed(1)} ms, p99 ${load.p99_ms.toFixed(1)} ms, max ${load.max_ms.toFixed(1)} ms`
  )
}

const percent = (share: number): string => `${Math.round(share * 100)} %`
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
