import { expect, test } from '@jest/globals'
import { createBudget } from '../../../src/accept/budget.ts'
import { free } from '../../../src/runtime/free-memory.ts'

const KIB = 1024

test('lends until the budget is spent, and again when something came back', () => {
  const budget = createBudget(100 * KIB)
  const first = budget.lend(60 * KIB)
  expect(first?.length).toBe(64 * KIB)
  expect(budget.lend(60 * KIB)).toBeUndefined()
  expect(budget.fits(36 * KIB)).toBe(true)
  expect(budget.fits(36 * KIB + 1)).toBe(false)
  if (first !== undefined) budget.giveBack(first)
  expect(budget.memory()).toEqual({ inFlightBytes: 0, pooledBytes: 64 * KIB })
  expect(budget.lend(50 * KIB)).toBe(first)
  expect(budget.memory()).toEqual({ inFlightBytes: 64 * KIB, pooledBytes: 0 })
})

test('what is kept for later is bounded, and large buffers are not kept', () => {
  const budget = createBudget(1024 * KIB * KIB)
  const lent = Array.from({ length: 40 }, () => budget.lend(1024 * KIB))
  const large = budget.lend(3 * 1024 * KIB)
  for (const buffer of [...lent, large]) if (buffer !== undefined) budget.giveBack(buffer)
  expect(budget.memory()).toEqual({ inFlightBytes: 0, pooledBytes: 16 * 1024 * KIB })
  expect(large?.buffer.detached).toBe(true)
})

test('reservations count like buffers', () => {
  const budget = createBudget(10)
  expect(budget.reserve(7)).toBe(true)
  expect(budget.reserve(4)).toBe(false)
  budget.release(7)
  expect(budget.reserve(10)).toBe(true)
})

test('freeing leaves memory alone that others share', () => {
  const whole = Buffer.from(new ArrayBuffer(64))
  const part = whole.subarray(0, 63)
  free(part)
  expect(whole.length).toBe(64)
  free(whole)
  expect(whole.length).toBe(0)
})

test('what was freed may be freed again: two may have had enough of the same piece', () => {
  const buffer = Buffer.allocUnsafeSlow(1 << 16)
  free(buffer)
  free(buffer)
  expect(buffer.length).toBe(0)
})
