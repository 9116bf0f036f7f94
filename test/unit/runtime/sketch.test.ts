import { expect, test } from '@jest/globals'
import {
  SKETCH_BINS,
  SKETCH_OFFSET,
  SKETCH_SCALE,
  sketchBin,
  sketchBound,
  sketchQuantile
} from '../../../src/runtime/sketch.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

test('a value lies within the bounds of its bin, and bins are numbered as exponential histograms of seconds', () => {
  const below = wholeNumbers(3)
  for (let i = 0; i < 20_000; i++) {
    const ns = Math.round(2 ** (10 + below(3_900_000) / 100_000))
    const bin = sketchBin(ns)
    const seconds = ns / 1e9
    const index = SKETCH_OFFSET + bin
    const lower = 2 ** (index / 2 ** SKETCH_SCALE)
    expect(seconds).toBeGreaterThan(lower * (1 - 1e-12))
    expect(seconds).toBeLessThanOrEqual(lower * 2 ** (1 / 2 ** SKETCH_SCALE) * (1 + 1e-12))
  }
})

test('a power of two of a second is the upper bound of its bin', () => {
  expect(sketchBound(sketchBin(1e9))).toBe(1e9)
  expect(sketchBound(sketchBin(250_000_000))).toBe(250_000_000)
})

test('what is too small or too large falls in the first and the last bin', () => {
  expect([sketchBin(0), sketchBin(1), sketchBin(476)]).toEqual([0, 0, 0])
  expect([sketchBin(2 ** 52), sketchBin(2 ** 53)]).toEqual([SKETCH_BINS - 1, SKETCH_BINS - 1])
})

test('quantiles are off by less than the width of a bin', () => {
  const below = wholeNumbers(5)
  const cells = new Float64Array(SKETCH_BINS)
  const values = Array.from({ length: 5000 }, () => Math.round(1e6 * Math.exp(below(5000) / 1000))).sort(
    (a, b) => a - b
  )
  for (const value of values) {
    const bin = sketchBin(value)
    cells[bin] = (cells[bin] as number) + 1
  }
  for (const q of [0.5, 0.95, 0.99]) {
    const exact = values[Math.ceil(q * values.length) - 1] as number
    const estimate = sketchQuantile(cells, 0, q)
    expect(estimate / exact).toBeGreaterThanOrEqual(1 - 1e-9)
    expect(estimate / exact).toBeLessThan(1.0219)
  }
  expect(sketchQuantile(new Float64Array(SKETCH_BINS), 0, 0.5)).toBeNaN()
})
