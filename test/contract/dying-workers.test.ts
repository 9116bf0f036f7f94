import { setTimeout as pause } from 'node:timers/promises'
import { expect, jest, test } from '@jest/globals'
import { type Chunk, type Send } from '../../src/forward/index.ts'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { shardThreads } from '../builders/shard-threads.ts'
import { spanBytes, traceBody } from '../torture/senders/bodies.ts'

// Starts threads, and goes on without one until it is believed to hang.
jest.setTimeout(120_000)
const REQUESTS = 200
const settings = loadSettings(
  `{workers: 2, memory_limit: 512MiB, forward: {destinations: [{name: backend, endpoint: 'http://127.0.0.1:9'}]}}`,
  'test',
  {}
)

/** Some 100 MiB a second: a heap that fills faster than it is looked at ends the process, as busy processors may have it here. */
const slowly = 'if (++n % 20_000 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)'
/** A thread that does not answer for 400 of them hangs: it must have the time to fill its heap. */
const ROUND_MS = 10
/** What ends the thread that runs it, and the reason under which that is counted. */
const endings = {
  'an endless turn': ['for (;;);', 'hung'],
  'an error that nobody catches': [`throw new Error('thrown at a shard')`, 'failed'],
  'a heap full of objects': [
    `const kept = []; for (let n = 0; ; ) { kept.push({ n, of: [n] }); ${slowly} }`,
    'heap_full'
  ],
  'a heap full of a map': [`const kept = new Map(); for (let n = 0; ; ) { kept.set(n, [n]); ${slowly} }`, 'heap_full']
} as const

function counted({ sources }: Pipeline, name: string, label?: string): number {
  return sources.counters
    .flatMap((of) => of.samples())
    .filter((sample) => sample.name === name && (label === undefined || sample.labelValue === label))
    .reduce((sum, { value }) => sum + value, 0)
}

/** Events of threads come between turns of this one. */
const threadsHeard = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Sends it again as long as its worker is down. */
async function takeOnce({ accept }: Pipeline, body: Uint8Array): Promise<void> {
  for (;;) {
    try {
      accept.traces(body, 'protobuf')
      return
    } catch (reason) {
      expect(reason).toMatchObject({ code: 'BUSY', retryable: true })
      await threadsHeard()
    }
  }
}

// Scenario: two workers hold the spans of 200 requests, to be counted and passed on, when one of them ends.
// Guarantees: it ends alone. What it held is lost, and counted as that; another thread takes its place, and all that comes later is
// counted and passed on.
test.each(Object.keys(endings) as (keyof typeof endings)[])('%s ends one thread, and no more', async (how) => {
  const [expression, reason] = endings[how]
  let nowMs = Date.now()
  let forwarded = 0
  const pipeline = buildPipeline(settings, {
    log: { error: () => undefined },
    nowMs: () => nowMs,
    seed: 1,
    forward(_send: Send, { bytes, spans }: Chunk) {
      forwarded += spans
      pipeline.reuse(bytes)
    }
  })
  const round = async (): Promise<void> => {
    pipeline.tick((nowMs += 50))
    await pipeline.settled()
  }
  /** A body for each: those go to their workers as they are. */
  const take = async (): Promise<void> => {
    for (let i = 0; i < REQUESTS; i++) await takeOnce(pipeline, traceBody('any', [spanBytes()]))
    await round()
  }
  await pipeline.ready()
  const threads = await shardThreads()
  await take()
  await threads.evaluate(expression)
  while (counted(pipeline, 'tail_shard_restarts_total') === 0) {
    await round()
    await pause(ROUND_MS)
  }
  threads.close()
  const lost = counted(pipeline, 'tail_shard_lost_spans_total')
  expect(lost).toBeGreaterThan(0)
  expect(lost).toBeLessThan(REQUESTS)
  expect(counted(pipeline, 'tail_shard_lost_spans_total', reason)).toBe(lost)
  expect(counted(pipeline, 'tail_shard_unsent_spans_total')).toBe(lost)

  const untaken = (): number =>
    counted(pipeline, 'tail_shard_routed_bytes_total') - counted(pipeline, 'tail_shard_taken_bytes_total')
  const diedUntaken = untaken()
  await take()
  // A thread that has just begun may be slower than a round on a busy machine.
  while (untaken() > diedUntaken) await round()
  await pipeline.shutdown(nowMs)
  expect(counted(pipeline, 'tail_traces_closed_total')).toBe(2 * REQUESTS - lost)
  expect(forwarded).toBe(2 * REQUESTS - lost)
  expect(counted(pipeline, 'tail_shard_lost_spans_total')).toBe(lost)
})
