import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { sketchBin } from '../../../src/runtime/sketch.ts'
import { Band } from '../../../src/model/requests.ts'
import { Grade, Phase } from '../../../src/model/phases.ts'
import { createByteCursor } from '../../../src/expose/byte-cursor.ts'
import { draftTables } from '../../builders/tail-tables.ts'
import { PROTOBUF, testExposer, type TestExposer } from './exposer.ts'
import { labelsOf, readFamilies, type Family, type Histogram } from './metrics-proto.ts'
import { asMap, parseExposition } from './parse-exposition.ts'

let open: TestExposer
beforeEach(() => {
  open = testExposer()
})
afterEach(() => open.exposer.app.close())

async function scrapeFamilies(): Promise<Family[]> {
  const answer = await open.exposer.app.inject({ url: '/metrics', headers: { accept: PROTOBUF } })
  expect(answer.headers['content-type']).toBe(
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
  )
  return readFamilies(answer.rawPayload)
}

/** Native buckets as [lower, upper] seconds and count, from spans and deltas as Prometheus reads them. */
function nativeBuckets({ schema = 0, positive_span = [], positive_delta = [] }: Histogram): [number, number, number][] {
  const buckets: [number, number, number][] = []
  let index = 0
  let count = 0
  let delta = 0
  for (const { offset, length } of positive_span) {
    index += offset
    for (let i = 0; i < length; i++) {
      count += positive_delta[delta++] ?? NaN
      buckets.push([2 ** ((index - 1) / 2 ** schema), 2 ** (index / 2 ** schema), count])
      index += 1
    }
  }
  expect(delta).toBe(positive_delta.length)
  return buckets
}

async function histogramOf(operation: string): Promise<Histogram> {
  const families = await scrapeFamilies()
  const family = families.find(({ name }) => name === 'tail_request_duration_seconds')
  const metric = family?.metric.find((candidate) => labelsOf(candidate)['operation'] === operation)
  if (metric?.histogram === undefined) throw new Error(`no histogram of ${operation}`)
  return metric.histogram
}

test('protobuf and text say the same, series for series', async () => {
  const row = open.draft.addOperation('shop', 'naïve "buy"\n')
  open.draft.addRequest(row, { durationNs: 2_500_000, band: Band.gtP99, phases: [[Phase.gc, Grade.measured, 7]] })
  open.draft.setThresholds(row, [1e6, 2e6, NaN, NaN])
  const slot = open.draft.addSlot({ root: row, service: 'db', operation: 'SELECT' })
  open.draft.addBlame(slot, 0, Phase.network, 3)
  await open.scrape()
  open.clock.nowMs += 60_000
  const text = parseExposition(await open.scrape()).filter(({ name }) => /^tail_(?!scrape)/.test(name))
  const fromProtobuf: string[] = []
  for (const family of await scrapeFamilies()) {
    for (const metric of family.metric) {
      const value = metric.counter?.value ?? metric.gauge?.value ?? metric.untyped?.value
      const labels = Object.entries(labelsOf(metric)).sort()
      if (value !== undefined) fromProtobuf.push(`${family.name} ${JSON.stringify(labels)} ${value}`)
    }
  }
  const histogram = /_(bucket|sum|count)$/
  const fromText = [...asMap(text.filter(({ name }) => !histogram.test(name)))].map(
    ([key, value]) => `${key} ${Number(value)}`
  )
  expect(fromProtobuf.filter((line) => /^tail_(?!scrape)/.test(line))).toEqual(fromText)
})

test('a family is one message, whatever its size', async () => {
  open = testExposer({ draft: draftTables(301) })
  for (let i = 0; i < 300; i++) open.draft.addOperation('shop', `operation ${i}`)
  const families = await scrapeFamilies()
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length)
  expect(families.find(({ name }) => name === 'tail_phase_seconds_total')?.metric).toHaveLength(301 * 40)
})

