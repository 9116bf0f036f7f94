import { expect, test } from '@jest/globals'
import {
  createMetricDecoder,
  createResources,
  decoderLimits,
  pointRefusalReasons,
  type MetricDecoder
} from '../../../../src/accept/otlp/index.ts'
import { runtimeMetrics } from '../../../../src/model/runtime-metrics.ts'
import { Fault } from '../../../../src/runtime/fault.ts'
import { createStrings } from '../../../../src/runtime/strings.ts'
import { encodeMetrics, encodeUnpackedHistogram, int, text, toJson, type KeyValue } from './otlp-messages.ts'
import { seeded } from './random-traces.ts'

const TIME = 1_760_000_000_000_000_000n
const NOW_MS = Number(TIME / 1_000_000n)

const strings = createStrings({ stringsMax: 10_000, bytesMax: 1 << 20, stringBytesMax: 200, seed: 5 })
const resources = createResources(strings, decoderLimits)

function decoderOf(): MetricDecoder {
  return createMetricDecoder({ strings, resources })
}

interface Point {
  [field: string]: unknown
  attributes?: KeyValue[]
}

function pointMessage(fields: Point): Point {
  return { startTimeUnixNano: String(TIME - 60_000_000_000n), timeUnixNano: String(TIME), ...fields }
}

function metricsRequest(...metrics: object[]): object {
  const resource = { attributes: [text('service.name', 'cart'), text('service.instance.id', 'i1')] }
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'runtime' }, metrics }] }] }
}

function pointsOf({ points }: MetricDecoder): object[] {
  return Array.from({ length: points.n }, (_, row) => {
    const first = row === 0 ? 0 : (points.bucketsEnd[row - 1] as number)
    const end = points.bucketsEnd[row] as number
    return {
      metric: runtimeMetrics[points.metric[row] as number]?.name,
      service: strings.text(resources.service[points.resource[row] as number] as number),
      process: strings.text(resources.process[points.resource[row] as number] as number),
      shape: points.shape[row],
      temporality: points.temporality[row],
      monotonic: points.monotonic[row],
      startNs: BigInt(points.startHi[row] as number) * 4294967296n + BigInt(points.startLo[row] as number),
      timeNs: BigInt(points.timeHi[row] as number) * 4294967296n + BigInt(points.timeLo[row] as number),
      secondsPerUnit: points.secondsPerUnit[row],
      value: points.value[row],
      count: points.count[row],
      min: points.min[row],
      max: points.max[row],
      attribute: strings.text(points.attribute[row] as number),
      detail: strings.text(points.detail[row] as number),
      bounds: [...points.bucketBound.subarray(first, end)],
      buckets: [...points.bucketCount.subarray(first, end)]
    }
  })
}

/** Both formats, which must agree. */
function decodeBoth(message: object, nowMs = NaN): { decoder: MetricDecoder; points: object[]; message: string } {
  const decoder = decoderOf()
  const told = decoder.decodeJson(toJson(message), nowMs).message
  const fromJson = pointsOf(decoder)
  const { ignored } = decoder.points
  expect(decoder.decodeProtobuf(encodeMetrics(message), nowMs).message).toBe(told)
  expect(pointsOf(decoder)).toEqual(fromJson)
  expect(decoder.points.ignored).toBe(ignored)
  return { decoder, points: fromJson, message: told }
}

test('a counter with its attributes becomes rows of the metric, in its sender’s unit', () => {
  const dataPoints = [
    pointMessage({
      asDouble: 1.5,
      attributes: [text('go.cpu.state', 'gc'), text('go.cpu.detailed_state', 'gc/mark/assist')]
    }),
    pointMessage({ asInt: '-7', attributes: [text('other', 'x'), text('go.cpu.state', 'user')] })
  ]
  const sum = { dataPoints, aggregationTemporality: 2, isMonotonic: true }
  expect(decodeBoth(metricsRequest({ name: 'go.cpu.time', unit: 's', sum })).points).toMatchObject([
    {
      ...{
        metric: 'go.cpu.time',
        service: 'cart',
        process: 'instance:cart/i1',
        shape: 1,
        temporality: 2,
        monotonic: 1
      },
      ...{ startNs: TIME - 60_000_000_000n, timeNs: TIME, secondsPerUnit: 1, value: 1.5, count: 0, bounds: [] },
      ...{ attribute: 'gc', detail: 'gc/mark/assist' }
    },
    { value: -7, attribute: 'user', detail: '' }
  ])
})

