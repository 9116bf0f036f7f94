import { expect, jest, test } from '@jest/globals'
import { createDurability, type Durability } from '../../src/durability/index.ts'
import { createDestinations, type Destinations, waitsForTraces } from '../../src/forward/index.ts'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { openDiskQueue } from '../../src/runtime/segments/index.ts'
import { loadSettings, type Settings } from '../../src/settings/settings.ts'
import { createDisk, type DiskModel } from '../builders/disk-model.ts'
import { createRandom } from '../builders/random.ts'

// Many processes one after the other, on machines that may be busy.
jest.setTimeout(180_000)

const START_MS = 1_700_000_000_000
const SPAN = /5a5a[0-9a-f]{12}/g

const settingsFor = (enrich: readonly string[]): Settings =>
  loadSettings(
    `
durability: batch
segment_log: { directory: disk, gather: 0ms, segment_bytes: 1MiB }
forward:
  enrich: ${JSON.stringify(enrich)}
  destinations: [{ name: backend, endpoint: 'http://127.0.0.1:1' }]
`,
    'none',
    {}
  )

/** The segment log and the queue are on disks of their own, whose power goes at the same moment. */
interface Disks {
  readonly log: DiskModel
  readonly queue: DiskModel
}

/** One process; its destination is down. */
interface Life {
  readonly pipeline: Pipeline
  readonly durability: Durability
  readonly destinations: Destinations
}

const silent = (): void => undefined
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function begin(settings: Settings, disks: Disks, clock: { nowMs: number }): Promise<Life> {
  const nowMs = (): number => clock.nowMs
  const log = { info: silent, warn: silent, error: silent }
  const openFolder = () => Promise.resolve(disks.log.folder)
  const durability = createDurability(
    { ...settings.durability, segmentBytes: 3_000 },
    { nowMs, synced: silent, log, openFolder }
  )
  const destinations = createDestinations(settings.forward.destinations, {
    nowMs,
    random: () => 0.5,
    delivered(bytes) {
      pipeline.reuse(bytes)
    },
    log,
    queues: {
      syncEveryMs: 0,
      waitingBytesMax: 1e6,
      folders: { open: () => Promise.resolve(disks.queue.folder), besides: () => Promise.resolve([]) }
    }
  })
  const pipeline = buildPipeline(settings, {
    log: {
      error(fields, message) {
        throw new Error(`${message} ${JSON.stringify(fields)}`)
      }
    },
    nowMs,
    seed: 1,
    counted: durability.counted,
    forward: destinations.offer
  })
  pipeline.tick(clock.nowMs)
  await destinations.open()
  await durability.open({
    ...pipeline,
    passOn: {
      atOnce: !waitsForTraces(settings.forward),
      async flush() {
        const isPassedOn = await pipeline.flush()
        await destinations.kept()
        return isPassedOn
      }
    }
  })
  return { pipeline, durability, destinations }
}

let issued = 0
/** Each span is a trace of its own. */
function body(spans: number, nowMs: number): { readonly bytes: Buffer; readonly ids: string[] } {
  const ids = Array.from({ length: spans }, () => `5a5a${(++issued).toString(16).padStart(12, '0')}`)
  const spanOf = (id: string) => ({
    traceId: id.padStart(32, '0'),
    spanId: id,
    name: 'GET /x',
    kind: 2,
    startTimeUnixNano: `${nowMs - 50}000000`,
    endTimeUnixNano: `${nowMs}000000`
  })
  const bytes = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: ids.map(spanOf) }] }] }))
  return { bytes, ids }
}

/** Lives until the power goes or the process is killed; gives what is left of the disks. */
async function live(
  life: Life,
  disks: Disks,
  clock: { nowMs: number },
  random: () => number,
  acknowledged: string[]
): Promise<Disks> {
  const { durability, pipeline, destinations } = life
  let left = Math.floor(random() ** 2 * 200)
  const cut = random() < 0.5 ? (disk: DiskModel) => disk.powerCut(random) : (disk: DiskModel) => disk.killed()
  const found: Disks[] = []
  const isCut = (): boolean => found.length > 0
  for (const disk of [disks.log, disks.queue]) {
    disk.trouble((operation) => {
      if (left-- === 0) found.push({ log: cut(disks.log), queue: cut(disks.queue) })
      return operation === 'write' && random() < 0.05 ? 1 + Math.floor(random() * 90) : undefined
    })
  }
  while (!isCut()) {
    const { bytes, ids } = body(1 + Math.floor(random() * 4), clock.nowMs)
    const { kept } = durability.keep({ signal: 'traces', encoding: 'json', body: bytes, lasts: true }, (sequence) =>
      pipeline.accept.traces(bytes, 'json', sequence)
    )
    if ((await kept) === true && !isCut()) acknowledged.push(...ids)
    for (let quiet = random() ** 3 * 20; quiet > 0; quiet--) {
      clock.nowMs += 1_000
      pipeline.tick(clock.nowMs)
      durability.tick(clock.nowMs)
      destinations.tick()
      await turn()
    }
    if (random() > 0.3 || isCut()) continue
    durability.scrape(true)()
    for (let turns = random() * 40; turns > 0; turns--) await turn()
  }
  await destinations.close(0)
  return found[0] as Disks
}

async function waitingOn({ folder }: DiskModel): Promise<string[]> {
  const queue = await openDiskQueue({
    folder,
    segmentBytes: 1e6,
    bytesMax: 1e9,
    waitingBytesMax: 1e6,
    syncEveryMs: 0,
    nowMs: () => 0,
    failed: silent,
    recovered: silent
  })
  const ids: string[] = []
  for (let item = await queue.take(); item !== undefined; item = await queue.take()) {
    // The trace id ends with the span id, so it is there twice.
    ids.push(...new Set(item.bytes.toString('hex').match(SPAN)))
  }
  await queue.close()
  return ids
}

test.each([
  ['enriched', [['phases', 'band']]],
  ['as they came', [[]]],
  ['one way, then the other', [['phases'], []]]
])(
  'whenever a process is killed or the power goes, every acknowledged span is in the queue in the end: %s',
  async (_how, ways) => {
    const settings = ways.map(settingsFor)
    let once = 0
    for (let seed = 0; seed < 25; seed++) {
      const random = createRandom(seed)
      const clock = { nowMs: START_MS }
      const acknowledged: string[] = []
      let disks: Disks = { log: createDisk(), queue: createDisk() }
      for (let number = 0; number < 3; number++) {
        const life = await begin(settings[number % settings.length] as Settings, disks, clock)
        disks = await live(life, disks, clock, random, acknowledged)
        clock.nowMs += Math.floor(random() * 30_000)
      }
      const last = await begin(settings.at(-1) as Settings, disks, clock)
      await last.pipeline.shutdown(clock.nowMs)
      await last.destinations.close(0)
      const times = new Map<string, number>()
      for (const id of await waitingOn(disks.queue.killed())) times.set(id, (times.get(id) ?? 0) + 1)
      expect({ seed, lost: acknowledged.filter((id) => !times.has(id)) }).toEqual({ seed, lost: [] })
      // Once for each process that had it.
      expect(Math.max(0, ...times.values())).toBeLessThanOrEqual(4)
      once += [...times.values()].filter((number) => number === 1).length
    }
    expect(once).toBeGreaterThan(0)
  }
)
