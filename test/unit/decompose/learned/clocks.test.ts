import { expect, test } from '@jest/globals'
import { createClocks } from '../../../../src/decompose/learned/clocks.ts'
import { createSharedMemory } from '../../../../src/runtime/shared-memory.ts'

const AHEAD_NS = 5e6

test('an offset that was loaded stands until enough calls were seen to say otherwise', () => {
  const clocks = createClocks(10, createSharedMemory())
  clocks.set(1, 2, AHEAD_NS)
  for (let calls = 1; calls < 16; calls++) {
    clocks.learn(1, 2, -1e3, 1e3)
    clocks.publish()
    expect(clocks.offsetNs(1, 2)).toBe(AHEAD_NS)
    expect(clocks.offsetNs(2, 1)).toBe(-AHEAD_NS)
  }
  clocks.learn(1, 2, -1e3, 1e3)
  clocks.publish()
  // Sixteen calls within which both clocks may agree.
  expect(clocks.offsetNs(1, 2)).toBe(0)
})

test('clocks are settled once enough calls have spoken and what they said is published, whichever way they are asked', () => {
  const clocks = createClocks(10, createSharedMemory())
  for (let calls = 1; calls <= 15; calls++) clocks.learn(1, 2, -1e3, 1e3)
  clocks.publish()
  expect(clocks.settled(1, 2)).toBe(false)
  clocks.learn(1, 2, -1e3, 1e3)
  expect(clocks.settled(1, 2)).toBe(false)
  clocks.publish()
  expect([clocks.settled(1, 2), clocks.settled(2, 1), clocks.settled(1, 3)]).toEqual([true, true, false])
  clocks.set(1, 3, AHEAD_NS)
  expect(clocks.settled(1, 3)).toBe(true)
})
