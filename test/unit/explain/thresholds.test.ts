import { expect, test } from '@jest/globals'
import { createThresholds, REQUESTS_MIN, type Thresholds } from '../../../src/explain/thresholds.ts'
import { createSketchStore } from '../../../src/explain/sketch-store.ts'
import { SKETCH_BINS, sketchBin } from '../../../src/runtime/sketch.ts'
import { MINUTE_MS, random, START_MS } from './explainers.ts'

interface Rig {
  readonly thresholds: Thresholds
  readonly ns: Float64Array
  /** Everything since the row appeared, as its sketch shows it. */
  readonly counted: () => number
  readonly lost: () => number
  readonly observe: (ns: number, nowMs: number, weight?: number) => void
}

function rig(sketchBytesMax = 1 << 20): Rig {
  const ns = new Float64Array(4).fill(NaN)
  let lost = 0
  const onOverflow = (): void => {
    lost += 1
  }
  const totals = createSketchStore(Float64Array, 1 << 20)
  totals.ensure(1)
  const target = (): Float64Array => ns
  const onChanged = (): void => undefined
  const windowMs = 10 * MINUTE_MS
  const thresholds = createThresholds({ windowMs, sketchBytesMax, totals, target, onOverflow, onChanged })
  thresholds.ensureRows(1)
  return {
    thresholds,
    ns,
    counted() {
      const cells = new Float64Array(SKETCH_BINS)
      totals.addTo(0, cells)
      thresholds.addPresentTo(0, cells)
      return cells.reduce((sum, count) => sum + count, 0)
    },
    lost: () => lost,
    observe(value, nowMs, weight = 1) {
      thresholds.advance(nowMs)
      thresholds.observe(0, sketchBin(value), weight)
    }
  }
}

test('thresholds are within 2.2 % of the exact quantiles of the window', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const draw = random(seed)
    const { thresholds, ns, observe } = rig()
    const last: number[] = []
    for (let minute = 0; minute < 25; minute++) {
      for (let i = 0; i < 200; i++) {
        const value = Math.round(1e6 * (1 + minute) * Math.exp(draw() * 4))
        observe(value, START_MS + minute * MINUTE_MS + i)
        if (minute >= 15) last.push(value)
      }
    }
    thresholds.advance(START_MS + 25 * MINUTE_MS)
    thresholds.settle(0)
    last.sort((a, b) => a - b)
    for (const [i, q] of [0.5, 0.95, 0.99, 0.999].entries()) {
      const exact = last[Math.ceil(q * last.length) - 1] as number
      expect({ seed, q, ok: Math.abs((ns[i] as number) / exact - 1) <= 0.022 }).toEqual({ seed, q, ok: true })
    }
    expect(thresholds.requests(0)).toBe(last.length)
  }
})

test('there is no threshold below 200 requests, and the 200th brings it before any slice has passed', () => {
  const { ns, observe } = rig()
  for (let i = 1; i < REQUESTS_MIN; i++) observe(1e6, START_MS)
  expect([...ns]).toEqual([NaN, NaN, NaN, NaN])
  observe(1e6, START_MS)
  expect(ns[0]).toBeGreaterThanOrEqual(1e6)
})

test('thresholds stand still within a slice once the first has passed', () => {
  const { ns, observe } = rig()
  for (let i = 0; i < 300; i++) observe(1e6, START_MS)
  observe(1e6, START_MS + MINUTE_MS)
  const before = [...ns]
  for (let i = 0; i < 5_000; i++) observe(1e9, START_MS + MINUTE_MS + i)
  expect([...ns]).toEqual(before)
  observe(1e9, START_MS + 2 * MINUTE_MS)
  expect(ns[0]).toBeGreaterThan(9e8)
})

test('what is older than the window no longer counts', () => {
  const { thresholds, ns, observe } = rig()
  for (let i = 0; i < 1_000; i++) observe(1e9, START_MS)
  for (let i = 0; i < 300; i++) observe(1e6, START_MS + 5 * MINUTE_MS)
  thresholds.advance(START_MS + 10 * MINUTE_MS)
  thresholds.settle(0)
  expect(ns[2]).toBeGreaterThan(9e8)
  thresholds.advance(START_MS + 11 * MINUTE_MS)
  thresholds.settle(0)
  expect(ns[2]).toBeLessThan(1.1e6)
  expect(thresholds.requests(0)).toBe(300)
})

