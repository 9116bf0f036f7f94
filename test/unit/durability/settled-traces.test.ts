import { expect, test } from '@jest/globals'
import { createSettledTraces, openSettledTraces } from '../../../src/durability/settled-traces.ts'

const id = (value: number): Uint32Array => Uint32Array.of(1, 2, 3, value)

test('a trace is settled through the last sequence said of it, and no other trace is', () => {
  const settled = createSettledTraces(10)
  settled.add(id(1), 5, 1)
  settled.add(id(1), 9, 1)
  expect([settled.through(id(1), 0), settled.through(id(2), 0)]).toEqual([9, -1])
})

test('what came late in three parts is settled when all three are, and until then only what was before', () => {
  const settled = createSettledTraces(10)
  settled.add(id(1), 5, 1)
  settled.add(id(1), 9, 3)
  settled.add(id(1), 9, 3)
  expect(settled.through(id(1), 0)).toBe(5)
  settled.add(id(1), 9, 3)
  expect(settled.through(id(1), 0)).toBe(9)
})

test('a hundred thousand traces are all found; one over the limit finds no place', () => {
  const settled = createSettledTraces(100_000)
  for (let i = 0; i < 100_000; i++) expect(settled.add(id(i), i, 1)).toBe(true)
  expect(settled.add(id(100_000), 1, 1)).toBe(false)
  expect(settled.add(id(7), 8, 1)).toBe(true)
  for (const i of [0, 8, 65_537, 99_999]) expect(settled.through(id(i), 0)).toBe(i)
})

test('another thread finds what was said, once all of it was', () => {
  const settled = createSettledTraces(10_000)
  for (let i = 0; i < 2_000; i++) settled.add(id(i), i, 1)
  const through = openSettledTraces(settled.shared())
  for (const i of [0, 1_999]) expect(through(id(i), 0)).toBe(i)
  expect(through(id(2_000), 0)).toBe(-1)
})
