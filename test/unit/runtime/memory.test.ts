import { Worker } from 'node:worker_threads'
import { once } from 'node:events'
import { expect, test } from '@jest/globals'
import { createMemoryCells, createProcessBase, heldByThread } from '../../../src/runtime/memory.ts'
import { residentMemory, threadMemory } from '../../../src/runtime/process-memory.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

const parts = ['spans', 'strings', 'heap'] as const

test('whatever threads report and in whatever order, a part is the sum of what each said last', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = wholeNumbers(seed)
    const threads = 1 + random(6)
    const cells = createMemoryCells({ parts, threads })
    // Other threads have views of their own over the same memory.
    const views = Array.from({ length: threads }, () => createMemoryCells({ parts, threads, buffer: cells.buffer }))
    const last: Record<string, number>[] = views.map(() => ({}))
    for (let step = 0; step < 200; step++) {
      const thread = random(threads)
      const held = Object.fromEntries(parts.filter(() => random(3) > 0).map((part) => [part, random(2 ** 40)]))
      views[thread]?.report(thread, held)
      last[thread] = held
      const expected = parts.map((part) => [part, last.reduce((sum, one) => sum + (one[part] ?? 0), 0)] as const)
      expect([seed, cells.held()]).toEqual([seed, Object.fromEntries(expected.filter(([, bytes]) => bytes > 0))])
      expect(cells.total()).toBe(expected.reduce((sum, [, bytes]) => sum + bytes, 0))
    }
  }
})

test('what another thread writes is seen here', async () => {
  const cells = createMemoryCells({ parts, threads: 2 })
  const source = `const { workerData } = require('node:worker_threads'); new Float64Array(workerData)[4] = 77`
  await once(new Worker(source, { eval: true, workerData: cells.buffer }), 'exit')
  expect(cells.held()).toEqual({ strings: 77 })
})

test('array buffers that no part holds are counted as buffers, and those never touched are not counted', () => {
  const before = heldByThread<'spans' | 'untouched'>({})
  const array = new Uint8Array(64 * 1024 ** 2)
  const after = heldByThread<'spans'>({ spans: 16 * 1024 ** 2, untouched: 8 * 1024 ** 2 })
  const grown = (after.buffers ?? 0) - (before.buffers ?? 0)
  // Others of this process come and go meanwhile.
  expect(Math.abs(grown - (array.length - 24 * 1024 ** 2))).toBeLessThan(8 * 1024 ** 2)
  expect(after).toMatchObject({ spans: 16 * 1024 ** 2 })
  expect(after).not.toHaveProperty('untouched')
})

test('arrays that V8 counts are seen at once, freed as well as made, however short ago the kernel was asked', () => {
  const before = threadMemory().arrayBytes
  const array = new Uint8Array(64 * 1024 ** 2)
  expect(threadMemory().arrayBytes - before).toBeGreaterThan(array.length - 8 * 1024 ** 2)
  array.buffer.transfer(0)
  expect(Math.abs(threadMemory().arrayBytes - before)).toBeLessThan(8 * 1024 ** 2)
})

test('resident is what Node says, in the pages of statm', () => {
  const { bytes } = residentMemory()
  expect(Math.abs(bytes / process.memoryUsage.rss() - 1)).toBeLessThan(0.1)
})

test('the base is what was resident at the start and in no part', () => {
  const base = createProcessBase()
  expect(base.held().runtime).toBe(0)
  base.settle(threadMemory().heapBytes)
  const { bytes, fileBytes } = residentMemory()
  expect(Math.abs((base.held().runtime ?? 0) - (bytes - threadMemory().heapBytes))).toBeLessThan(bytes / 4)
  expect(fileBytes).toBeGreaterThan(0)
  expect(fileBytes).toBeLessThan(bytes)
})
