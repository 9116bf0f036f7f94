import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createLoad } from '../test/builders/load.ts'
import {
  cpuSecondsOf,
  type LiveService,
  pause,
  residentBytesOf,
  type SettingsFile,
  startService,
  threadSecondsOf
} from '../test/builders/live-service.ts'
import { type Exposition } from '../test/builders/prometheus-text.ts'
import { LOAD_SEED, type LoadOrder, type LoadResult, type Quantiles } from './load-client.ts'
import { median } from './table.ts'

/** How a load is sent, and how much of it. */
export interface LoadPlan {
  readonly transport: LoadOrder['transport']
  readonly format: LoadOrder['format']
  readonly gzip: boolean
  readonly operations: number
  /** Threads; 1 without. */
  readonly workers?: number
  readonly warmUpSpans: number
  readonly runSpans: number
  readonly runs: number
  /** No more than this, once warmed up; without it as many as are answered. */
  readonly spansPerSecond?: number
  /** Of the load client, two requests under way on each; 4 without. */
  readonly connections?: number
  /** Beside those of every load. */
  readonly settings?: SettingsFile
  /** Where the settings turn TLS on: whom the load believes, PEM. */
  readonly authority?: string
}

/** Medians over the runs; the exact count is of everything sent, warm-up included. */
export interface LoadReport {
  /** As fast as they were answered. */
  readonly spansPerSecond: number
  /** Until nearly all of them were counted, less the time for which traces must be quiet: what can be kept up. */
  readonly countedPerSecond: number
  readonly cpuSecondsPerMillion: number
  /** Of the thread that had most to do, the main one's scrapes aside. */
  readonly busiestThreadSecondsPerMillion: number
  readonly clientCpuSecondsPerMillion: number
  readonly retries: number
  /** From when a body was to be sent to its answer. */
  readonly answeredMs: Quantiles
  /** Of that, until it was sent. */
  readonly sentLateMs: Quantiles
  readonly residentPeakBytes: number
  readonly residentBytes: number
  readonly exposition: Exposition
}

/** Short enough that every trace closes within the run, long enough that its batches meet. */
const QUIET_MS = 1_000
const CLOSED_MS_MAX = 60_000
const SCRAPE_EVERY_MS = 200
/** The very last may be held for their neighbours, for two seconds, however little there is to do. */
const NEARLY_ALL = 0.99

export const loadSettings = (operations: number): SettingsFile => ({
  assemble: { quiet_time: `${QUIET_MS}ms` },
  explain: { operations_max: Math.max(500, 2 * operations) },
  expose: { zero_first: '0s' }
})

/** See `measureTogether`. */
export async function measureUnderLoad(plan: LoadPlan): Promise<LoadReport> {
  const [report] = await measureTogether([plan])
  return report as LoadReport
}

/**
 * Starts a service for each plan, sends it the load from a process of its own, waits until every trace is closed, decomposed
 * and counted, and checks that what /metrics says is what was sent: a fast service that loses requests has no speed. The
 * runs of several plans take turns, so that a machine that becomes slower does so for all of them, and each begins when the
 * one before is counted: what one service still has to do would be paid for by the next.
 */
export async function measureTogether(plans: readonly LoadPlan[]): Promise<LoadReport[]> {
  const subjects: Subject[] = []
  try {
    for (const plan of plans) {
      const settings = { ...loadSettings(plan.operations), workers: plan.workers ?? 1, ...plan.settings }
      const service = await startService(settings)
      subjects.push({ plan, service, sentBlocks: 0, runs: [] })
    }
    for (const subject of subjects) {
      await send(subject, subject.plan.warmUpSpans)
      await untilCounted(subject, subject.plan.warmUpSpans)
    }
    const rounds = Math.max(...plans.map(({ runs }) => runs))
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) subject.runs.push(await run(subject))
    }
    return subjects.map(reportOf)
  } finally {
    await Promise.all(subjects.map(({ service }) => service.stop()))
  }
}

