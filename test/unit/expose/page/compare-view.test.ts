import { expect, test } from '@jest/globals'
import { comparisonOf, rangesOf } from '../../../../src/expose/page/compare-view.js'

const MINUTE_MS = 60_000
const NOW_MS = 1_700_000_030_000

test.each([
  ['', { minutes: 15, before: 60, end: undefined }],
  ['minutes=60&before=1440', { minutes: 60, before: 1_440, end: undefined }],
  ['minutes=-3&before=x&end=yesterday', { minutes: 15, before: 60, end: undefined }],
  ['minutes=1e9&before=0.5&end=1700000000000', { minutes: 1_440, before: 60, end: 1_700_000_000_000 }]
])('%j is a comparison with what it lacks or has wrong at its default', (query, expected) => {
  expect(comparisonOf(new URLSearchParams(query))).toEqual({ service: '', operation: '', ...expected })
})

test('the present ends with the last whole minute, a picked end stays', () => {
  const of = { service: 's', operation: 'o', minutes: 15, before: 60, end: undefined }
  const { now, then } = rangesOf(of, NOW_MS)
  expect(now.toMs).toBe(Math.floor(NOW_MS / MINUTE_MS) * MINUTE_MS)
  expect([now.toMs - now.fromMs, then.toMs - then.fromMs, now.toMs - then.toMs]).toEqual([
    15 * MINUTE_MS,
    15 * MINUTE_MS,
    60 * MINUTE_MS
  ])
  expect(rangesOf({ ...of, end: 5e12 }, NOW_MS).now.toMs).toBe(5e12)
})
