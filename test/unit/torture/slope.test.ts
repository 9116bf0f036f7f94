import { expect, test } from '@jest/globals'
import { slopeOf } from '../../torture/slope.ts'

test('points on a line have its slope and no doubt', () => {
  const slope = slopeOf([0, 1, 2, 3].map((x) => ({ x, y: 5 + 2 * x })))
  expect(slope.perUnit).toBeCloseTo(2)
  expect(slope.high - slope.low).toBeCloseTo(0)
})

test('the interval is that of a textbook: slope 0.6, standard error 0.2828, 3 degrees of freedom', () => {
  const slope = slopeOf([1, 2, 3, 4, 5].map((x, i) => ({ x, y: [2, 4, 5, 4, 5][i] as number })))
  expect(slope.perUnit).toBeCloseTo(0.6)
  expect(slope.high).toBeCloseTo(0.6 + 3.18 * 0.2828, 3)
  expect(slope.low).toBeCloseTo(0.6 - 3.18 * 0.2828, 3)
})

test('two points say nothing about how sure they are', () => {
  expect(() =>
    slopeOf([
      { x: 0, y: 0 },
      { x: 1, y: 1 }
    ])
  ).toThrow('three points')
})
