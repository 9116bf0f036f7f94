import { afterEach, expect, jest, test } from '@jest/globals'
import { type AcceptEnd } from '../../src/accept/index.ts'
import { createDurability } from '../../src/durability/index.ts'
import { type Chunk, type Send } from '../../src/forward/index.ts'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { kept } from '../../src/programs/serve/intake.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { createDisk, type DiskModel } from '../builders/disk-model.ts'
import { createRandom } from '../builders/random.ts'
import { type Said, said } from '../builders/said.ts'
import { inBunches, sendShop, type ShopRequest, shopRequests } from '../builders/shop-requests.ts'
import { decodeSpans } from '../unit/accept/otlp/otlp-messages.ts'

// Starts threads, on machines that may be busy.
jest.setTimeout(120_000)
const START_MS = 1_700_000_000_000
const DOWN_MS = 7_000

const settings = (workers: number): string => `
workers: ${workers}
durability: batch
segment_log: {directory: disk, gather: 0ms, segment_bytes: 1MiB}
assemble: {late_window: 1m}
budgets: [{service: gateway, p99: 30ms}]
forward:
  destinations: [{name: backend, endpoint: 'http://127.0.0.1:9'}]
  # Whether a trace will be kept as an example only the main thread knows.
  enrich: [phases, dominant_phase, grades, band, critical_path]
`

const pipelines: Pipeline[] = []
afterEach(async () => {
  await Promise.all(pipelines.splice(0).map((pipeline) => pipeline.suspend(0)))
})

/** The log has written what it had. */
async function written(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
}

/** One process after another, by a clock of their own. */
async function begin(workers: number, disk: DiskModel, clock: { nowMs: number }) {
  const failures: unknown[] = []
  const forwarded: string[] = []
  const nowMs = (): number => clock.nowMs
  const silent = (): void => undefined
  const checked = loadSettings(settings(workers), 'test', {})
  const log = { info: silent, warn: silent, error: (fields: object) => failures.push(fields) }
  const openFolder = () => Promise.resolve(disk.folder)
  const durability = createDurability(checked.durability, { nowMs, synced: silent, log, openFolder })
  const pipeline = buildPipeline(checked, {
    log,
    nowMs,
    seed: 1,
    counted: durability.counted,
    readAgain: durability.readAgain,
    forward(_send: Send, { bytes }: Chunk) {
      forwarded.push(...decodeSpans(Buffer.from(bytes)).map(({ spanId }) => Buffer.from(spanId ?? []).toString('hex')))
      pipeline.reuse(bytes)
    }
  })
  pipelines.push(pipeline)
  await pipeline.ready()
  const tick = async (ms: number): Promise<void> => {
    pipeline.tick((clock.nowMs += ms))
    await pipeline.settled()
    durability.tick(clock.nowMs)
  }
  await tick(0)
  await durability.open({ ...pipeline, passOn: { atOnce: false, flush: pipeline.flush } })
  const { traces } = kept(pipeline.accept, durability)
  return {
    pipeline,
    tick,
    async send(bodies: readonly ShopRequest[], random: () => number) {
      const accept: Pick<AcceptEnd, 'traces'> = { traces: (body, encoding) => traces(body, encoding, true) }
      for (const body of bodies) sendShop(accept, body, random)
      await tick(500)
    },
    /** Served, and written down that it was. */
    async scrape() {
      durability.scrape(true)()
      await pipeline.flush()
      await written()
    },
    forwarded,
    failures
  }
}

/** The next span of a trace that is open for all of the time, so that all of the log is needed. */
function staying(number: number): ShopRequest {
  const id = (digits: number, value: number): string => value.toString(16).padStart(digits, '0')
  const startNs = BigInt(START_MS) * 1_000_000n
  const span = {
    traceId: id(32, 7),
    spanId: id(16, number + 1),
    ...(number > 0 && { parentSpanId: id(16, 1) }),
    name: 'stay',
    kind: number === 0 ? 2 : 1,
    startTimeUnixNano: String(startNs + BigInt(number) * 1_000_000n),
    endTimeUnixNano: String(startNs + BigInt(number === 0 ? 900 : number + 1) * 1_000_000n)
  }
  return { service: 'stayer', spans: [span] }
}

/** What the second of two processes says, which was sent the rest of the traffic after the first had been killed. */
async function saidAfterwards(
  workers: number,
  seed: number
): Promise<Said & { readonly forwarded: readonly string[] }> {
  const random = createRandom(seed)
  const clock = { nowMs: START_MS }
  const bunches = inBunches(shopRequests({ traces: 2_000, seed }), random).map((bodies, i) => [...bodies, staying(i)])
  const killedAt = Math.floor(bunches.length * (0.3 + 0.4 * random()))
  const scrapedAt = Math.floor(killedAt * (0.7 + 0.3 * random()))
  const disk = createDisk()
  const first = await begin(workers, disk, clock)
  for (const [i, bodies] of bunches.slice(0, killedAt).entries()) {
    await first.send(bodies, random)
    // What was sent meanwhile is what is late.
    for (let quiet = random() * 5; quiet > 1; quiet--) await first.tick(1_000)
    if (i === scrapedAt) await first.scrape()
  }
  await first.send(bunches[killedAt] as ShopRequest[], random)
  await written()
  const left = disk.killed()
  expect(first.failures).toEqual([])

  clock.nowMs += DOWN_MS
  const second = await begin(workers, left, clock)
  for (const bodies of bunches.slice(killedAt)) await second.send(bodies, random)
  for (let seconds = 0; seconds < 90; seconds++) await second.tick(1_000)
  await second.pipeline.shutdown(clock.nowMs)
  expect(second.failures).toEqual([])
  return { ...said(second.pipeline), forwarded: [...second.forwarded].sort() }
}

// Scenario: a process is killed in the middle of traffic, some of it late, some counted and scraped; the next one reads its log, and
// the traffic goes on, the last bodies once more.
// Guarantees: whatever the number of workers, the second process says the same in every counter, summary, point of history and kept
// trace, and passes the same spans on.
test.each([1, 2])('one, two and three workers make the same of a log (seed %i)', async (seed) => {
  const one = await saidAfterwards(1, seed)
  expect(one.counters['tail_spans_settled_total '] ?? 0).toBeGreaterThan(0)
  expect(await saidAfterwards(2, seed)).toEqual(one)
  expect(await saidAfterwards(3, seed)).toEqual(one)
})
