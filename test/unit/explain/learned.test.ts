import { expect, test } from '@jest/globals'
import { readLearned } from '../../../src/explain/learned.ts'

const name = { service: 'shop', operation: 'GET /cart' }

test('a dump is read, and what other stages put in it is left alone', () => {
  const dump = { thresholds: [{ ...name, requests: 200, ns: [1, 2, 3, 4] }], streams: [name], bodies: [] }
  expect(readLearned(dump)).toEqual({ thresholds: dump.thresholds, streams: [name] })
  expect(readLearned({})).toEqual({ thresholds: [], streams: [] })
})

test.each([
  [null, 'learned: expected an object, got null'],
  [{ thresholds: {} }, 'thresholds: expected a list, got {}'],
  [{ thresholds: [{ ...name, requests: -1, ns: [] }] }, 'thresholds[0].requests: expected a count, got -1'],
  [{ thresholds: [{ ...name, requests: 1, ns: [1, 2, 3] }] }, 'thresholds[0].ns: expected 4 numbers, got [1,2,3]'],
  [
    { thresholds: [{ ...name, requests: 1, ns: [1, 2, null, 4] }] },
    'thresholds[0].ns[2]: expected nanoseconds, got null'
  ],
  [{ streams: [{ service: 'shop' }] }, 'streams[0].operation: expected a string, got nothing']
])('%j is refused with its path', (dump, message) => {
  expect(() => readLearned(dump)).toThrow(expect.objectContaining({ code: 'BAD_FILE', message }))
})
