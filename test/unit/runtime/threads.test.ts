import { Worker } from 'node:worker_threads'
import { expect, test } from '@jest/globals'
import { createSharedMemory } from '../../../src/runtime/shared-memory.ts'
import { type HammerData, type HammerReport, hammerTables } from './hammer-tables.ts'

const SHARDS = 3
const MESSAGES = 1_500

/** A thread at work: its report comes once it is done. */
function startThread(data: HammerData) {
  const worker = new Worker(new URL('hammer-thread.ts', import.meta.url), { workerData: data })
  let marked: (() => void) | undefined
  const report = new Promise<HammerReport>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (said: HammerReport | 'marked') => {
      if (said === 'marked') marked?.()
      else resolve(said)
    })
  })
  return {
    report,
    mark: () =>
      new Promise<void>((resolve) => {
        marked = resolve
        worker.postMessage('mark')
      }),
    end: () => worker.terminate()
  }
}

// Scenario: three threads intern, make rows and learn at once; meanwhile the main one publishes, trims and sweeps.
// Guarantees: a text has one id and one row in all threads, both give it back whatever was swept, and no lesson is lost.
test('threads agree on every name and row, and lose nothing that they taught, through publications and sweeps', async () => {
  const memory = createSharedMemory()
  const { strings, resources, bodies, world } = hammerTables(memory, SHARDS)
  const threads = Array.from({ length: SHARDS }, (_, i) =>
    startThread({ buffers: memory.buffers(), thread: i + 1, shards: SHARDS, messages: MESSAGES })
  )
  let busy = SHARDS
  for (const { report } of threads) {
    void report.then(() => {
      busy -= 1
    })
  }
  let sweeps = 0
  const sweep = (): void => {
    resources.sweep(resources.marks)
    resources.mark(strings.marks)
    strings.sweep(strings.marks)
    sweeps += 1
  }
  while (busy > 0) {
    world.alone(bodies.publish, 1_000)
    resources.beginMarking()
    strings.beginMarking()
    await Promise.all(threads.map(({ mark }) => mark()))
    while (!world.alone(sweep, 1_000));
  }
  const reports = await Promise.all(threads.map(({ report }) => report))
  await Promise.all(threads.map(({ end }) => end()))

  expect(sweeps).toBeGreaterThan(3)
  const idOf = new Map<string, number>()
  const rowOf = new Map<string, number>()
  for (const { ids, rows, wrong } of reports) {
    expect(wrong).toEqual([])
    expect(ids.length).toBeGreaterThan(0)
    for (const [text, id] of ids) expect([text, idOf.get(text) ?? id]).toEqual([text, id])
    for (const [text, row] of rows) expect([text, rowOf.get(text) ?? row]).toEqual([text, row])
    for (const [text, id] of ids) idOf.set(text, id)
    for (const [text, row] of rows) rowOf.set(text, row)
  }
  let seen = 0
  world.alone(bodies.publish, 1_000)
  bodies.each((_, pieces) => {
    seen += pieces
  })
  expect(seen).toBe(reports.reduce((sum, { lessons }) => sum + lessons, 0))
  expect(seen).toBe(SHARDS * MESSAGES * 20)
})
