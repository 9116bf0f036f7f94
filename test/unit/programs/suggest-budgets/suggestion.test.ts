import { expect, test } from '@jest/globals'
import { type Observed, requestsNeeded, roundUp, suggest } from '../../../../src/programs/suggest-budgets/suggestion.ts'

const MS = 1e6
const observed = (given: Partial<Observed> = {}): Observed => ({
  service: 'shop',
  operation: 'GET /cart',
  class: 'request',
  requests: 5_000,
  quantilesNs: { p50: 20 * MS, p95: 84.2 * MS, p99: 231 * MS, 'p99.9': 1_200 * MS },
  ...given
})

test('a quantile needs as many requests as its interval has ends with', () => {
  expect((['p50', 'p95', 'p99', 'p99.9'] as const).map(requestsNeeded)).toEqual([6, 72, 368, 3_688])
})

test.each([
  [231 * MS, 250 * MS],
  [250 * MS, 250 * MS],
  [250 * MS + 1, 300 * MS],
  [9.1 * MS, 10 * MS],
  [1e9, 1e9],
  [1.01e9, 1.2e9],
  [700, 1_000],
  [12, 1_000]
])('%d ns are rounded up to %d', (ns, rounded) => {
  expect(roundUp(ns)).toBe(rounded)
})

test('whatever was seen, its target is at least that, and less than half as much again', () => {
  for (let ns = 1_000; ns < 1e12; ns *= 1.013) {
    const target = roundUp(ns)
    expect([ns, target >= ns, target / ns < 1.34]).toEqual([ns, true, true])
  }
})

test('targets are what was seen and a tenth more, rounded; of the quantiles that were asked for', () => {
  const { suggested, leftOut } = suggest([observed()], ['p95', 'p99'])
  expect(leftOut).toEqual([])
  expect(suggested).toEqual([
    {
      service: 'shop',
      operation: 'GET /cart',
      requests: 5_000,
      targets: [
        { quantile: 'p95', seenNs: 84.2 * MS, targetNs: 100 * MS },
        { quantile: 'p99', seenNs: 231 * MS, targetNs: 300 * MS }
      ]
    }
  ])
})

test('the busiest come first, and a quantile on too few requests is not suggested', () => {
  const { suggested } = suggest(
    [observed({ requests: 367 }), observed({ operation: 'POST /buy', requests: 368 })],
    ['p95', 'p99']
  )
  expect(suggested.map(({ operation, targets }) => [operation, ...targets.map(({ quantile }) => quantile)])).toEqual([
    ['POST /buy', 'p95', 'p99'],
    ['GET /cart', 'p95']
  ])
})

test('what gets no suggestion is told with the reason', () => {
  const none = { p50: null, p95: null, p99: null, 'p99.9': null }
  const { suggested, leftOut } = suggest(
    [
      observed({ operation: 'few', requests: 71 }),
      observed({ operation: 'unseen', requests: 72, quantilesNs: none }),
      observed({ operation: 'events', class: 'stream' }),
      observed({ operation: 'picked', unfit: 'tail sampling' })
    ],
    ['p95', 'p99']
  )
  expect(suggested).toEqual([])
  expect(leftOut.map(({ operation, why }) => `${operation}: ${why}`)).toEqual([
    'few: too few requests: 71, at least 72 are needed',
    'unseen: too few requests: 72, at least 72 are needed',
    'events: stream operations have no budgets',
    'picked: tail sampling'
  ])
})
