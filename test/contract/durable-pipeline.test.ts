import { expect, jest, test } from '@jest/globals'
import { createDurability, type Durability } from '../../src/durability/index.ts'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { createDisk, type DiskModel } from '../builders/disk-model.ts'
import { createRandom } from '../builders/random.ts'

// Thirty times five processes, on machines that may be busy.
jest.setTimeout(180_000)

const START_MS = 1_700_000_000_000
const HIDDEN_MS = 30_000

const settings = loadSettings(
  `
durability: batch
segment_log: { directory: disk, gather: 0ms, segment_bytes: 1MiB }
expose: { zero_first: ${HIDDEN_MS}ms }
`,
  'none',
  {}
)

/** One process, from its start to the moment it is gone. */
interface Life {
  readonly pipeline: Pipeline
  readonly durability: Durability
  /** Requests in the counters; those in a scrape: of operations that are old enough. */
  readonly counted: () => number
  readonly shown: () => number
  readonly errors: string[]
}

class Clock {
  nowMs = START_MS
}

async function begin(disk: DiskModel, clock: Clock): Promise<Life> {
  const errors: string[] = []
  const say = (fields: object, message: string): void => {
    errors.push(`${message} ${JSON.stringify(fields)}`)
  }
  const nowMs = (): number => clock.nowMs
  const silent = (): void => undefined
  const durability = createDurability(
    { ...settings.durability, segmentBytes: 3_000 },
    {
      nowMs,
      synced: silent,
      log: { info: silent, warn: silent, error: silent },
      openFolder: () => Promise.resolve(disk.folder)
    }
  )
  const pipeline = buildPipeline(settings, { log: { error: say }, nowMs, seed: 1, counted: durability.counted })
  pipeline.tick(clock.nowMs)
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
function body(spans: readonly SpanSketch[], nowMs: number): Buffer {
  const spanOf = ({ trace, span, parent }: SpanSketch) => ({
    traceId: hex(trace, 32),
    spanId: hex(span, 16),
    ...(parent > 0 && { parentSpanId: hex(parent, 16) }),
    name: 'GET /x',
    kind: 2,
    startTimeUnixNano: `${nowMs - 50}000000`,
    endTimeUnixNano: `${nowMs}000000`,
    attributes: [{ key: 'http.request.method', value: { stringValue: 'GET' } }]
  })
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] }
  return Buffer.from(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: spans.map(spanOf) }] }] }))
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

async function live(
  disk: DiskModel,
  clock: Clock,
  random: () => number,
  books: Books,
  shared: Shared
): Promise<DiskModel> {
  const life = await begin(disk, clock)
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
    const bytes = body(spans, clock.nowMs)
    books.sent += spans.length
    const kept = life.durability.keep({ signal: 'traces', encoding: 'json' }, bytes, (sequence) =>
      life.pipeline.accept.traces(bytes, 'json', sequence)
    ).kept
    if ((await kept) === true && !isCut()) books.acknowledged += spans.length
    for (let quiet = random() ** 3 * 20; quiet > 0; quiet--) {
      clock.nowMs += 1_000
      life.pipeline.tick(clock.nowMs)
      life.durability.tick(clock.nowMs)
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

interface Shared {
  readonly ids: { trace: number; span: number }
  readonly open: SpanSketch[]
}

test('whenever a process is killed or the power goes, scrapes of all lives show every acknowledged request, and none twice but those of a scrape that was not written down', async () => {
  let twice = 0
  for (let seed = 0; seed < 30; seed++) {
    const random = createRandom(seed)
    const clock = new Clock()
    const books: Books = { sent: 0, acknowledged: 0, scrapedBefore: 0, mayBeTwice: 0 }
    const shared: Shared = { ids: { trace: 0, span: 0 }, open: [] }
    let disk = createDisk()
    for (let number = 0; number < 4; number++) {
      disk = (await live(disk, clock, random, books, shared)).killed()
      clock.nowMs += Math.floor(random() * 30_000)
    }
    const last = await begin(disk, clock)
    for (let second = 0; second < 120; second++) {
      clock.nowMs += 1_000
      last.pipeline.tick(clock.nowMs)
    }
    const shown = books.scrapedBefore + last.counted()
    expect({ seed, lost: Math.max(0, books.acknowledged - shown) }).toEqual({ seed, lost: 0 })
    const over = Math.max(0, shown - books.sent)
    expect({ seed, over: Math.max(0, over - books.mayBeTwice) }).toEqual({ seed, over: 0 })
    twice += over
    await last.durability.close()
  }
  expect(twice).toBeGreaterThan(0)
})