test('a gauge of a worker keeps the worker, given as a number', () => {
  const gauge = { dataPoints: [pointMessage({ asInt: '3', attributes: [int('tokio.worker.index', 4)] })] }
  expect(decodeBoth(metricsRequest({ name: 'tokio.worker.local_queue_depth', gauge })).points).toMatchObject([
    { shape: 0, temporality: 0, monotonic: 0, value: 3, attribute: '4', secondsPerUnit: NaN }
  ])
})

test('a histogram keeps count, sum, min, max, bounds and buckets', () => {
  const point = {
    count: '10',
    sum: 0.25,
    min: 0.001,
    max: 0.1,
    bucketCounts: ['1', '2', '7'],
    explicitBounds: [0.01, 0.1]
  }
  const histogram = { dataPoints: [pointMessage(point), pointMessage({ count: '4' })], aggregationTemporality: 1 }
  expect(decodeBoth(metricsRequest({ name: 'go.schedule.duration', histogram })).points).toMatchObject([
    {
      ...{ shape: 2, temporality: 1, count: 10, value: 0.25 },
      ...{ min: 0.001, max: 0.1, bounds: [0.01, 0.1, Infinity], buckets: [1, 2, 7] }
    },
    { count: 4, value: NaN, min: NaN, bounds: [], buckets: [] }
  ])
})

test('a summary keeps count and sum', () => {
  const summary = { dataPoints: [pointMessage({ count: '12', sum: 0.5 })] }
  expect(decodeBoth(metricsRequest({ name: 'go_gc_duration_seconds', summary })).points).toMatchObject([
    { shape: 3, count: 12, value: 0.5, bounds: [] }
  ])
})

test('packed and unpacked repeated numbers are the same histogram', () => {
  const decoder = decoderOf()
  const fields = { timeUnixNano: String(TIME), count: 6, sum: 2, bucketCounts: [1, 2, 3], explicitBounds: [0.5, 1] }
  const metric = { name: 'go.schedule.duration', histogram: { dataPoints: [fields], aggregationTemporality: 2 } }
  decoder.decodeProtobuf(encodeMetrics(metricsRequest(metric)), NaN)
  const packed = pointsOf(decoder)
  decoder.decodeProtobuf(encodeUnpackedHistogram('go.schedule.duration', fields), NaN)
  expect(pointsOf(decoder)).toMatchObject([{ bounds: [0.5, 1, Infinity], buckets: [1, 2, 3], count: 6, value: 2 }])
  expect(packed).toMatchObject([{ bounds: [0.5, 1, Infinity], buckets: [1, 2, 3], count: 6, value: 2 }])
})

test('the sender’s unit counts before the table’s', () => {
  const gauge = { dataPoints: [pointMessage({ asDouble: 1 })] }
  const name = 'temporal_activity_schedule_to_start_latency'
  const { points } = decodeBoth(
    metricsRequest(
      { name, unit: 'ms', gauge },
      { name, unit: 'toString', gauge },
      { name: 'db.sql.connection.wait_duration', gauge }
    )
  )
  expect(points).toMatchObject([{ secondsPerUnit: 1e-3 }, { secondsPerUnit: 1 }, { secondsPerUnit: 1e-3 }])
})

test('points of other metrics, of exponential histograms and without a value are counted as ignored', () => {
  const gauge = { dataPoints: [pointMessage({ asInt: '1' }), pointMessage({ asInt: '2' })] }
  const stale = { dataPoints: [pointMessage({ flags: 1 })] }
  const { decoder, points } = decodeBoth(
    metricsRequest(
      { name: 'http.server.request.duration', gauge },
      { name: 'go.schedule.duration', exponentialHistogram: { dataPoints: [pointMessage({})] } },
      { name: 'tokio.workers', gauge: stale },
      { name: '__proto__', gauge },
      { name: 'tokio.workers', gauge }
    )
  )
  expect(points).toHaveLength(2)
  expect(decoder.points.ignored).toBe(6)
  expect(decoder.counters.get('tail_metric_points_ignored_total')).toBe(12)
  expect(decoder.counters.get('tail_metric_points_received_total')).toBe(4)
})

const badPoints: [reason: (typeof pointRefusalReasons)[number], shape: 'gauge' | 'histogram', point: Point][] = [
  ['timestamp_invalid', 'gauge', { asInt: '1', timeUnixNano: '0', startTimeUnixNano: '0' }],
  ['timestamp_invalid', 'gauge', { asInt: '1', timeUnixNano: String(1n << 63n) }],
  ['end_before_start', 'gauge', { asInt: '1', startTimeUnixNano: String(TIME + 1n) }],
  ['in_future', 'gauge', { asInt: '1', timeUnixNano: String(TIME + 601_000_000_000n) }],
  ['value_invalid', 'gauge', {}],
  ['buckets_invalid', 'histogram', { count: '1', bucketCounts: ['1', '0'], explicitBounds: [1, 2] }],
  ['buckets_invalid', 'histogram', { count: '1', bucketCounts: ['1', '0', '0'], explicitBounds: [2, 1] }],
  ['buckets_invalid', 'histogram', { count: '1', explicitBounds: [2] }]
]