test('an operation that falls below 200 requests in the window loses its thresholds', () => {
  const { thresholds, ns, observe } = rig()
  for (let i = 0; i < 300; i++) observe(1e6, START_MS)
  thresholds.advance(START_MS + 60 * MINUTE_MS)
  thresholds.settle(0)
  expect([...ns]).toEqual([NaN, NaN, NaN, NaN])
})

test('weights move the quantiles, but only requests seen make 200', () => {
  const { ns, observe } = rig()
  for (let i = 0; i < 199; i++) observe(1e6, START_MS, 1_000)
  expect(ns[0]).toBeNaN()
  observe(1e9, START_MS, 1_000_000)
  expect(ns[0]).toBeGreaterThan(9e8)
})

test('a clock that goes backward changes nothing', () => {
  const { ns, observe } = rig()
  for (let i = 0; i < 300; i++) observe(1e6, START_MS)
  observe(1e6, START_MS - 30 * MINUTE_MS)
  expect(ns[0]).toBeGreaterThanOrEqual(1e6)
})

test('a full sketch store says so instead of growing', () => {
  const { lost, observe, thresholds } = rig(4 * 128)
  for (let octave = 10; octave < 40; octave++) observe(2 ** octave + 1, START_MS)
  expect(lost()).toBe(26)
  expect(thresholds.bytes()).toBeLessThan(10_000)
})

test('a cleared row starts from nothing', () => {
  const { thresholds, ns, observe } = rig()
  for (let i = 0; i < 250; i++) observe(1e9, START_MS)
  thresholds.clearRow(0)
  ns.fill(NaN)
  for (let i = 0; i < 199; i++) observe(1e6, START_MS)
  expect(ns[0]).toBeNaN()
  observe(1e6, START_MS)
  expect(ns[3]).toBeLessThan(1.1e6)
})

test('totals and the present slice together hold every request once, through slices short and long', () => {
  const draw = random(9)
  const { counted, observe, thresholds } = rig()
  let nowMs = START_MS
  let weights = 0
  for (let i = 0; i < 3_000; i++) {
    nowMs += Math.floor(draw() * 20_000) + (draw() < 0.01 ? 30 * MINUTE_MS : 0)
    const weight = 1 + Math.floor(draw() * 5)
    weights += weight
    observe(1e6 * (1 + draw()), nowMs, weight)
    if (draw() < 0.1) thresholds.settle(0)
    if (i % 100 === 0) expect(counted()).toBe(weights)
  }
  expect(counted()).toBe(weights)
})

test('thresholds that a row begins with stand until it has its own, or its window has passed', () => {
  const given = Float64Array.of(1e6, 2e6, 3e6, 4e6)
  const busy = rig()
  busy.thresholds.advance(START_MS)
  busy.thresholds.begin(0, given, 5_000)
  expect([...busy.ns]).toEqual([...given])
  expect(busy.thresholds.requests(0)).toBe(5_000)
  for (let i = 0; i < REQUESTS_MIN; i++) busy.observe(50e6, START_MS + i)
  // Not in the middle of the first slice, when the first few would speak for all.
  expect([...busy.ns]).toEqual([...given])
  busy.observe(50e6, START_MS + MINUTE_MS)
  expect(busy.ns[0]).toBeGreaterThan(49e6)

  const quiet = rig()
  quiet.thresholds.advance(START_MS)
  quiet.thresholds.begin(0, given, 5_000)
  for (let minute = 0; minute <= 10; minute++) {
    expect([...quiet.ns]).toEqual([...given])
    quiet.observe(50e6, START_MS + minute * MINUTE_MS)
  }
  quiet.observe(50e6, START_MS + 11 * MINUTE_MS)
  expect(quiet.ns.every(Number.isNaN)).toBe(true)

  const few = rig()
  few.thresholds.begin(0, given, REQUESTS_MIN - 1)
  expect(few.ns.every(Number.isNaN)).toBe(true)
})
