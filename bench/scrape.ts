import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { openToAll } from '../src/access/index.ts'
import { createExposer } from '../src/expose/index.ts'
import { exposeSection, exposeSettings } from '../src/expose/settings.ts'
import { BANDS } from '../src/model/requests.ts'
import { Grade, Phase } from '../src/model/phases.ts'
import { draftTables, type TableDraft } from '../test/builders/tail-tables.ts'
import { textOf } from '../test/builders/text-slices.ts'

/** About 45,000 series; another number as first argument. */
const OPERATIONS = Number(process.argv[2] ?? 500)
const REQUESTS_EACH = 400
const BLAME_ROOTS = Math.min(100, OPERATIONS)
const CULPRITS = 8
const SCRAPES = 15

const formats = [
  { name: 'text 0.0.4', accept: 'text/plain', gzip: false },
  { name: 'text 0.0.4, gzip', accept: 'text/plain', gzip: true },
  { name: 'OpenMetrics', accept: 'application/openmetrics-text;version=1.0.0', gzip: false },
  {
    name: 'protobuf, native histograms',
    accept: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
    gzip: false
  }
] as const

/** A scraper of its own thread, so that reading costs the measured thread nothing. Answers a job with the bytes it got. */
const reader = `
const { parentPort } = require('node:worker_threads')
const { get, Agent } = require('node:http')
const agent = new Agent({ keepAlive: true })
parentPort.on('message', ({ port, headers }) => {
  get({ port, path: '/metrics', headers, agent }, (answer) => {
    let bytes = 0
    answer.on('data', (chunk) => { bytes += chunk.length })
    answer.on('end', () => parentPort.postMessage(bytes))
  })
})`

interface ScrapeFigures {
  readonly format: string
  readonly series: number
  readonly bytes: number
  /** Of the thread that also takes spans in, HTTP included. */
  readonly cpuMs: number
  /** Of all threads; compressing has its own. */
  readonly processCpuMs: number
  readonly longestBlockMs: number
}

/** Medians over some scrapes, by a real HTTP client; the longest block is the worst of all. */
async function benchScrape(): Promise<ScrapeFigures[]> {
  const draft = fullTables()
  const settings = { ...exposeSettings(exposeSection.parse({})), port: 0, zeroFirstMs: 0 }
  const exposer = createExposer(
    settings,
    {
      strings: draft.strings,
      resources: draft.resources,
      nowMs: Date.now,
      log: console,
      guard: openToAll,
      tls: undefined
    },
    {
      tables: draft.tables,
      counters: [],
      memory: () => ({}),
      pressure: () => ({ causes: [], memoryLimitBytes: 1024 ** 3 }),
      clockOffsets: () => [],
      learned: () => ({}),
      history: () => undefined,
      trace: () => textOf(undefined),
      otlp: () => textOf(undefined),
      waterfall: () => textOf(undefined),
      claims: () => textOf(undefined),
      versionOf: () => undefined,
      operations: () => [],
      blame: () => [],
      budgets: () => ({ window_seconds: 600, budgets: [], states: [] }),
      boundaries: () => [],
      ready: () => true,
      version: 'bench',
      startedMs: 0,
      otlpPorts: () => ({ grpc: 4317, http: 4318 })
    }
  )
  const { port } = await exposer.listen()
  const worker = new Worker(reader, { eval: true })
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
  const figures: ScrapeFigures[] = []
  for (const { name, accept, gzip } of formats) {
    const headers = { accept, ...(gzip && { 'accept-encoding': 'gzip' }) }
    const runs: Run[] = []
    for (let i = 0; i < SCRAPES; i++) runs.push(await scrapeOnce(worker, { port, headers }))
    const blocksMs: number[] = []
    for (let i = 0; i < SCRAPES; i++) blocksMs.push(await longestBlock(worker, { port, headers }))
    // The first scrapes compile the code and make the labels.
    const warm = runs.slice(5)
    figures.push({
      format: name,
      series,
      bytes: median(warm.map((run) => run.bytes)),
      cpuMs: median(warm.map((run) => run.cpuMs)),
      processCpuMs: median(warm.map((run) => run.processCpuMs)),
      longestBlockMs: Math.max(...blocksMs)
    })
  }
  await worker.terminate()
  await exposer.close(0)
  return figures
}

