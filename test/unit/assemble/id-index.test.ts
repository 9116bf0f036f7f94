import { expect, test } from '@jest/globals'
import {
  createIdIndex,
  hashTraceId,
  insertId,
  removeId,
  seek,
  setValueAt,
  valueAt
} from '../../../src/assemble/id-index.ts'
import { createRandom } from './random.ts'

function valuesOf(index: ReturnType<typeof createIdIndex>, hash: number): number[] {
  const values: number[] = []
  for (let slot = seek(index, hash, hash); slot >= 0; slot = seek(index, hash, slot + 1))
    values.push(valueAt(index, slot))
  return values.sort((a, b) => a - b)
}

test('it holds what a plain map would, whatever is put in and taken out', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createRandom(seed)
    const index = createIdIndex()
    const expected = new Map<number, number[]>()
    for (let step = 0; step < 3_000; step++) {
      // Few hashes, all near the end of the table: long clusters that wrap around.
      const hash = -1 - random(400)
      const values = expected.get(hash) ?? []
      if (random(10) < 6) {
        insertId(index, hash, step)
        expected.set(hash, [...values, step])
      } else if (values.length > 0) {
        const value = values[random(values.length)] as number
        removeId(index, hash, value)
        expected.set(
          hash,
          values.filter((other) => other !== value)
        )
      }
    }
    const found = [...expected.keys()].map((hash) => [seed, hash, ...valuesOf(index, hash)])
    expect(found).toEqual([...expected].map(([hash, values]) => [seed, hash, ...values]))
  }
})

test('a value can be replaced', () => {
  const index = createIdIndex()
  insertId(index, 5, 1)
  setValueAt(index, seek(index, 5, 5), 2)
  expect(valuesOf(index, 5)).toEqual([2])
})

test('each bit of a trace id, and the seed, moves its hash', () => {
  const hashes = new Set<number>([hashTraceId(new Uint32Array(4), 0, 1), hashTraceId(new Uint32Array(4), 0, 2)])
  for (let bit = 0; bit < 128; bit++) {
    const id = new Uint32Array(4)
    id[bit >> 5] = 1 << (bit & 31)
    hashes.add(hashTraceId(id, 0, 1))
  }
  expect(hashes.size).toBe(130)
})