test('classic buckets are cumulative up to +Inf and carry the exemplar', async () => {
  const row = open.draft.addOperation('shop', 'buy')
  for (const durationNs of [1_000_000, 2_000_000, 40e9]) open.draft.addRequest(row, { durationNs, band: Band.leP50 })
  open.draft.setExemplar(row, { traceId: [1, 2, 3, 4], ns: 2_000_000, atMs: 1_700_000_000_123 })
  const { bucket, sample_count, sample_sum } = await histogramOf('buy')
  expect(bucket.map(({ upper_bound }) => upper_bound)).toEqual([
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    Infinity
  ])
  expect(bucket.map(({ cumulative_count }) => cumulative_count)).toEqual([1, ...Array<number>(13).fill(2), 3])
  expect(sample_count).toBe(3)
  expect(sample_sum).toBe(40.003)
  expect(bucket[1]?.exemplar).toEqual({
    label: [{ name: 'trace_id', value: '00000001000000020000000300000004' }],
    value: 0.002,
    timestamp: { seconds: 1_700_000_000, nanos: 123_000_000 }
  })
  expect(bucket.filter(({ exemplar }) => exemplar !== undefined)).toHaveLength(1)
})

test('native buckets hold every request within 0.7 % of its bucket, and add up to the count', async () => {
  const row = open.draft.addOperation('shop', 'buy')
  const durationsNs = Array.from({ length: 400 }, (_, i) => Math.round(1000 * 1.05 ** i)).filter((ns) => ns < 1e14)
  for (const durationNs of durationsNs) open.draft.addRequest(row, { durationNs, band: Band.leP50, weight: 2 })
  open.draft.addRequest(row, { durationNs: 100, band: Band.leP50 })
  const histogram = await histogramOf('buy')
  expect(histogram.schema).toBe(5)
  expect(histogram.zero_count).toBe(1)
  const buckets = nativeBuckets(histogram)
  const counted = buckets.reduce((sum, [, , count]) => sum + count, 0)
  expect(counted + 1).toBe(histogram.sample_count)
  expect(histogram.sample_count).toBe(2 * durationsNs.length + 1)
  expect(buckets.every(([lower, , count]) => count >= 0 && lower >= (histogram.zero_threshold ?? Infinity))).toBe(true)
  for (const ns of durationsNs) {
    const found = buckets.some(
      ([lower, upper, count]) => count > 0 && ns / 1e9 > lower * 0.993 && ns / 1e9 <= upper * 1.007
    )
    expect([ns, found]).toEqual([ns, true])
  }
})

test('a new row is a native histogram from its first 0 on', async () => {
  const row = open.draft.addOperation('shop', 'buy', open.clock.nowMs)
  open.draft.addRequest(row, { durationNs: 5_000_000, band: Band.leP50 })
  const hidden = await histogramOf('buy')
  expect(hidden.sample_count).toBe(0)
  expect(hidden.schema).toBe(5)
  expect(hidden.zero_threshold).toBeGreaterThan(0)
  expect(hidden.positive_span).toBeUndefined()
})

test('a row without a whole sketch is native all the same, at the bounds of its classic buckets', async () => {
  // Prometheus takes a family as native or classic by its first histogram, and refuses buckets that do not add up.
  const row = open.draft.addOperation('shop', 'buy')
  for (const durationNs of [3_000_000, 4_000_000, 60e9]) open.draft.addRequest(row, { durationNs, band: Band.leP50 })
  const sketch = open.draft.operations.sketch(row) as Float64Array
  sketch[sketchBin(4_000_000)] = 0
  const buckets = nativeBuckets(await histogramOf('buy')).filter(([, , count]) => count > 0)
  expect(buckets.map(([, , count]) => count)).toEqual([2, 1])
  for (const [index, bound] of [0.005, 30].entries()) {
    expect(buckets[index]?.[0]).toBeGreaterThan(bound * 0.97)
    expect(buckets[index]?.[1]).toBeLessThan(bound * 1.05)
  }
})

test('every histogram of the family is native, __other__ and the unused too, and no other family is', async () => {
  open.draft.addOperation('shop', 'unused')
  for (const { name, type, metric } of await scrapeFamilies()) {
    if (type !== 'HISTOGRAM') continue
    const native = metric.map(({ histogram }) => (histogram?.zero_threshold ?? 0) > 0)
    expect([name, ...native]).toEqual([name, ...metric.map(() => name === 'tail_request_duration_seconds')])
  }
})

test.each([0, 1, 127, 128, 16_384, 2 ** 32, 2 ** 53 - 1])(
  'the cursor writes %d as a varint and reads back',
  (value) => {
    const cursor = createByteCursor(1)
    cursor.varint(value)
    let read = 0
    cursor.view().forEach((byte, i) => {
      read += (byte & 127) * 128 ** i
    })
    expect(read).toBe(value)
  }
)