interface Run {
  readonly bytes: number
  readonly cpuMs: number
  readonly processCpuMs: number
}

async function scrapeOnce(worker: Worker, job: { port: number; headers: object }): Promise<Run> {
  const thread = process.threadCpuUsage()
  const all = process.cpuUsage()
  worker.postMessage(job)
  const [bytes] = (await once(worker, 'message')) as [number]
  const { user, system } = process.threadCpuUsage(thread)
  const total = process.cpuUsage(all)
  return { bytes, cpuMs: (user + system) / 1e3, processCpuMs: (total.user + total.system) / 1e3 }
}

/** Apart from the other figures, because watching the loop keeps it busy. */
async function longestBlock(worker: Worker, job: { port: number; headers: object }): Promise<number> {
  const block = watchLoop()
  worker.postMessage(job)
  await once(worker, 'message')
  return block.stop()
}

/** The most work between two turns of the loop: what a span would wait at the door. In CPU time, because others run here too. */
function watchLoop(): { stop: () => number } {
  let last = process.threadCpuUsage()
  let longest = 0
  let running = true
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(last)
    longest = Math.max(longest, (user + system) / 1e3)
    last = process.threadCpuUsage()
    if (running) setImmediate(look)
  }
  look()
  return {
    stop() {
      running = false
      look()
      return longest
    }
  }
}

/** Every cell of every operation used, as after a day of mixed traffic. */
function fullTables(): TableDraft {
  const draft = draftTables(OPERATIONS + 1, BLAME_ROOTS * CULPRITS)
  for (let i = 0; i < OPERATIONS; i++) {
    const row = draft.addOperation(`team-${i % 4}/service-${i % 20}`, `GET /api/v1/resource-${i}/{id}`)
    for (let request = 0; request < REQUESTS_EACH; request++) {
      const durationNs = Math.round(1e6 * (1 + i / 50) * 1.02 ** request)
      const third = Math.floor(durationNs / 3) + request
      draft.addRequest(row, {
        durationNs,
        band: request % BANDS,
        outcome: request % 3,
        phases: [
          [request % Phase.network, Grade.inferred, third],
          [Phase.processing, Grade.measured, third]
        ]
      })
    }
    draft.setThresholds(row, [1.5e6, 12.25e6, 123.125e6, 1e9])
    draft.setExemplar(row, { traceId: [1, 2, 3, i], ns: 123_456_789, atMs: 1_700_000_000_000 })
  }
  for (let slot = 0; slot < BLAME_ROOTS * CULPRITS; slot++) {
    const root = 1 + Math.floor(slot / CULPRITS)
    const added = draft.addSlot({ root, service: `team-1/service-${slot % 20}`, operation: `SELECT table-${slot}` })
    draft.addBlame(added, 0, Phase.processing, 123_456_789 + slot)
    draft.addBlame(added, 1, Phase.processing, 987_654_321 + slot)
  }
  return draft
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN
}

function scrapeTable(figures: readonly ScrapeFigures[]): string {
  const rows = figures.map(({ format, series, bytes, cpuMs, processCpuMs, longestBlockMs }) => {
    const cells = [format, series, (bytes / 1e6).toFixed(2), cpuMs.toFixed(1), processCpuMs.toFixed(1)]
    return `| ${[...cells, longestBlockMs.toFixed(1)].join(' | ')} |`
  })
  return [
    '| format | series | MB | CPU ms, main thread | CPU ms, process and client | longest block, CPU ms |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows
  ].join('\n')
}

console.log(scrapeTable(await benchScrape()))
console.log('\nBounds for 45,000 series: 60 ms of CPU, no block over 15 ms.')
