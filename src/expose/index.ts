export { spanIdHex, traceIdHex } from './hex.ts'
import { type AddressInfo } from 'node:net'
import { type FastifyInstance } from 'fastify'
import { createCounters, type Counters } from '../runtime/counters.ts'
import { addApi } from './api.ts'
import { errorAnswer, healthAnswer, readyAnswer } from './api-schemas.ts'
import { exposeCounters } from './counters.ts'
import { createDurationHistogram } from '../runtime/duration-histogram.ts'
import { createExposition } from './exposition.ts'
import { addHistoryApi } from './history-api.ts'
import { contentTypes } from './negotiate.ts'
import { counterFamilies, ownFamilies, type OwnDurations } from './own-families.ts'
import { addPageApi } from './page-api.ts'
import { addPage, addRunbooks } from './page-files.ts'
import { createProcessMetrics } from './process-metrics.ts'
import { addGuard } from './guarded.ts'
import { createScraper, type Scraper } from './scrape.ts'
import { createTextSender } from './send-text.ts'
import { createServer } from './server.ts'
import { type ExposeSettings } from './settings.ts'
import { eventLoopTurn, type Turn } from './slice-stream.ts'
import { type ExposeSources, type ExposeTools } from './sources.ts'
import { createZeroFirst } from './zero-first.ts'

export { keptTraceSources } from './kept-traces.ts'
export { claimDocument } from './trace-claims.ts'
export { type TextSlices } from './text-slices.ts'
export { traceDocument, type Names } from './trace-document.ts'
export { series, type SeriesFamily } from './series.ts'
export { type ExposeSources, type ExposeTools, type ClockOffset } from './sources.ts'
export { type ExposeSettings } from './settings.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Exposer {
  readonly listen: () => Promise<Address>
  /** From now on every value is shown as it is, and /readyz says 503. */
  readonly drain: () => void
  /** Drains, waits for one more scrape if anyone ever scraped, at most `graceMs`, and stops. */
  readonly close: (graceMs: number) => Promise<void>
  /** Tells how long an export request took from its whole body to its answer. */
  readonly observeIngestMs: (ms: number) => void
  /** Tells how long a sync of the segment log took. */
  readonly observeLogSyncMs: (ms: number) => void
  readonly counters: Counters<typeof exposeCounters>
  readonly app: FastifyInstance
}

/** The last stage: shows what the others found, on /metrics and in JSON. `turn` is how a scrape lets others run. */
export function createExposer(
  settings: ExposeSettings,
  tools: ExposeTools,
  sources: ExposeSources,
  turn: Turn = eventLoopTurn
): Exposer {
  const counters = createCounters(exposeCounters)
  const zeroFirst = createZeroFirst(settings.zeroFirstMs)
  const durations: OwnDurations = {
    scrape: {
      text: createDurationHistogram(),
      openmetrics: createDurationHistogram(),
      protobuf: createDurationHistogram()
    },
    ingest: createDurationHistogram(),
    logSync: createDurationHistogram()
  }
  const nameOf = tools.strings.text
  const processMetrics = createProcessMetrics()
  let draining = false
  const scraper = createScraper({
    settings,
    tools,
    counters,
    exposition: createExposition(sources.tables, { nowMs: tools.nowMs, nameOf, zeroFirst }),
    families: async () => [
      ...ownFamilies(sources, nameOf, durations),
      ...counterFamilies([...sources.counters, counters]),
      ...(await processMetrics())
    ],
    begins: () => sources.scrape?.(draining) ?? (() => undefined),
    observeMs: (format, ms) => {
      durations.scrape[format].observe(ms)
    },
    turn
  })
  const app = createServer(settings, tools, sources.version)
  addGuard(app, tools.guard, counters)
  const sendText = createTextSender(turn)
  app.after(() => {
    addMetrics(app, scraper)
    addApi(app, settings, sources, { strings: tools.strings, sendText })
    addHistoryApi(app, sources, tools.nowMs)
    addPageApi(app, settings, sources, { nowMs: tools.nowMs, sendText })
    addPage(app)
    addRunbooks(app)
    addHealth(app, sources, tools.nowMs, () => sources.ready() && !draining)
  })

  function drain(): void {
    draining = true
    zeroFirst.drain()
  }

  return {
    async listen() {
      await app.listen({ host: settings.host, port: settings.port })
      const { address, port } = app.server.address() as AddressInfo
      return { host: address, port }
    },
    drain,
    async close(graceMs) {
      drain()
      if (scraper.wasScraped()) await atMost(graceMs, scraper.nextScrape())
      const closed = app.close()
      app.server.closeAllConnections()
      await closed
    },
    observeIngestMs: durations.ingest.observe,
    observeLogSyncMs: durations.logSync.observe,
    counters,
    app
  }
}

function addMetrics(app: FastifyInstance, scraper: Scraper): void {
  const content = Object.fromEntries(
    Object.values(contentTypes).map((type): [string, object] => [
      type.replace(/;.*/, ''),
      { schema: { type: 'string' } }
    ])
  )
  app.route({
    method: ['GET', 'HEAD'],
    url: '/metrics',
    schema: {
      summary: 'Every series, in the format that Accept asks for',
      response: { 200: { description: 'The exposition', content }, 503: errorAnswer }
    },
    handler: scraper.answer
  })
}

function addHealth(
  app: FastifyInstance,
  { version, startedMs, pressure, warnings }: ExposeSources,
  nowMs: () => number,
  ready: () => boolean
): void {
  app.get('/healthz', { schema: { summary: 'Whether the process lives', response: { 200: healthAnswer } } }, () => ({
    status: 'ok',
    version,
    uptime_seconds: (nowMs() - startedMs) / 1e3,
    refusing: pressure().causes,
    warnings: warnings?.() ?? []
  }))
  app.get(
    '/readyz',
    { schema: { summary: 'Whether spans are taken', response: { 200: readyAnswer, 503: readyAnswer } } },
    (_request, reply) => (ready() ? reply.send({ status: 'ready' }) : reply.code(503).send({ status: 'not ready' }))
  )
  app.get('/api/v1/openapi.json', { schema: { summary: 'This API', response: { 200: { type: 'object' } } } }, () =>
    app.swagger()
  )
}

/** Waits for something, but no longer than this. */
async function atMost(ms: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([done, over])
  clearTimeout(timer)
}
