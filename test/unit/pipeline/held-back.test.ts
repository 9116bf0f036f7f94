import { expect, test } from '@jest/globals'
import { createHeldBack } from '../../../src/pipeline/held-back.ts'

test('what was taken since a shard was asked is held back until it has answered again', () => {
  const held = createHeldBack(1)
  expect(held.oldest()).toBe(Infinity)
  held.taken(7)
  expect(held.oldest()).toBeLessThanOrEqual(7)
  held.asked(0)
  held.taken(8)
  expect(held.oldest()).toBeLessThanOrEqual(7)
  held.answered(0, Infinity)
  expect(held.oldest()).toBe(8)
  held.asked(0)
  held.answered(0, 8)
  expect(held.oldest()).toBe(8)
  held.asked(0)
  held.answered(0, Infinity)
  expect(held.oldest()).toBe(Infinity)
})

test('the shard that is furthest behind holds back for all', () => {
  const held = createHeldBack(2)
  held.taken(1)
  for (const shard of [0, 1]) held.asked(shard)
  held.answered(0, Infinity)
  held.answered(1, 1)
  held.taken(2)
  expect([held.of(0), held.of(1), held.oldest()]).toEqual([2, 1, 1])
})

test('a request that is read again moves nothing', () => {
  const held = createHeldBack(1)
  held.taken(9)
  held.asked(0)
  held.answered(0, Infinity)
  held.taken(3)
  expect(held.oldest()).toBe(Infinity)
})
