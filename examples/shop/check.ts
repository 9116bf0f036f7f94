/**
 * `node examples/shop/check.ts [cause...] [--seconds N] [--rate N] [--seed N] [--level L]`: makes each cause happen and prints what
 * the truth files say: per service, what a purchase had more when it was among the slowest 1 % there, than one of the faster half.
 * Fails where that is not what was meant.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PhaseName, phases } from '../../src/model/phases.ts'
import { startService } from '../../test/builders/live-service.ts'
import { type Options, readArguments } from './arguments.ts'
import { causeNames, causeOf, type CauseName, isCauseName } from './causes.ts'
import { runShop, type ShopResult } from './shop.ts'

const ROOT_NAME = 'GET /buy/{item}'
const SERVER_KIND = 2
const SHOWN_SHARE = 0.05
const SHOWN_MS = 0.05
/** Of what the meant service had more in the tail, the meant phase is at least so much. */
const MEANT_SHARE_MIN = 0.4

type Times = Record<PhaseName, number>

interface TruthLine {
  readonly trace_id: string
  readonly name?: string
  readonly kind?: number
  readonly start?: string
  readonly end?: string
  readonly self?: Times
}

interface Root {
  readonly traceId: string
  readonly durationNs: number
}

const noTimes = (): Times => Object.fromEntries(phases.map((phase) => [phase, 0])) as Times

function readLines(folder: string, service: string): TruthLine[] {
  const text = readFileSync(join(folder, `${service}.truth.jsonl`), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TruthLine)
    .filter(({ self }) => self !== undefined)
}

function readRoots(lines: readonly TruthLine[]): Root[] {
  return lines
    .filter(({ name, kind }) => name === ROOT_NAME && kind === SERVER_KIND)
    .map(({ trace_id: traceId, start = '0', end = '0' }) => ({
      traceId,
      durationNs: Number(BigInt(end) - BigInt(start))
    }))
    .toSorted((a, b) => a.durationNs - b.durationNs)
}

/** Milliseconds of each phase that the service's spans had in each purchase, the fastest purchase first. */
function timesByTrace(lines: readonly TruthLine[], purchases: ReadonlySet<string>): Times[] {
  const byTrace = new Map<string, Times>()
  for (const { trace_id: traceId, self } of lines) {
    if (self === undefined || !purchases.has(traceId)) continue
    const times = byTrace.get(traceId) ?? noTimes()
    for (const phase of phases) times[phase] += self[phase] / 1e6
    byTrace.set(traceId, times)
  }
  return [...byTrace.values()].toSorted((a, b) => total(a) - total(b))
}

const total = (times: Times): number => phases.reduce((sum, phase) => sum + times[phase], 0)

function mean(times: readonly Times[], phase: PhaseName): number {
  return times.reduce((sum, one) => sum + one[phase], 0) / Math.max(times.length, 1)
}

interface Excess {
  readonly phase: PhaseName
  readonly ms: number
  /** Of all that the service's spans had more, 0 to 1. */
  readonly share: number
}

/** What a purchase had more in this service when it was among the slowest 1 % there, than one of the faster half; largest first. */
function excessOf(lines: readonly TruthLine[], purchases: ReadonlySet<string>): Excess[] {
  const times = timesByTrace(lines, purchases)
  const body = times.slice(0, Math.floor(times.length / 2))
  const tail = times.slice(Math.floor(times.length * 0.99))
  const excess = phases
    .map((phase) => ({ phase, ms: mean(tail, phase) - mean(body, phase) }))
    .filter(({ ms }) => ms > 0)
    .toSorted((a, b) => b.ms - a.ms)
  const sum = excess.reduce((all, { ms }) => all + ms, 0)
  return excess.map(({ phase, ms }) => ({ phase, ms, share: ms / sum }))
}

/** Prints a cause, and returns whether the truth files show it. */
function report(cause: CauseName, result: ShopResult, folder: string): boolean {
  const roots = readRoots(readLines(folder, 'gateway'))
  const purchases = new Set(roots.map(({ traceId }) => traceId))
  const { truth } = causeOf(cause)
  const withTax = existsSync(join(folder, 'tax.truth.jsonl')) ? ['tax'] : []
  const services = [...result.services, ...withTax].map((service) => ({
    service,
    excess: excessOf(readLines(folder, service), purchases)
  }))
  const meant = services
    .find(({ service }) => service === truth?.service)
    ?.excess.find(({ phase }) => phase === truth?.phase)
  const isShown = truth === undefined || (meant?.share ?? 0) >= MEANT_SHARE_MIN
  const ms = (quantile: number): string =>
    ((roots[Math.floor(quantile * (roots.length - 1))]?.durationNs ?? 0) / 1e6).toFixed(1)
  const delayMs = Object.values(result.cpuDelayMs).reduce((sum, one) => sum + one, 0)
  const said = truth === undefined ? 'no cause' : `${truth.service}: ${truth.phase} ${percent(meant?.share ?? 0)}`
  console.log(
    `${cause}: ${said}${isShown ? '' : ' (TOO LITTLE)'}; ${roots.length} purchases, ${result.episodes.length} episodes, ` +
      `${result.load.failed} failed, p50 ${ms(0.5)} ms, p99 ${ms(0.99)} ms; ` +
      `the kernel kept the services waiting for ${delayMs} ms`
  )
  for (const { service, excess } of services) {
    const shown = excess.filter(({ ms: more, share }) => share > SHOWN_SHARE && more > SHOWN_MS)
    const text = shown.map((one) => `${one.phase} +${one.ms.toFixed(1)} ms`).join(', ')
    console.log(`  ${service.padEnd(10)} ${text}`)
  }
  return isShown
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

async function check(cause: CauseName, options: Omit<Options, 'causes'>): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'shop-truth-'))
  const service = await startService({})
  try {
    const { grpc, http } = service
    const result = await runShop({ ...options, cause, endpoints: { grpc, http }, truthDir: folder, namedTruth: true })
    return report(cause, result, folder)
  } catch (error) {
    // The other causes are worth a look all the same.
    console.log(`${cause}: ${error instanceof Error ? error.message : String(error)}`)
    return false
  } finally {
    await service.stop()
    rmSync(folder, { recursive: true })
  }
}

const args = process.argv.slice(2)
const named = args.filter(isCauseName)
const rest = args.filter((argument) => !isCauseName(argument))
const options = readArguments(['all', ...rest])
if (options === undefined) console.log('node examples/shop/check.ts [cause...], and the options of npm run shop')
else {
  let passed = 0
  const wanted = named.length > 0 ? named : causeNames
  for (const cause of wanted) if (await check(cause, options)) passed++
  console.log(`${passed} passed, ${wanted.length - passed} failed`)
  if (passed < wanted.length) process.exitCode = 1
}
