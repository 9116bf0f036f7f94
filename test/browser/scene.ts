import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { pause, startService, type LiveService } from '../builders/live-service.ts'
import { createExporter, type SpanDraft, type TraceExporter } from './draw-trace.ts'
import { writeYesterday } from './yesterday.ts'
import { createShop, senderOf } from './shop.ts'

/** Traces are counted soon after they were sent; a minute of traffic is sent at once. */
const SETTINGS = {
  assemble: { quiet_time: '300ms' },
  decompose: { inference: { wait: '1s' } },
  explain: { blame_gather: '1s', operations_max: 600 },
  expose: { zero_first: '0s' },
  budgets: [
    { service: 'gateway', operation: 'POST /buy', p95: '60ms', p99: '120ms', phases: { queue_wait: { p99: '20ms' } } },
    { service: 'gateway', p99: '250ms' },
    { service: 'service-1', operation: 'GET /resources/r1', p50: '30ms', p99: '30ms' }
  ]
}
const SETTLE_MS_MAX = 60_000
/** Traces with something stretched wait that long for their neighbours, and are counted at the next tick. */
const HELD_MS = 1_200
/** What was learned counts from the next publication on. */
const PUBLISHED_MS = 10_500

/** A running service, something that sends it spans, and what is asked of it. */
export interface Scene {
  readonly service: LiveService
  readonly url: (hash?: string) => string
  readonly exporter: TraceExporter
  /** Waits until every trace that was sent is counted. */
  readonly settle: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** A service that was there yesterday: it begins with a day of history of the shop's gateway. */
export async function startScene(): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
  await writeYesterday(folder, Date.now())
  const service = await startService({ ...SETTINGS, data_directory: folder })
  const exporter = createExporter(service.http, senderOf)
  return {
    service,
    url: (hash = '') => `http://${service.metrics}/${hash}`,
    exporter,
    async settle() {
      await exporter.flush()
      await until('the traces are closed', async () => {
        const exposition = await service.scrape()
        return exposition.sum('tail_traces_closed_total') >= exporter.sentTraces()
      })
      await pause(HELD_MS)
    },
    async stop() {
      await service.stop()
      rmSync(folder, { recursive: true })
    }
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + SETTLE_MS_MAX
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${SETTLE_MS_MAX} ms`)
    await pause(250)
  }
}

const FIRST_REQUESTS = 1_800
const SHOP_REQUESTS = 6_000

/** The shop's traffic: enough for thresholds, a pause until bodies are known, then the rest. */
export async function sendShop({ exporter, settle }: Scene, seed: number): Promise<void> {
  const shop = createShop(seed)
  for (let i = 0; i < FIRST_REQUESTS; i++) await exporter.send(shop.request(), Date.now() - 2_000)
  await settle()
  await pause(PUBLISHED_MS)
  for (let i = FIRST_REQUESTS; i < SHOP_REQUESTS; i++) await exporter.send(shop.request(), Date.now() - 2_000)
  await settle()
  await pause(1_500)
}

/** Operations by number, each with a tail: single spans, so that many are cheap. */
export async function sendOperations({ exporter, settle }: Scene, operations: number, requests: number): Promise<void> {
  for (let request = 0; request < requests; request++) {
    for (let i = 0; i < operations; i++) {
      const slow = request > requests - 4
      await exporter.send(
        {
          service: `service-${i % 40}`,
          name: `GET /r${'abcdefghijklmnopqrstuvwxyz'[i % 26] ?? ''}/${i}`,
          kind: 'server',
          atMs: 0,
          ms: 2 + ((request * 7 + i) % 13) + (slow ? 40 + (i % 90) : 0),
          attributes: {
            'http.request.method': 'GET',
            'http.route': `/resources/r${i}`,
            'tailspan.queue_wait_ns': slow ? (38 + (i % 90)) * 1e6 : 1e5
          }
        },
        Date.now() - 1_000
      )
    }
    if (request === requests - 5) await settle()
  }
  await settle()
}

/** A trace as wide as it is deep: `wide` calls, each a chain of `deep` spans. Its own operation, so that it is kept. */
export async function sendGiant({ exporter, settle, url }: Scene, wide: number, deep: number): Promise<string> {
  const chain = (left: number, atMs: number, ms: number): SpanDraft => ({
    service: `part-${left % 7}`,
    name: `step ${left}`,
    kind: left % 3 === 0 ? 'client' : left % 3 === 2 ? 'server' : 'internal',
    atMs,
    ms,
    children: left <= 1 ? [] : [chain(left - 1, ms * 0.004, ms * 0.99)]
  })
  const children = Array.from({ length: wide }, (_, i) => chain(deep, i * 5, 4.6))
  const id = await exporter.send(
    { service: 'batch', name: 'GET /everything', kind: 'server', atMs: 0, ms: wide * 5, children },
    Date.now() - wide * 5 - 1_000
  )
  await settle()
  await until('the giant is kept', async () => (await fetch(url(`api/v1/traces/${id}/waterfall`))).ok)
  return id
}

/** Opens a page that fails the test when the page throws, logs an error, or breaks its own policy. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  return { page, complaints }
}
