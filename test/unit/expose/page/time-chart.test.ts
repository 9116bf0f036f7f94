import { expect, test } from '@jest/globals'
import { pointAt, type History } from '../../../../src/expose/page/time-chart.js'

const point = (fromMs: number): History['points'][number] => ({
  from_unix_ms: fromMs,
  to_unix_ms: fromMs + 10,
  requests: 1,
  outcomes: {},
  quantiles_ns: { p50: 1, p95: 1, p99: null, p999: null },
  body: null,
  tail: null
})
const history = (...fromMs: number[]): History => ({
  from_unix_ms: 0,
  to_unix_ms: 100,
  since_unix_ms: 0,
  points: fromMs.map(point),
  versions: []
})

test('the point under the pointer is the nearest one, wherever there are none', () => {
  const found = history(0, 10, 80)
  expect([0, 0.1, 0.2, 0.5, 0.75, 1].map((at) => pointAt(found, at))).toEqual([0, 0, 1, 1, 2, 2])
  expect(pointAt(history(), 0.5)).toBeUndefined()
})
