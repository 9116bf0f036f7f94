import { expect, test } from '@jest/globals'
import { createMutex } from '../../../src/runtime/mutex.ts'
import { createSharedMemory, openSharedMemory } from '../../../src/runtime/shared-memory.ts'
import { createWorldLock } from '../../../src/runtime/world-lock.ts'

test('who takes the same columns sees the same cells, of small columns and of one larger than a slab', () => {
  const lengths = [3, 1, 20_000, 9_000_000, 5]
  const memory = createSharedMemory()
  const made = lengths.map((length) => memory.take(Float64Array, length))
  const other = openSharedMemory(memory.buffers(), 1)
  const opened = lengths.map((length) => other.take(Float64Array, length))
  for (const [i, column] of made.entries()) column[column.length - 1] = i + 1
  expect(opened.map((column) => column.at(-1))).toEqual([1, 2, 3, 4, 5])
  expect(opened.map((column) => column[0])).toEqual([0, 2, 0, 0, 0])
})

test('who takes other columns is told', () => {
  const memory = createSharedMemory()
  memory.take(Uint8Array, 100)
  const other = openSharedMemory(memory.buffers(), 1)
  expect(() => other.take(Uint8Array, 101)).toThrow('columns are taken in another order than they were made')
})

test('a mutex held by a thread that ended is let go of for that thread alone', () => {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const [main, shard] = [createMutex(cell, 0), createMutex(cell, 1)]
  shard.lock()
  main.release(2)
  expect(cell[0]).not.toBe(0)
  main.release(1)
  expect(cell[0]).toBe(0)
  main.lock()
  // Too late: it is not its own any more.
  shard.unlock()
  expect(cell[0]).not.toBe(0)
  main.unlock()
  expect(cell[0]).toBe(0)
})

test('a shard in the world puts off who wants it alone, until it leaves or is taken out', () => {
  const memory = createSharedMemory()
  const main = createWorldLock(memory, 2)
  const shard = createWorldLock(openSharedMemory(memory.buffers(), 2), 2)
  let changes = 0
  const change = (): void => {
    changes += 1
  }
  expect(main.alone(change, 0)).toBe(true)
  shard.enter()
  expect([main.alone(change, 0), changes]).toEqual([false, 1])
  shard.leave()
  expect([main.alone(change, 0), changes]).toEqual([true, 2])
  shard.enter()
  main.release(2)
  expect([main.alone(change, 0), changes]).toEqual([true, 3])
  // A change that fails opens the world again.
  expect(() =>
    main.alone(() => {
      throw new Error('no')
    }, 0)
  ).toThrow('no')
  shard.enter()
  shard.leave()
})
