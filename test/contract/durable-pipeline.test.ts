import { afterEach, expect, jest, test } from '@jest/globals'
import { type Encoding } from '../../src/accept/index.ts'
import { createDurability, type Durability } from '../../src/durability/index.ts'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { createDisk, type DiskModel } from '../builders/disk-model.ts'
import { createRandom } from '../builders/random.ts'
import { requestJson, requestProtobuf } from '../builders/shop-requests.ts'

// Many times five processes, with threads of their own, on machines that may be busy.
jest.setTimeout(180_000)

const START_MS = 1_700_000_000_000
const HIDDEN_MS = 30_000

const settings = (workers: number) =>
  loadSettings(
    `
workers: ${workers}
durability: batch
segment_log: { directory: disk, gather: 0ms, segment_bytes: 1MiB }
expose: { zero_first: ${HIDDEN_MS}ms }
`,
    'none',
    {}
  )

/** Their threads would go on after a test that fails. */
const pipelines: Pipeline[] = []
afterEach(async () => {
  await Promise.all(pipelines.splice(0).map((pipeline) => pipeline.suspend(0)))
})

/** One process, from its start to the moment it is gone. */
interface Life {
  readonly pipeline: Pipeline
  readonly durability: Durability
  /** Time goes on by so much. */
  readonly tick: (ms: number) => Promise<void>
  /** Requests in the counters; those in a scrape: of operations that are old enough. */
  readonly counted: () => number
  readonly shown: () => number
  readonly errors: string[]
}

class Clock {
  nowMs = START_MS
}

async function begin(disk: DiskModel, clock: Clock, workers: number): Promise<Life> {
  const errors: string[] = []
  const say = (fields: object, message: string): void => {
    errors.push(`${message} ${JSON.stringify(fields)}`)
  }
  const nowMs = (): number => clock.nowMs
  const silent = (): void => undefined
  const durability = createDurability(
    { ...settings(workers).durability, segmentBytes: 3_000 },
    {
      nowMs,
      synced: silent,
      log: { info: silent, warn: silent, error: silent },
      openFolder: () => Promise.resolve(disk.folder)
    }
  )
  const { counted, readAgain } = durability
  const pipeline = buildPipeline(settings(workers), { log: { error: say }, nowMs, seed: 1, counted, readAgain })
  pipelines.push(pipeline)
  await pipeline.ready()
  const tick = async (ms: number): Promise<void> => {
    clock.nowMs += ms
    pipeline.tick(clock.nowMs)
    await pipeline.settled()
    durability.tick(clock.nowMs)
  }
  await tick(0)
  await durability.open({ ...pipeline, passOn: undefined })
  const { operations } = pipeline.sources.tables
  const sum = (isShown: (row: number) => boolean): number => {
    const cells = operations.requests.length / operations.live.length
    let requests = 0
    for (let row = 0; row < operations.rows; row++) {
      if (!isShown(row)) continue
      for (let cell = row * cells; cell < (row + 1) * cells; cell++) requests += operations.requests[cell] as number
    }
    return requests
  }
  return {
    pipeline,
    durability,
    tick,
    counted: () => sum(() => true),
    shown: () => sum((row) => clock.nowMs - (operations.createdMs[row] as number) >= HIDDEN_MS),
    errors
  }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

interface SpanSketch {
  readonly trace: number
  readonly span: number
  readonly parent: number
}

/** Every span is a request of its own: a SERVER span of another service. */
function body(sketches: readonly SpanSketch[], nowMs: number, encoding: Encoding): Uint8Array {
  const spans = sketches.map(({ trace, span, parent }) => ({
    traceId: hex(trace, 32),
    spanId: hex(span, 16),
    ...(parent > 0 && { parentSpanId: hex(parent, 16) }),
    name: 'GET /x',
    kind: 2,
    startTimeUnixNano: `${nowMs - 50}000000`,
    endTimeUnixNano: `${nowMs}000000`
  }))
  const request = { service: 'shop', spans }
  return encoding === 'json' ? Buffer.from(JSON.stringify(requestJson(request))) : requestProtobuf(request)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Books {
  sent: number
  acknowledged: number
  /** Requests in the last scrape of each process that is gone. */
  scrapedBefore: number
  /** Requests in scrapes of which it was not written down in time that they had been served. */
  mayBeTwice: number
}

/** Traces that more spans may come of, some of them long after they closed. */
function nextSpans(random: () => number, ids: { trace: number; span: number }, open: SpanSketch[]): SpanSketch[] {
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
    ids.span += 1
    const earlier = open[Math.floor(random() * open.length)]
    if (earlier !== undefined && random() < 0.4) return { trace: earlier.trace, span: ids.span, parent: earlier.span }
    ids.trace += 1
    const root = { trace: ids.trace, span: ids.span, parent: 0 }
    open.push(root)
    if (open.length > 12) open.shift()
    return root
  })
}

