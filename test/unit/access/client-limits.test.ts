import { expect, test } from '@jest/globals'
import { createClientLimits, type ClientLimits } from '../../../src/access/client-limits.ts'
import { type ClientLimitSettings } from '../../../src/access/settings.ts'
import { createRandom } from '../../builders/random.ts'

let overflown = 0

function limits(overrides: Partial<ClientLimitSettings>): ClientLimits {
  overflown = 0
  const settings = { requestsPerSecond: Infinity, bytesPerSecond: Infinity, burstMs: 10_000, clientsMax: 100 }
  return createClientLimits({ ...settings, ...overrides }, () => void (overflown += 1))
}

/** Requests that are let through, one after the other at one moment. */
function taken(of: ClientLimits, client: string, nowMs: number, asked = 100): number {
  let count = 0
  for (let i = 0; i < asked; i++) if (of.take(client, nowMs) === undefined) count += 1
  return count
}

test('what a burst allows comes at once, then as fast as the average', () => {
  const of = limits({ requestsPerSecond: 2, burstMs: 5_000 })
  expect(taken(of, 'shop', 1_000)).toBe(10)
  expect(of.take('shop', 1_000)).toBe(500)
  expect(taken(of, 'shop', 1_499)).toBe(0)
  expect(taken(of, 'shop', 1_500)).toBe(1)
  expect(taken(of, 'shop', 3_500)).toBe(4)
  expect(taken(of, 'shop', 3_600_000)).toBe(10)
})

test('a client that waits as long as it was told is let in', () => {
  for (const requestsPerSecond of [0.1, 3, 7, 1_000]) {
    const of = limits({ requestsPerSecond, burstMs: 100 })
    let nowMs = 0
    for (let i = 0; i < 50; i++) {
      const waitMs = of.take('shop', nowMs)
      if (waitMs !== undefined) expect(of.take('shop', (nowMs += waitMs))).toBeUndefined()
    }
  }
})

test('a body may overdraw the bytes, and is waited for', () => {
  const of = limits({ bytesPerSecond: 1_000, burstMs: 1_000 })
  expect(of.take('shop', 0)).toBeUndefined()
  of.charge('shop', 5_000, 0)
  expect(of.take('shop', 0)).toBe(4_001)
  expect(of.take('shop', 4_000)).toBe(1)
  expect(of.take('shop', 4_001)).toBeUndefined()
})

test('clients do not feel each other', () => {
  const of = limits({ requestsPerSecond: 1, burstMs: 3_000 })
  expect(taken(of, 'shop', 0)).toBe(3)
  expect(taken(of, '203.0.113.9', 0)).toBe(3)
})

test('the table stays bounded: idle clients make room, else newcomers share one limit', () => {
  const of = limits({ requestsPerSecond: 1, burstMs: 2_000, clientsMax: 3 })
  for (const client of ['a', 'b', 'c']) expect(taken(of, client, 0)).toBe(2)
  expect(taken(of, 'd', 0, 1) + taken(of, 'e', 0, 5)).toBe(2)
  expect(overflown).toBe(6)
  // Nobody can shake off a limit by filling the table.
  expect(of.take('a', 0)).toBe(1_000)
  // After two seconds all are full again, and the longest untouched is forgotten.
  expect(taken(of, 'd', 2_000)).toBe(2)
  expect(overflown).toBe(6)
})

test('a clock that is set back takes nothing and gives nothing', () => {
  const of = limits({ requestsPerSecond: 1, burstMs: 2_000 })
  expect(taken(of, 'shop', 1_000_000)).toBe(2)
  expect(taken(of, 'shop', 0)).toBe(0)
  expect(taken(of, 'shop', 1_000)).toBe(1)
})

test('off is off', () => {
  const of = limits({})
  expect(taken(of, 'shop', 0, 10_000)).toBe(10_000)
  of.charge('shop', 1e12, 0)
  expect(of.take('shop', 0)).toBeUndefined()
})

test.each([1, 2, 3, 4])('over any time no more comes through than burst and average allow (seed %i)', (seed) => {
  const random = createRandom(seed)
  const requestsPerSecond = 0.5 + 20 * random()
  const burstMs = 200 + 5_000 * random()
  const of = limits({ requestsPerSecond, burstMs })
  const burst = Math.max(1, (requestsPerSecond * burstMs) / 1000)
  let nowMs = 0
  let count = 0
  for (let i = 0; i < 2_000; i++) {
    nowMs += Math.floor(200 * random() * random())
    if (of.take('shop', nowMs) === undefined) count += 1
    expect(count).toBeLessThanOrEqual(burst + (requestsPerSecond * nowMs) / 1000 + 1e-6)
  }
  expect(count).toBeGreaterThan(Math.min(2_000, (requestsPerSecond * nowMs) / 1000) * 0.7)
})
