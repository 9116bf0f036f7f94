import { expect, test } from '@jest/globals'
import { createIntervals, type Intervals } from '../../../../src/decompose/judge/inference/intervals.ts'
import { unionNs } from '../../../../src/decompose/judge/inference/unions.ts'
import { createSharedMemory } from '../../../../src/runtime/shared-memory.ts'
import { wholeNumbers } from '../../../builders/whole-numbers.ts'

interface Interval {
  readonly key: number
  readonly fromNs: number
  readonly toNs: number
}

const SECOND = 1e9

const ringOf = (rowsMax: number, pushedOut = (): void => undefined): Intervals =>
  createIntervals({ rowsMax, memory: createSharedMemory(), pushedOut })

/** Lengths from nothing to minutes, so that every level is used. */
function drawn(below: (n: number) => number): Interval {
  const fromNs = below(200 * SECOND)
  const scales = [1, 1e3, 1e6, 30e6, 300e6, 2 * SECOND, 20 * SECOND, 100 * SECOND]
  return { key: below(3), fromNs, toNs: fromNs + below(scales[below(scales.length)] ?? 1) }
}

test.each([1, 2, 3, 4])(
  'finds exactly what overlaps among the latest, whatever the order of arrival (seed %d)',
  (seed) => {
    const below = wholeNumbers(seed)
    const rowsMax = 1 << (10 + (seed % 3))
    const ring = ringOf(rowsMax)
    const rowOf = new Map<number, Interval>()
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 200; i++) {
        const one = drawn(below)
        ring.next[0] = one.fromNs
        ring.next[1] = one.toNs
        rowOf.set(ring.add(one.key), one)
      }
      const asked = drawn(below)
      const found: Interval[] = []
      const seen = new Set<number>()
      const all = ring.each(asked.key, asked.fromNs, asked.toNs, (row) => {
        expect(seen.has(row)).toBe(false)
        seen.add(row)
        found.push({ key: asked.key, fromNs: ring.fromNs(row), toNs: ring.toNs(row) })
      })
      const expected = [...rowOf.values()].filter(
        ({ key, fromNs, toNs }) => key === asked.key && fromNs <= asked.toNs && toNs >= asked.fromNs
      )
      const order = (a: Interval, b: Interval): number => a.fromNs - b.fromNs || a.toNs - b.toNs
      expect(all).toBe(true)
      expect(found.sort(order)).toEqual(expected.sort(order))
    }
    expect(rowOf.size).toBe(rowsMax)
  }
)

test('counts what is pushed out while it may still be asked for, and forgets all when cleared', () => {
  let pushedOut = 0
  const ring = ringOf(1024, () => {
    pushedOut += 1
  })
  const add = (fromNs: number): void => {
    ring.next[0] = fromNs
    ring.next[1] = fromNs + 1
    ring.add(1)
  }
  for (let i = 0; i < 1024 + 10; i++) add(i)
  expect(pushedOut).toBe(10)
  add(3600 * SECOND)
  add(3600 * SECOND)
  expect(pushedOut).toBe(11)
  ring.clear()
  let found = 0
  ring.each(1, 0, 7200 * SECOND, () => {
    found += 1
  })
  expect(found).toBe(0)
})

test('a question with too much to look at is answered as incomplete', () => {
  const ring = ringOf(1 << 16)
  for (let i = 0; i < 40_000; i++) {
    ring.next[0] = i
    ring.next[1] = i + 10
    ring.add(1)
  }
  expect(ring.each(1, 0, 40_000, () => undefined)).toBe(false)
})

test.each([1, 2, 3])('the length of a union is that of the painted cells (seed %d)', (seed) => {
  const below = wholeNumbers(seed)
  for (let round = 0; round < 200; round++) {
    const n = below(12)
    const from = Float64Array.from({ length: n + 3 }, () => below(60))
    const to = from.map((start) => start + below(20))
    const cells = new Set<number>()
    for (let i = 0; i < n; i++) for (let ns = from[i] as number; ns < (to[i] as number); ns++) cells.add(ns)
    expect(unionNs(from, to, n)).toBe(cells.size)
  }
})
