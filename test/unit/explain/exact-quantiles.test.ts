import { expect, test } from '@jest/globals'
import { createDurationStore } from '../../../src/explain/exact-quantiles.ts'
import { decompositionOf, type RequestSketch } from '../../builders/decompositions.ts'
import { MINUTE_MS, random, testStrings } from './explainers.ts'

const strings = testStrings()
const service = strings.internText('shop')
const operation = strings.internText('GET /cart')
const other = strings.internText('GET /other')

function storeOf(requests: readonly RequestSketch[], durationsMax?: number): ReturnType<typeof createDurationStore> {
  const options = { strings, streamAfterMs: MINUTE_MS }
  const store = createDurationStore(durationsMax === undefined ? options : { ...options, durationsMax })
  for (const request of requests)
    store.add(decompositionOf({ requests: [{ service, operation, ...request }] }).requests)
  return store
}

test('thresholds are exact order statistics by nearest rank', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = random(seed)
    const values = Array.from({ length: 1 + Math.floor(draw() * 3_000) }, () => Math.floor(draw() * 1e9))
    const store = storeOf(values.map((durationNs) => ({ durationNs })))
    const sorted = values.toSorted((a, b) => a - b)
    const ns = [0.5, 0.95, 0.99, 0.999].map((q) => sorted[Math.ceil(q * sorted.length) - 1])
    expect({ seed, learned: store.learned().thresholds }).toEqual({
      seed,
      learned: [{ service: 'shop', operation: 'GET /cart', requests: values.length, ns }]
    })
    expect(store.exact()).toBe(true)
  }
})

test('a weight of w is w requests in the quantiles and one request seen', () => {
  const sketch = [
    { durationNs: 100, weight: 1 },
    { durationNs: 200, weight: 98 },
    { durationNs: 300, weight: 1 }
  ]
  const [found] = storeOf(sketch).learned().thresholds
  expect(found).toMatchObject({ requests: 3, ns: [200, 200, 200, 300] })
})

test('past its room the largest operation goes on as a sketch, within 2.2 %, and the others stay exact', () => {
  const draw = random(7)
  const values = Array.from({ length: 1_000 }, () => 1e6 * (1 + Math.floor(draw() * 1_000)))
  const store = storeOf(
    [{ operation: other, durationNs: 12_345 }, ...values.map((durationNs) => ({ durationNs }))],
    256
  )
  expect(store.exact()).toBe(false)
  const [small, large] = store.learned().thresholds
  expect(small).toMatchObject({ operation: 'GET /other', ns: [12_345, 12_345, 12_345, 12_345] })
  const exact = values.toSorted((a, b) => a - b)[989] as number
  expect(Math.abs((large?.ns[2] as number) / exact - 1)).toBeLessThan(0.022)
  expect(large?.requests).toBe(1_000)
  expect(store.bytes()).toBeLessThan(256 * 8 + 4_096)
})

test('an operation most of whose requests outlive stream_after is a stream', () => {
  const long = { operation: other, durationNs: 61e9 }
  expect(storeOf([{}, long, long, { ...long, durationNs: 1 }]).learned().streams).toEqual([
    { service: 'shop', operation: 'GET /other' }
  ])
})
