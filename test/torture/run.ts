/**
 * What strangers, storms and failures do to the live service: every scenario in scenarios/, one after the other, each against
 * a process of its own. `--short` is the form for every change, `--only WORDS` runs those whose name has the words,
 * `--minutes N` holds the long loads that long; the whole, or `--table`, writes RESULTS.md.
 */
import { readdirSync } from 'node:fs'
import { inspect, parseArgs } from 'node:util'
import { pause } from '../builders/live-service.ts'
import { createTally, type Tally } from '../builders/tally.ts'
import { makeBed, type MadeBed } from './bed.ts'
import { sendHonest, startHonestSender } from './honest.ts'
import { judgeLedger, summaryOf } from './ledger.ts'
import { writeResults, type Row } from './results.ts'
import { type Form, type Limits, limitsOf, type Scenario } from './scenario.ts'
import { type Vitals } from './vitals.ts'

const READY_EVERY_MS = 100
const MIB = 1024 ** 2
const scenariosFolder = new URL('scenarios/', import.meta.url)

async function readScenarios(): Promise<Scenario[]> {
  const files = readdirSync(scenariosFolder).filter((file) => file.endsWith('.ts'))
  const modules = await Promise.all(
    files.sort().map((file) => import(new URL(file, scenariosFolder).href) as Promise<{ scenario: Scenario }>)
  )
  return modules.map(({ scenario }) => scenario)
}

/** Throws it, waits until all is as before, and judges; gives the line of the table. */
async function runScenario(scenario: Scenario, form: Form, tally: Tally): Promise<Row> {
  const startedMs = performance.now()
  console.log(`--- ${scenario.name}: ${scenario.thrown}`)
  const limits = limitsOf(scenario, form.short)
  const before = tally.counts()
  const happened: string[] = []
  let bed: MadeBed | undefined
  try {
    bed = await makeBed(scenario, form, tally)
    const honest = startHonestSender(bed)
    bed.defer(honest.stop)
    const facts = await scenario.run(bed)
    const readyMs = await untilReady(bed, limits)
    await honest.stop()
    happened.push(scenario.happened(facts))
    scenario.judge(facts, tally)
    if (bed.service.alive()) await judgeBed(bed, { limits, readyMs, tally, happened })
    else tally.fail('the process lives', bed.service.output())
    tally.equal('exit code after SIGTERM', await bed.close(), 0)
  } catch (error) {
    tally.fail(scenario.name, `${inspect(error)}\n${bed?.service.output().slice(-4_000) ?? ''}`)
    await bed?.close().catch(() => undefined)
  }
  const after = tally.counts()
  const tookMs = performance.now() - startedMs
  const text = happened.filter((part) => part !== '').join('; ')
  console.log(`      ${text} (${Math.round(tookMs)} ms)`)
  return {
    name: scenario.name,
    thrown: scenario.thrown,
    happened: text,
    passed: after.passed - before.passed,
    failed: after.failed - before.failed,
    tookMs
  }
}

interface Judged {
  readonly limits: Limits
  readonly readyMs: number
  readonly tally: Tally
  readonly happened: string[]
}

/** What must hold of every scenario. */
async function judgeBed(bed: MadeBed, { limits, readyMs, tally, happened }: Judged): Promise<void> {
  tally.check(
    `ready again after ${Math.round(readyMs)} ms`,
    readyMs <= limits.readyMsMax,
    `over ${limits.readyMsMax} ms`
  )
  if (!limits.countersRestart) {
    judgeLedger(await bed.settled(), bed.ledger, tally, limits.countedTogether)
  }
  const vitals = await bed.vitals()
  judgeVitals(vitals, limits, tally)
  const { health, metrics, residentPeakBytes, residentFirstBytes } = vitals
  happened.push(
    summaryOf(bed.ledger),
    `RSS ${mib(residentFirstBytes)} to at most ${mib(residentPeakBytes)} MiB`,
    `/metrics p99 ${Math.round(metrics.p99Ms)} ms of ${metrics.answered}, /healthz at worst ${Math.round(health.worstMs)} ms`,
    `ready after ${(readyMs / 1000).toFixed(1)} s`
  )
}

function judgeVitals(vitals: Vitals, limits: Limits, tally: Tally): void {
  const { health, metrics, residentPeakBytes, residentFirstBytes, ownDelayMs } = vitals
  const grown = mib(residentPeakBytes - residentFirstBytes)
  tally.check(`memory grew by ${grown} MiB`, grown <= limits.grownMibMax, `over ${limits.grownMibMax} MiB`)
  const resident = mib(residentPeakBytes)
  tally.check(`RSS of ${resident} MiB`, resident <= limits.residentMibMax, `over ${limits.residentMibMax} MiB`)
  if (limits.mayBeDown) return
  const own = `; the watcher itself was late by up to ${Math.round(ownDelayMs)} ms`
  const worst = Math.round(health.worstMs)
  tally.check(
    `/healthz answered all of ${health.answered}, at worst in ${worst} ms`,
    health.failed === 0 && worst <= limits.healthMsMax,
    `${health.failed} failed, limit ${limits.healthMsMax} ms${own}`
  )
  const p99 = Math.round(metrics.p99Ms)
  const failedShare = metrics.failed / (metrics.failed + metrics.answered)
  tally.check(
    `/metrics answered ${metrics.answered}, p99 ${p99} ms`,
    failedShare <= limits.metricsFailedShareMax && p99 <= limits.metricsP99MsMax,
    `${metrics.failed} failed, limit ${limits.metricsP99MsMax} ms${own}`
  )
}

/** Until /readyz, a scrape and an honest sender are served again; gives the ms that took, Infinity if it never came to that. */
async function untilReady(bed: MadeBed, limits: Limits): Promise<number> {
  const startedMs = performance.now()
  while (performance.now() - startedMs < 2 * limits.readyMsMax && bed.service.alive()) {
    if ((await isReady(bed.service.metrics)) && (await sendHonest(bed))) return performance.now() - startedMs
    await pause(READY_EVERY_MS)
  }
  return Infinity
}

async function isReady(metrics: string): Promise<boolean> {
  try {
    for (const path of ['/readyz', '/metrics']) {
      const answer = await fetch(`http://${metrics}${path}`, { signal: AbortSignal.timeout(1_000) })
      await answer.arrayBuffer()
      if (!answer.ok) return false
    }
    return true
  } catch {
    return false
  }
}

const mib = (bytes: number): number => Math.round(bytes / MIB)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean' },
      only: { type: 'string' },
      minutes: { type: 'string' },
      table: { type: 'boolean' }
    }
  })
  const { short = false, only, table = !short && only === undefined } = values
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
  if (minutes !== undefined && !(minutes > 0)) throw new RangeError('--minutes wants a number above 0')
  const tally = createTally()
  const rows: Row[] = []
  for (const scenario of await readScenarios()) {
    if ((short && scenario.longOnly === true) || (only !== undefined && !scenario.name.includes(only))) continue
    rows.push(await runScenario(scenario, { short, minutes }, tally))
  }
  if (table) writeResults(rows, short ? 'short form' : 'whole form')
  tally.close()
}

await main()
