/** Killing input against the live process: it answers as promised, stays small, and good traffic is still counted. */
import { inspect } from 'node:util'
import { pause, residentBytesOf, scrapeUntil, startService, type LiveService } from '../builders/live-service.ts'
import { type Exposition } from '../builders/prometheus-text.ts'
import { createTally, type Tally } from '../builders/tally.ts'
import { spanBytes, traceBody } from './bodies.ts'
import {
  type Case,
  cases,
  FLOOD_OPERATIONS,
  FLOOD_SERVICE,
  floodOfServices,
  HOSTILE_SERVICE,
  hostileNames,
  TIMEOUT_MS
} from './cases.ts'
import { post } from './senders.ts'

const MIB = 1024 ** 2
const OPERATIONS_MAX = 500
const GOOD_SERVICE = 'well-behaved'
const GOOD_OPERATIONS = 5
const GOOD_EVERY_MS = 50
const HEALTH_EVERY_MS = 200
/** 64 MiB may be read and inflated twice over, beside everything that waits; a bomb let through would take gigabytes. */
const RESIDENT_GROWTH_MIB_MAX = 768
const HEALTH_MS_MAX = 2_000
const COUNTED_MS_MAX = 20_000

interface Watch {
  goodSent: number
  goodRefused: number
  residentPeakBytes: number
  healthWorstMs: number
  healthCaseMs: number
  sending: boolean
  watching: boolean
}

/** Honest traffic, a few requests each time, until told to stop. */
async function sendGood(service: LiveService, watch: Watch): Promise<void> {
  while (watch.sending) {
    const spans = Array.from({ length: GOOD_OPERATIONS }, (_, operation) =>
      spanBytes({ name: `good ${'abcde'.charAt(operation)}` })
    )
    const { status } = await post(service.http, traceBody(GOOD_SERVICE, spans))
    if (status === 200) watch.goodSent += spans.length
    else watch.goodRefused += 1
    await pause(GOOD_EVERY_MS)
  }
}

async function watchHealth(service: LiveService, watch: Watch): Promise<void> {
  while (watch.watching) {
    const startedMs = performance.now()
    const answer = await fetch(`http://${service.metrics}/healthz`)
    await answer.arrayBuffer()
    const answeredMs = performance.now() - startedMs
    watch.healthCaseMs = Math.max(watch.healthCaseMs, answeredMs)
    watch.healthWorstMs = Math.max(watch.healthWorstMs, answeredMs)
    if (!answer.ok) throw new Error(`/healthz answered ${answer.status}`)
    watch.residentPeakBytes = Math.max(watch.residentPeakBytes, residentBytesOf(service.pid).nowBytes)
    await pause(HEALTH_EVERY_MS)
  }
}

async function runCase({ name, run }: Case, service: LiveService, watch: Watch, tally: Tally): Promise<void> {
  const startedMs = performance.now()
  console.log(`--- ${name}`)
  watch.healthCaseMs = 0
  try {
    await run(service, tally)
  } catch (error) {
    tally.fail(name, inspect(error))
  }
  if (!service.alive()) tally.fail(name, `the process died:\n${service.output()}`)
  const { healthCaseMs, residentPeakBytes } = watch
  const facts = [
    `${Math.round(performance.now() - startedMs)} ms`,
    `/healthz at worst ${Math.round(healthCaseMs)} ms`,
    `RSS at most ${Math.round(residentPeakBytes / MIB)} MiB so far`
  ]
  console.log(`      ${facts.join(', ')}`)
}

