import { expect, test } from '@jest/globals'
import {
  ClosedFlag,
  createClosedDraft,
  createClosedTraces,
  fingerprintCount
} from '../../../src/assemble/closed-traces.ts'

const MIB = 2 ** 20

function createMemory(bytesMax = 4 * MIB) {
  const counts = { forgotten: 0 }
  const closed = createClosedTraces({ windowMs: 1_000, bytesMax, seed: 1, forgotten: () => (counts.forgotten += 1) })
  const draft = createClosedDraft()
  const idOf = (trace: number): Uint32Array => Uint32Array.of(1, 2, trace, 3)
  return {
    closed,
    counts,
    remember: (trace: number, spans: number, nowMs: number) => {
      draft.isFirst = closed.find(idOf(trace), 0, nowMs) === undefined
      draft.flags = ClosedFlag.whole
      draft.fingerprints = Int32Array.from({ length: spans }, (_, i) => i)
      draft.fingerprintCount = spans
      closed.remember(idOf(trace), draft, nowMs)
    },
    spansOf: (trace: number, nowMs: number): number | undefined => {
      const record = closed.find(idOf(trace), 0, nowMs)
      return record === undefined ? undefined : fingerprintCount(record)
    }
  }
}

test('a closed trace is remembered until its window is over', () => {
  const { remember, spansOf } = createMemory()
  remember(7, 3, 0)
  expect(spansOf(7, 999)).toBe(3)
  expect(spansOf(7, 1_000)).toBeUndefined()
  expect(spansOf(8, 0)).toBeUndefined()
})

test('what is remembered later replaces what was before, and outlives it', () => {
  const { closed, remember, spansOf, counts } = createMemory()
  remember(7, 3, 0)
  remember(7, 5, 900)
  closed.expire(1_500, 10)
  expect(spansOf(7, 1_500)).toBe(5)
  closed.expire(2_000, 10)
  expect(spansOf(7, 1_500)).toBeUndefined()
  expect(counts.forgotten).toBe(0)
})

test('no more records are forgotten at once than asked for', () => {
  const { closed, remember, spansOf } = createMemory()
  for (let trace = 0; trace < 10; trace++) remember(trace, 1, 0)
  closed.expire(1_000, 4)
  expect([3, 4].map((trace) => spansOf(trace, 0))).toEqual([undefined, 1])
})

test('with its memory full it forgets the oldest, counts them, and keeps to its limit', () => {
  for (const spans of [1, 8, 16_384]) {
    const { closed, remember, spansOf, counts } = createMemory(2 * MIB)
    const traces = Math.ceil((3 * MIB) / (32 + 4 * spans))
    for (let trace = 0; trace < traces; trace++) remember(trace, spans, 0)
    expect(closed.bytes()).toBeLessThanOrEqual(2 * MIB)
    const known = Array.from({ length: traces }, (_, trace) => spansOf(trace, 0) !== undefined)
    const first = known.indexOf(true)
    expect(known.slice(first).every(Boolean)).toBe(true)
    expect(counts.forgotten).toBe(first)
    expect(traces - first).toBeGreaterThan(traces / 4)
  }
})

test('memory that is no longer needed is given back', () => {
  const { closed, remember } = createMemory(64 * MIB)
  for (let trace = 0; trace < 20_000; trace++) remember(trace, 64, 0)
  const most = closed.bytes()
  closed.expire(1_000, 20_000)
  expect(closed.bytes()).toBeLessThan(most / 3)
})

test('more than two to the 32nd milliseconds after the first record, windows are still exact', () => {
  const { remember, spansOf } = createMemory()
  const late = 2 ** 32 - 500
  remember(7, 1, late)
  expect(spansOf(7, late + 999)).toBe(1)
  expect(spansOf(7, late + 1_000)).toBeUndefined()
})