/** A service and what was sent to it so far. */
interface Subject {
  readonly plan: LoadPlan
  readonly service: LiveService
  sentBlocks: number
  readonly runs: Run[]
}

interface Run {
  readonly sent: LoadResult
  readonly countedSeconds: number
  readonly exposition: Exposition
  readonly cpuSeconds: number
  readonly busiestSeconds: number
}

async function run(subject: Subject): Promise<Run> {
  const { plan, service } = subject
  const cpuBefore = cpuSecondsOf(service.pid)
  const threadsBefore = threadSecondsOf(service.pid)
  const sent = await send(subject, plan.runSpans, plan.spansPerSecond)
  const sentMs = performance.now()
  const { exposition, cpuSeconds, scrapesSeconds, nearlyAllMs } = await untilCounted(subject, plan.runSpans)
  const restSeconds = (nearlyAllMs - sentMs - QUIET_MS) / 1e3
  return {
    ...{ sent, exposition, cpuSeconds: cpuSeconds - cpuBefore },
    countedSeconds: sent.seconds + Math.max(0, restSeconds),
    busiestSeconds: busiest(service.pid, threadsBefore, scrapesSeconds)
  }
}

function busiest(pid: number, before: ReadonlyMap<number, number>, scrapesSeconds: number): number {
  const spent = [...threadSecondsOf(pid)].map(([thread, seconds]) => {
    return seconds - (before.get(thread) ?? 0) - (thread === pid ? scrapesSeconds : 0)
  })
  return Math.max(...spent)
}

function reportOf({ service, runs }: Subject): LoadReport {
  const { nowBytes, peakBytes } = residentBytesOf(service.pid)
  return {
    spansPerSecond: median(runs.map(({ sent }) => sent.spans / sent.seconds)),
    countedPerSecond: median(runs.map(({ sent, countedSeconds }) => sent.spans / countedSeconds)),
    cpuSecondsPerMillion: median(runs.map(({ sent, cpuSeconds }) => (cpuSeconds / sent.spans) * 1e6)),
    busiestThreadSecondsPerMillion: median(runs.map(({ sent, busiestSeconds }) => (busiestSeconds / sent.spans) * 1e6)),
    clientCpuSecondsPerMillion: median(runs.map(({ sent }) => (sent.clientCpuSeconds / sent.spans) * 1e6)),
    retries: runs.reduce((sum, { sent }) => sum + sent.retries, 0),
    answeredMs: medians(runs.map(({ sent }) => sent.answeredMs)),
    sentLateMs: medians(runs.map(({ sent }) => sent.sentLateMs)),
    residentBytes: nowBytes,
    residentPeakBytes: peakBytes,
    exposition: (runs.at(-1) as Run).exposition
  }
}

function medians(quantiles: readonly Quantiles[]): Quantiles {
  return { p50: median(quantiles.map(({ p50 }) => p50)), p99: median(quantiles.map(({ p99 }) => p99)) }
}

async function send(subject: Subject, spans: number, spansPerSecond?: number): Promise<LoadResult> {
  const { plan, service, sentBlocks } = subject
  const blocks = Math.max(1, Math.round(spans / shapeOf(plan).spans))
  subject.sentBlocks += blocks
  return sendBlocks(service, plan, { first: sentBlocks, blocks, spansPerSecond })
}

const shapeOf = (plan: LoadPlan): ReturnType<typeof createLoad> =>
  createLoad({ format: plan.format, operations: plan.operations, seed: LOAD_SEED, startMs: 0 })

export interface SentBlocks {
  readonly first: number
  readonly blocks: number
  /** Without it as many as are answered. */
  readonly spansPerSecond?: number | undefined
}

