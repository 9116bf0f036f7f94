import { expect, test } from '@jest/globals'
import {
  addExact,
  createExactSums,
  exactSeconds,
  exactToBigInt,
  exactToNumber,
  mergeExact
} from '../../../src/runtime/exact-sums.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

test('sums stay exact far past 2^53', () => {
  const below = wholeNumbers(1)
  const one = createExactSums(1)
  const two = createExactSums(1)
  let expected = 0n
  for (let i = 0; i < 5000; i++) {
    const ns = below(2 ** 31) * 2 ** 20 + below(2 ** 20)
    addExact(i % 2 === 0 ? one : two, 0, ns)
    expected += BigInt(ns)
  }
  mergeExact(one, two)
  expect(expected > 2n ** 60n).toBe(true)
  expect(exactToBigInt(one, 0)).toBe(expected)
  expect(exactToNumber(one, 0)).toBe(Number(expected))
  const [seconds, rest = ''] = exactSeconds(one, 0).split('.')
  expect(BigInt((seconds ?? '') + rest.padEnd(9, '0'))).toBe(expected)
})

test('seconds are written with every digit and no more', () => {
  const sums = createExactSums(1)
  const written = [0, 1, 10, 999_999_999, 500_000_000, 1].map((ns) => {
    addExact(sums, 0, ns)
    return exactSeconds(sums, 0)
  })
  expect(written).toEqual(['0', '0.000000001', '0.000000011', '1.00000001', '1.50000001', '1.500000011'])
})
