import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, jest, test } from '@jest/globals'
import { createDurability } from '../../src/durability/index.ts'
import { type Chunk, type Send } from '../../src/forward/index.ts'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { createDisk } from '../builders/disk-model.ts'
import { createRandom } from '../builders/random.ts'
import { shardThreads, type ShardThreads } from '../builders/shard-threads.ts'
import { spanBytes, traceBody } from '../torture/senders/bodies.ts'

// Starts threads, and waits until those that ended are replaced.
jest.setTimeout(120_000)
/** Within which a thread has begun to take messages. */
const RISE_MS = 400
const settings = loadSettings(
  `
workers: 2
durability: batch
segment_log: {directory: disk, gather: 0ms, segment_bytes: 1MiB}
forward: {destinations: [{name: backend, endpoint: 'http://127.0.0.1:9'}]}
`,
  'none',
  {}
)

const ended: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Service {
  readonly pipeline: Pipeline
  /** Takes a request of a trace of its own; false when it is to be sent again. */
  readonly take: () => boolean
  readonly round: (ms?: number) => Promise<void>
  readonly scrape: () => void
  readonly sum: (name: string) => number
  readonly forwarded: () => number
}

async function begin(): Promise<Service> {
  let nowMs = Date.now()
  let forwarded = 0
  const silent = (): void => undefined
  const disk = createDisk()
  const durability = createDurability(
    { ...settings.durability, segmentBytes: 20_000 },
    {
      nowMs: () => nowMs,
      synced: silent,
      log: { info: silent, warn: silent, error: silent },
      openFolder: () => Promise.resolve(disk.folder)
    }
  )
  const pipeline = buildPipeline(settings, {
    log: { error: silent },
    nowMs: () => nowMs,
    seed: 1,
    counted: durability.counted,
    readAgain: durability.readAgain,
    forward(_send: Send, { bytes, spans }: Chunk) {
      forwarded += spans
      pipeline.reuse(bytes)
    }
  })
  ended.push(() => pipeline.suspend(nowMs))
  await pipeline.ready()
  const passOn = { atOnce: false, flush: pipeline.flush }
  await durability.open({ ...pipeline, passOn })
  return {
    pipeline,
    take() {
      const body = traceBody('any', [spanBytes()])
      try {
        durability.keep({ signal: 'traces', encoding: 'protobuf', body, lasts: true }, (sequence) =>
          pipeline.accept.traces(body, 'protobuf', sequence)
        )
        return true
      } catch (reason) {
        expect(reason).toMatchObject({ code: 'BUSY', retryable: true })
        return false
      }
    },
    async round(ms = 50) {
      pipeline.tick((nowMs += ms))
      await pipeline.settled()
      durability.tick(nowMs)
    },
    scrape() {
      durability.scrape(true)()
    },
    sum: (name) =>
      pipeline.sources.counters
        .flatMap((of) => of.samples())
        .reduce((sum, sample) => sum + (sample.name === name ? sample.value : 0), 0),
    forwarded: () => forwarded
  }
}

/** Events of threads come between turns of this one. */
const threadsHeard = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function takeAll(service: Service, requests: number): Promise<void> {
  for (let taken = 0; taken < requests;) {
    if (service.take()) taken += 1
    else {
      await service.round(0)
      await threadsHeard()
    }
  }
}

async function endThread(service: Service, threads: ShardThreads, number: number): Promise<void> {
  const restarts = service.sum('tail_shard_restarts_total')
  while (threads.begun() <= number) await threadsHeard()
  // A thread that is ended while it loads its modules takes the process with it (Node 24 with an inspector).
  await pause(RISE_MS)
  await threads.evaluate(`throw new Error('thrown at a shard')`, number)
  while (service.sum('tail_shard_restarts_total') === restarts) await threadsHeard()
}

const requestsIn = ({ sources }: Pipeline): number => {
  const { requests, rows, live } = sources.tables.operations
  const cells = requests.length / live.length
  return requests.subarray(0, rows * cells).reduce((sum, value) => sum + value, 0)
}

// Scenario: requests come to two workers, are counted and scraped, and now and then the thread of one ends, at moments of a seed:
// sometimes the one that takes its place too, as soon as it has begun and is about to read the log.
// Guarantees: what the thread held is read again. Every request is counted once, goes on at least once, and none is said to be lost.
test.each([1, 2, 3])('a thread that ends loses nothing that is in the log (seed %i)', async (seed) => {
  const random = createRandom(seed)
  const service = await begin()
  const threads = await shardThreads()
  ended.push(threads.close)
  let requests = 0
  const takeSome = async (): Promise<void> => {
    const count = 1 + Math.floor(random() * 80)
    await takeAll(service, count)
    requests += count
    for (let rounds = random() * 12; rounds > 0; rounds--) {
      await service.round(random() < 0.2 ? 2_000 : 50)
      if (random() < 0.2) service.scrape()
    }
  }
  let begun = 2
  for (let death = 0; death < 3; death++) {
    for (let times = random() * 4; times >= 0; times--) await takeSome()
    await endThread(service, threads, begun - 1)
    begun += 1
    if (random() < 0.5) continue
    await endThread(service, threads, begun - 1)
    begun += 1
  }
  await takeSome()
  for (let second = 0; second < 60; second++) await service.round(1_000)
  await service.pipeline.flush()
  expect(requestsIn(service.pipeline)).toBe(requests)
  expect(service.forwarded()).toBeGreaterThanOrEqual(requests)
  expect(service.sum('tail_shard_lost_spans_total')).toBe(0)
  expect(service.pipeline.oldestUncounted()).toBe(Infinity)
})
