import { once } from 'node:events'
import { EventEmitter } from 'node:events'
import { expect, jest, test } from '@jest/globals'
import { createShardThread } from '../../../src/pipeline/shard-thread.ts'
import { loadSettings } from '../../../src/settings/settings.ts'

// Starts threads, on machines that may be busy.
jest.setTimeout(60_000)

test('a thread that ends is started again, and what was on its way to it is lost and said', async () => {
  const events = new EventEmitter()
  const errors: unknown[] = []
  const { decompose, ...settings } = loadSettings('', 'defaults', {})
  const thread = createShardThread({
    // Memory that is not there: the thread fails as soon as it looks for it.
    start: () => ({
      settings: { ...settings, decompose: { ...decompose, rules: [] } },
      buffers: [],
      thread: 1,
      shards: 1,
      seed: 1,
      rules: ['[]'],
      startMs: 0,
      hurried: false,
      forwards: false
    }),
    heapMib: 128,
    log: { error: (fields) => errors.push(fields) },
    onTaken: () => undefined,
    onFound: () => undefined,
    onMarked: () => undefined,
    onStarted: () => undefined,
    onForward: () => undefined,
    onEnded: (ended) => events.emit('ended', ended)
  })
  const first = once(events, 'ended')
  const message = { kind: 'spans', bytes: new ArrayBuffer(8), length: 8, order: new ArrayBuffer(12), spans: 3 } as const
  thread.load({ ...message, logged: undefined, passedOn: false, nowMs: 0 }, { spans: 3, length: 8 })
  expect(thread.queuedBytes()).toBe(8)
  expect(await first).toEqual([{ why: 'failed', lostSpans: 3, unsentSpans: 3 }])
  expect(thread.queuedBytes()).toBe(0)
  expect(thread.isRunning()).toBe(false)
  expect(await once(events, 'ended')).toEqual([{ why: 'failed', lostSpans: 0, unsentSpans: 0 }])
  expect(errors).toHaveLength(2)
  await thread.end()
})