function checkCounts(exposition: Exposition, watch: Watch, tally: Tally): void {
  const requests = (labels: Record<string, string>): number => exposition.sum('tail_requests_total', labels)
  tally.equal('good traffic is counted exactly', requests({ service_name: GOOD_SERVICE }), watch.goodSent)
  const rows = (service: string): Set<string | undefined> =>
    new Set(
      exposition.samples
        .filter(({ name, labels }) => name === 'tail_requests_total' && labels['service_name'] === service)
        .map(({ labels }) => labels['operation'])
    )
  tally.equal('the well-behaved service keeps its rows', rows(GOOD_SERVICE).size, GOOD_OPERATIONS)
  tally.equal('no two hostile names share a series', rows(HOSTILE_SERVICE).size, hostileNames.length)
  tally.equal('hostile names are counted exactly', requests({ service_name: HOSTILE_SERVICE }), hostileNames.length)
  checkRows(exposition, tally)
  const flooded = requests({ service_name: FLOOD_SERVICE }) + requests({ operation: '__other__' })
  tally.check('the flood is counted, in rows or under __other__', flooded >= FLOOD_OPERATIONS, `${flooded} requests`)
  tally.check(
    'the overflow has a counter',
    exposition.sum('tail_series_overflow_total') > 0,
    'tail_series_overflow_total is 0'
  )
  tally.check(
    'refusals have a counter',
    exposition.sum('tail_requests_refused_total') > 0,
    'tail_requests_refused_total is 0'
  )
  tally.check(
    'refused spans have a counter',
    exposition.sum('tail_spans_rejected_total') > 0,
    'tail_spans_rejected_total is 0'
  )
}

function checkRows(exposition: Exposition, tally: Tally): void {
  const all = new Set(
    exposition.samples
      .filter(({ name }) => name === 'tail_requests_total')
      .map(({ labels }) => `${labels['service_name'] ?? ''}\n${labels['operation'] ?? ''}`)
  )
  tally.check('rows are capped', all.size <= OPERATIONS_MAX + 1, `${all.size} rows`)
}

async function checkTraffic(service: LiveService, watch: Watch, tally: Tally): Promise<void> {
  const counted = (exposition: Exposition): boolean =>
    exposition.sum('tail_requests_total', { service_name: GOOD_SERVICE }) >= watch.goodSent
  checkCounts(await scrapeUntil(service, counted, { forMs: COUNTED_MS_MAX }), watch, tally)
  tally.check('good traffic is accepted', watch.goodSent > 100, `${watch.goodSent} sent, ${watch.goodRefused} refused`)
}

function checkBounds(watch: Watch, residentBefore: number, tally: Tally): void {
  const grownMib = Math.round((watch.residentPeakBytes - residentBefore) / MIB)
  tally.check(`memory stays bounded (grew by ${grownMib} MiB)`, grownMib <= RESIDENT_GROWTH_MIB_MAX, 'too much')
  const worst = Math.round(watch.healthWorstMs)
  tally.check(`/healthz always answers (${worst} ms at worst)`, worst <= HEALTH_MS_MAX, `over ${HEALTH_MS_MAX} ms`)
}

async function main(): Promise<void> {
  const tally = createTally()
  const service = await startService({
    accept: { headers_timeout: `${TIMEOUT_MS}ms`, body_timeout: `${TIMEOUT_MS}ms` },
    assemble: { quiet_time: '1s' },
    explain: { operations_max: OPERATIONS_MAX },
    expose: { zero_first: '0s' }
  })
  const watch: Watch = {
    goodSent: 0,
    goodRefused: 0,
    residentPeakBytes: 0,
    healthWorstMs: 0,
    healthCaseMs: 0,
    sending: true,
    watching: true
  }
  try {
    const residentBefore = residentBytesOf(service.pid).nowBytes
    const good = sendGood(service, watch)
    const beside = Promise.all([good, watchHealth(service, watch)]).catch((error: unknown) => {
      tally.fail('honest senders and /healthz are served throughout', inspect(error))
    })
    for (const item of cases) if (service.alive()) await runCase(item, service, watch, tally)
    watch.sending = false
    await good
    if (service.alive()) await checkTraffic(service, watch, tally)
    if (service.alive()) await runCase(floodOfServices, service, watch, tally)
    watch.watching = false
    await beside
    checkBounds(watch, residentBefore, tally)
    if (service.alive()) checkRows(await service.scrape(), tally)
    tally.equal('exit code after SIGTERM', await service.stop(), 0)
  } finally {
    watch.sending = false
    watch.watching = false
    await service.stop()
  }
  tally.close()
}

await main()