export async function sendBlocks(
  service: LiveService,
  plan: LoadPlan,
  { first: firstBlock, blocks, spansPerSecond }: SentBlocks
): Promise<LoadResult> {
  const [host = '', port = ''] = (plan.transport === 'grpc' ? service.grpc : service.http).split(':')
  const { transport, format, gzip, operations, authority, connections } = plan
  const { spans, bodies } = shapeOf(plan)
  const order: LoadOrder = {
    ...{ transport, format, gzip, operations, firstBlock, blocks, host, port: Number(port), authority },
    ...(connections !== undefined && { connections }),
    ...(spansPerSecond !== undefined && { bodiesPerSecond: (spansPerSecond * bodies) / spans })
  }
  const client = fileURLToPath(new URL('load-client.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [client, JSON.stringify(order)])
  return JSON.parse(stdout) as LoadResult
}

interface Count {
  readonly exposition: Exposition
  /** Of the service since it began, scrapes aside: they prove the count and are no part of the load. */
  readonly cpuSeconds: number
  readonly scrapesSeconds: number
  /** When nearly all of the last load was counted. */
  readonly nearlyAllMs: number
}

/** All that was sent, of which so many spans were sent last. */
async function untilCounted({ service, plan, sentBlocks }: Subject, lastSpans: number): Promise<Count> {
  const { requests, spans } = shapeOf(plan)
  const requestsPerBlock = [...requests.values()].reduce((sum, count) => sum + count, 0)
  const expected = sentBlocks * requestsPerBlock
  const nearlyAll = expected - (1 - NEARLY_ALL) * (lastSpans / spans) * requestsPerBlock
  const endMs = performance.now() + CLOSED_MS_MAX
  let scrapesSeconds = 0
  let nearlyAllMs = Infinity
  await pause(QUIET_MS)
  for (;;) {
    await pause(SCRAPE_EVERY_MS)
    const beforeSeconds = cpuSecondsOf(service.pid)
    const cpuSeconds = beforeSeconds - scrapesSeconds
    const exposition = await service.scrape()
    scrapesSeconds += cpuSecondsOf(service.pid) - beforeSeconds
    const counted = exposition.sum('tail_requests_total')
    if (counted >= nearlyAll) nearlyAllMs = Math.min(nearlyAllMs, performance.now())
    const isDone = counted >= expected && !isForwarding(exposition)
    if (isDone || performance.now() > endMs) {
      checkExact(exposition, requests, sentBlocks)
      checkForwarded(exposition)
      return { exposition, cpuSeconds, scrapesSeconds, nearlyAllMs }
    }
  }
}

const handled = (exposition: Exposition, ...how: string[]): number =>
  how.reduce((sum, one) => sum + exposition.sum('tail_forward_handled_total', { how: one }), 0)

/** Spans wait for their trace, for others, or for a destination. */
function isForwarding(exposition: Exposition): boolean {
  const known = handled(exposition, 'enriched', 'plain', 'not_wanted')
  const isOn = exposition.sum('tail_forward_queue_max_bytes') > 0
  return isOn && (known < exposition.sum('tail_spans_received_total') || !isDelivered(exposition))
}

function isDelivered(exposition: Exposition): boolean {
  return exposition.sum('tail_forward_spans_total') >= handled(exposition, 'enriched', 'plain')
}

function checkForwarded(exposition: Exposition): void {
  const sent = exposition.sum('tail_forward_spans_total', { result: 'sent' })
  const wanted = handled(exposition, 'enriched', 'plain')
  if (exposition.sum('tail_forward_queue_max_bytes') > 0 && (sent !== wanted || isForwarding(exposition)))
    throw new Error(`${sent} spans were delivered of ${wanted} that were to be`)
}

function checkExact(exposition: Exposition, requests: ReadonlyMap<string, number>, blocks: number): void {
  const counted = new Map<string, number>()
  for (const { name, labels, value } of exposition.samples) {
    if (name !== 'tail_requests_total') continue
    const key = `${labels['service_name'] ?? ''} ${labels['operation'] ?? ''}`
    counted.set(key, (counted.get(key) ?? 0) + value)
  }
  const wrong = [...requests].filter(([key, count]) => counted.get(key) !== count * blocks)
  const first = wrong[0]
  if (first === undefined) return
  const [key, count] = first
  throw new Error(
    `${wrong.length} of ${requests.size} operations were not counted exactly: ${key} has ${counted.get(key) ?? 'no row'}, ${count * blocks} were sent`
  )
}