async function live(life: Life, { disk, clock, random, books, shared }: World): Promise<DiskModel> {
  let cuts: readonly DiskModel[] = []
  let left = Math.floor(random() ** 2 * 200)
  const cut = random() < 0.5 ? () => disk.powerCut(random) : () => disk.killed()
  disk.trouble((operation) => {
    if (left-- === 0) cuts = [cut()]
    return operation === 'write' && random() < 0.05 ? 1 + Math.floor(random() * 90) : undefined
  })
  let scraped = 0
  let settled = 0
  const isCut = (): boolean => cuts.length > 0
  while (!isCut()) {
    const spans = nextSpans(random, shared.ids, shared.open)
    const encoding = random() < 0.5 ? 'json' : 'protobuf'
    const bytes = body(spans, clock.nowMs, encoding)
    books.sent += spans.length
    const kept = life.durability.keep({ signal: 'traces', encoding, body: bytes, lasts: true }, (sequence) =>
      life.pipeline.accept.traces(bytes, encoding, sequence)
    ).kept
    if ((await kept) === true && !isCut()) books.acknowledged += spans.length
    for (let quiet = random() ** 3 * 20; quiet > 0; quiet--) {
      await life.tick(1_000)
      await turn()
    }
    if (random() > 0.3 || isCut()) continue
    const served = life.durability.scrape(false)
    scraped = life.shown()
    served()
    for (let i = 0; i < 20; i++) await turn()
    if (!isCut()) settled = scraped
  }
  books.scrapedBefore += scraped
  books.mayBeTwice += scraped - settled
  expect(life.errors).toEqual([])
  return cuts[0] as DiskModel
}

interface World {
  readonly disk: DiskModel
  readonly clock: Clock
  readonly random: () => number
  readonly books: Books
  readonly shared: { readonly ids: { trace: number; span: number }; readonly open: SpanSketch[] }
}

// Starts as many processes as seeds times five, and as many threads as each has workers.
test.each([
  [1, 30],
  [2, 4],
  [3, 2]
])(
  'with %i workers: whenever a process is killed or the power goes, scrapes of all lives show every acknowledged request, and none twice but those of a scrape that was not written down',
  async (workers, seeds) => {
    let twice = 0
    for (let seed = 0; seed < seeds; seed++) {
      const random = createRandom(seed)
      const clock = new Clock()
      const books: Books = { sent: 0, acknowledged: 0, scrapedBefore: 0, mayBeTwice: 0 }
      const shared: World['shared'] = { ids: { trace: 0, span: 0 }, open: [] }
      let disk = createDisk()
      for (let number = 0; number < 4; number++) {
        const life = await begin(disk, clock, workers)
        disk = (await live(life, { disk, clock, random, books, shared })).killed()
        await life.pipeline.suspend(clock.nowMs)
        clock.nowMs += Math.floor(random() * 30_000)
      }
      const last = await begin(disk, clock, workers)
      for (let second = 0; second < 120; second++) await last.tick(1_000)
      const shown = books.scrapedBefore + last.counted()
      expect({ seed, lost: Math.max(0, books.acknowledged - shown) }).toEqual({ seed, lost: 0 })
      const over = Math.max(0, shown - books.sent)
      expect({ seed, over: Math.max(0, over - books.mayBeTwice) }).toEqual({ seed, over: 0 })
      twice += over
      await last.pipeline.suspend(clock.nowMs)
      await last.durability.close()
    }
    // Of so many seeds some are killed between.
    if (seeds === 30) expect(twice).toBeGreaterThan(0)
  }
)