test.each(badPoints)('a point is refused for %s and the others count: %s %j', (reason, shape, point) => {
  const good = shape === 'gauge' ? { asInt: '5' } : { count: '3', bucketCounts: ['1', '2'], explicitBounds: [1] }
  const data = { dataPoints: [pointMessage(good), pointMessage(point), pointMessage(good)] }
  const { decoder, message } = decodeBoth(metricsRequest({ name: 'go.schedule.duration', [shape]: data }), NOW_MS)
  expect(message).toBe(`1 point refused: 1 ${reason}`)
  expect(decoder.points.n).toBe(2)
  expect(decoder.counters.get('tail_metric_points_rejected_total', pointRefusalReasons.indexOf(reason))).toBe(2)
  if (shape === 'histogram') expect(pointsOf(decoder)[1]).toMatchObject({ bounds: [1, Infinity], buckets: [1, 2] })
})

test('malformed metrics are a Fault, and nothing of them counts', () => {
  const decoder = decoderOf()
  const good = encodeMetrics(
    metricsRequest({ name: 'tokio.workers', gauge: { dataPoints: [pointMessage({ asInt: '1' })] } })
  )
  expect(() => decoder.decodeProtobuf(Uint8Array.from([...good, 0x0a, 9]), NaN)).toThrow(/^byte \d+: /)
  expect(decoder.points.n).toBe(0)
  const wrong = metricsRequest({ name: 'tokio.workers', gauge: { dataPoints: [{ asInt: 'many' }] } })
  expect(() => decoder.decodeJson(toJson(wrong), NaN)).toThrow(
    'resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asInt: expected'
  )
  expect(decoder.counters.samples().every(({ value }) => value === 0)).toBe(true)
})

test('of 5,000 damaged metrics requests every one is a Fault or decoded', () => {
  const decoder = decoderOf()
  const random = seeded(99)
  const histogram = {
    dataPoints: [
      pointMessage({
        count: '6',
        sum: 1,
        bucketCounts: ['1', '2', '3'],
        explicitBounds: [1, 2],
        attributes: [int('a', 1)]
      })
    ]
  }
  const sum = {
    dataPoints: [pointMessage({ asInt: '1', attributes: [text('go.cpu.state', 'gc')] })],
    aggregationTemporality: 2
  }
  const message = metricsRequest({ name: 'go.schedule.duration', unit: 's', histogram }, { name: 'go.cpu.time', sum })
  const bodies = [encodeMetrics(message), toJson(message)] as const
  for (let i = 0; i < 5000; i++) {
    const mutant = new Uint8Array(bodies[i % 2] as Uint8Array)
    for (let change = 0; change < 2; change++) mutant[Math.floor(random() * mutant.length)] = Math.floor(random() * 256)
    try {
      if (i % 2 === 0) decoder.decodeProtobuf(mutant, NaN)
      else decoder.decodeJson(mutant, NaN)
      if (pointsOf(decoder).length > 2) throw new Error(`mutant ${i}: points from nowhere`)
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'BAD_PAYLOAD') throw new Error(`mutant ${i}`, { cause: error })
    }
  }
})

test('columns grow for many points and many buckets, and are given back', () => {
  const decoder = createMetricDecoder({ strings, resources, limits: { idleRowsMax: 500 } })
  const before = decoder.memory()
  const explicitBounds = Array.from({ length: 161 }, (_, i) => i)
  const point = pointMessage({ count: '1', explicitBounds, bucketCounts: explicitBounds.map(String).concat('7') })
  const histogram = { dataPoints: Array.from({ length: 600 }, () => point) }
  const body = encodeMetrics(metricsRequest({ name: 'go.schedule.duration', histogram }))
  decoder.decodeProtobuf(body, NaN)
  expect(decoder.points.n).toBe(600)
  expect(pointsOf(decoder).at(-1)).toMatchObject({
    bounds: [...explicitBounds, Infinity],
    buckets: [...explicitBounds, 7]
  })
  decoder.decodeProtobuf(new Uint8Array(0), NaN)
  expect(decoder.memory()).toBeLessThanOrEqual(before + 20_000)
})
