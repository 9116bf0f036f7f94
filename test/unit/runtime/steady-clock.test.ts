import { expect, test } from '@jest/globals'
import { createSteadyClock } from '../../../src/runtime/steady-clock.ts'

const HOUR_MS = 3_600_000
const STARTED_MS = 1_800_000_000_000

/** A clock over a wall clock that can be set and a monotonic one that only passes. */
function clockUnderTest(): { nowMs: () => number; pass: (ms: number) => void; set: (byMs: number) => void } {
  let wall = STARTED_MS
  let monotonic = 5_000
  const nowMs = createSteadyClock(
    () => wall,
    () => monotonic
  )
  return {
    nowMs,
    pass(ms) {
      wall += ms
      monotonic += ms
    },
    set(byMs) {
      wall += byMs
    }
  }
}

test('it is the wall clock as long as nobody sets that', () => {
  const clock = clockUnderTest()
  clock.pass(1_234)
  expect(clock.nowMs()).toBe(STARTED_MS + 1_234)
})

test.each([HOUR_MS, -HOUR_MS])('a wall clock set by %d ms changes no second by more than a tenth', (byMs) => {
  const clock = clockUnderTest()
  clock.set(byMs)
  for (let second = 1; second <= 100; second++) {
    const before = clock.nowMs()
    clock.pass(1_000)
    const passedMs = clock.nowMs() - before
    expect(passedMs).toBeGreaterThanOrEqual(899)
    expect(passedMs).toBeLessThanOrEqual(1_101)
  }
})

test.each([60_000, -60_000])('it is back with a wall clock set by %d ms after ten times as long', (byMs) => {
  const clock = clockUnderTest()
  clock.set(byMs)
  for (let second = 0; second < 600; second++) {
    clock.pass(1_000)
    clock.nowMs()
  }
  expect(Math.abs(clock.nowMs() - (STARTED_MS + 600_000 + byMs))).toBeLessThanOrEqual(1)
})
