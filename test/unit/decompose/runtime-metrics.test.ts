import { expect, test } from '@jest/globals'
import { createMetricDecoder, createResources, decoderLimits } from '../../../src/accept/otlp/index.ts'
import { createRuntimeMetrics, Field } from '../../../src/decompose/learned/runtime-metrics/index.ts'
import { pointReasons } from '../../../src/decompose/learned/runtime-metrics/series.ts'
import { createStrings } from '../../../src/runtime/strings.ts'
import { createSharedMemory } from '../../../src/runtime/shared-memory.ts'
import { createRandom } from '../../builders/random.ts'

const T0 = 1_760_000_000
const ns = (second: number): string => `${BigInt(Math.round(second * 1000)) * 1_000_000n}`
const DELTA = 1
const CUMULATIVE = 2

type Attributes = Readonly<Record<string, string | number>>
interface Point {
  /** Seconds after T0. */
  readonly at: number
  /** Start of a cumulative series or of a delta; unknown without. */
  readonly since?: number
  readonly value: number
  readonly attributes?: Attributes
}
interface Metric {
  readonly name: string
  readonly unit?: string
}

const keyValues = (attributes: Attributes = {}): object[] =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value }
  }))

const times = ({ at, since, attributes }: Omit<Point, 'value'>): object => ({
  timeUnixNano: ns(T0 + at),
  startTimeUnixNano: since === undefined ? '0' : ns(T0 + since),
  attributes: keyValues(attributes)
})

const sum = (
  metric: Metric,
  points: readonly Point[],
  aggregationTemporality = CUMULATIVE,
  isMonotonic = true
): object => ({
  ...metric,
  sum: {
    aggregationTemporality,
    isMonotonic,
    dataPoints: points.map((point) => ({ ...times(point), asDouble: point.value }))
  }
})
const gauge = (metric: Metric, points: readonly Point[]): object => ({
  ...metric,
  gauge: { dataPoints: points.map((point) => ({ ...times(point), asDouble: point.value })) }
})

interface Histogram extends Omit<Point, 'value'> {
  readonly sum?: number
  readonly counts: readonly number[]
  readonly bounds: readonly number[]
}
const histogram = (metric: Metric, points: readonly Histogram[], aggregationTemporality = CUMULATIVE): object => ({
  ...metric,
  histogram: {
    aggregationTemporality,
    dataPoints: points.map((point) => ({
      ...times(point),
      ...(point.sum !== undefined && { sum: point.sum }),
      count: String(point.counts.reduce((all, one) => all + one, 0)),
      bucketCounts: point.counts.map(String),
      explicitBounds: point.bounds
    }))
  }
})

function createLab(options = { instancesMax: 100, intervalsPerFigure: 64 }) {
  const strings = createStrings({ stringsMax: 10_000, bytesMax: 1 << 20, stringBytesMax: 200, seed: 5 })
  const resources = createResources(strings, decoderLimits)
  const decoder = createMetricDecoder({ strings, resources })
  const metrics = createRuntimeMetrics(options, { strings, resources, memory: createSharedMemory() })

  function decode(resource: Attributes, list: readonly object[]): void {
    const request = {
      resourceMetrics: [{ resource: { attributes: keyValues(resource) }, scopeMetrics: [{ metrics: list }] }]
    }
    expect(decoder.decodeJson(new TextEncoder().encode(JSON.stringify(request)), NaN).message).toBe('')
  }
  /** A request arrives; one object per request. */
  function send(resource: Attributes, ...list: object[]): void {
    decode(resource, list)
    metrics.consume(decoder.points)
  }
  /** Row of the resource, as spans with these attributes would have it. */
  function row(resource: Attributes): number {
    decode(resource, [gauge({ name: 'go.goroutine.count' }, [{ at: 0, value: 1 }])])
    return decoder.points.resource[0] as number
  }
  /** Figures of a resource between two seconds, what is unknown left out; times and shares rounded. */
  function at(resource: Attributes, from: number, to: number) {
    metrics.publish()
    return metrics.metricsAt(row(resource), (T0 + from) * 1e9, (T0 + to) * 1e9)
  }
  const figure = (resource: Attributes, field: number, from: number, to: number): number =>
    at(resource, from, to).mean[field] as number
  const ignored = (): Record<string, number> =>
    Object.fromEntries(
      pointReasons.flatMap((reason, i) => {
        const count = metrics.counters.get('tail_runtime_points_ignored_total', i)
        return count === 0 ? [] : [[reason, count]]
      })
    )
  return { strings, resources, metrics, send, row, at, figure, ignored }
}

const cart = { 'service.name': 'cart', 'service.instance.id': 'i1' }
const schedule = { name: 'go.schedule.duration', unit: 's' }
const allocated = { name: 'go.memory.allocated', unit: 'By' }
const pauseTotal = { name: 'process.runtime.go.gc.pause_total_ns', unit: 'ns' }
const bounds = [0, 0.001, 0.01]

const delay = (at: number, total: number, count: number, since = 0): Histogram => ({
  at,
  since,
  sum: total,
  counts: [0, count, 0, 0],
  bounds
})

test('of cumulative points the differences count, per second and by what of an interval is asked for', () => {
  const lab = createLab()
  for (const [at, total, count] of [
    [10, 1, 100],
    [20, 3, 200],
    [30, 3.5, 300]
  ] as const) {
    lab.send(cart, histogram(schedule, [delay(at, total, count)]))
  }
  expect(lab.figure(cart, Field.schedulingSeconds, 10, 20)).toBeCloseTo(0.2)
  expect(lab.figure(cart, Field.schedulingSeconds, 15, 25)).toBeCloseTo(0.125)
  expect(lab.figure(cart, Field.schedulingSeconds, 21, 21)).toBeCloseTo(0.05)
  expect(lab.figure(cart, Field.schedulingCount, 20, 30)).toBeCloseTo(10)
  expect(lab.ignored()).toEqual({})
})

test('deltas count as they are, and overlapping ones are two senders', () => {
  const lab = createLab()
  lab.send(cart, sum(pauseTotal, [{ at: 10, since: 0, value: 5e8 }], DELTA))
  lab.send(cart, sum(pauseTotal, [{ at: 20, since: 10, value: 1e9 }], DELTA))
  expect(lab.figure(cart, Field.gcPauseSeconds, 0, 20)).toBeCloseTo(0.075)
  lab.send(cart, sum(pauseTotal, [{ at: 24, since: 14, value: 1e9 }], DELTA))
  expect(lab.figure(cart, Field.gcPauseSeconds, 0, 20)).toBe(NaN)
  expect(lab.ignored()).toEqual({ identity: 1 })
})

test('the budget is the interval that a stretch begins in, with the total that was sent', () => {
  const lab = createLab()
  lab.send(cart, histogram(schedule, [delay(10, 1, 100)]))
  lab.send(cart, histogram(schedule, [delay(20, 3, 200)]))
  const reading = lab.at(cart, 12, 30)
  expect([reading.budgetNs, reading.budgetFromNs, reading.budgetToNs]).toEqual([2e9, (T0 + 10) * 1e9, (T0 + 20) * 1e9])
  const id = reading.budgetId
  expect(lab.at(cart, 19, 20).budgetId).toBe(id)
  expect(lab.at(cart, 5, 6).budgetId).not.toBe(id)
})

test('metrics trail spans: the last interval answers for a while, and then nothing does', () => {
  const lab = createLab()
  lab.send(cart, histogram(schedule, [delay(10, 1, 100)]))
  lab.send(cart, histogram(schedule, [delay(20, 3, 200)]))
  expect(lab.figure(cart, Field.schedulingSeconds, 40, 41)).toBeCloseTo(0.2)
  expect(lab.figure(cart, Field.schedulingSeconds, 90, 91)).toBe(NaN)
  expect(lab.figure(cart, Field.schedulingSeconds, -5, -4)).toBe(NaN)
  expect(lab.at(cart, 90, 91)).toMatchObject({ known: false, budgetId: -1 })
})

test('what came since the last publication does not count yet', () => {
  const lab = createLab()
  lab.send(cart, histogram(schedule, [delay(10, 1, 100)]))
  const row = lab.row(cart)
  expect(lab.metrics.metricsAt(row, T0 * 1e9, (T0 + 5) * 1e9).known).toBe(false)
  lab.metrics.publish()
  expect(lab.metrics.metricsAt(row, T0 * 1e9, (T0 + 5) * 1e9).known).toBe(true)
})

test('a restart begins anew from its own start', () => {
  const lab = createLab()
  lab.send(cart, histogram(schedule, [delay(10, 1, 100)]))
  lab.send(cart, histogram(schedule, [delay(20, 9, 900)]))
  lab.send(cart, histogram(schedule, [delay(30, 0.5, 40, 25)]))
  expect(lab.figure(cart, Field.schedulingSeconds, 25, 30)).toBeCloseTo(0.1)
  // Between the old process's last word and the new one's start nothing is known; the interval before answers.
  expect(lab.figure(cart, Field.schedulingSeconds, 20, 30)).toBeCloseTo(0.1)
  expect(lab.ignored()).toEqual({})
})

test('points sent again, late, or with a figure that stood still are no intervals', () => {
  const lab = createLab()
  lab.send(cart, sum(allocated, [{ at: 10, since: 0, value: 1000 }]))
  lab.send(cart, sum(allocated, [{ at: 20, since: 0, value: 3000 }]))
  lab.send(cart, sum(allocated, [{ at: 20, since: 0, value: 3000 }]))
  lab.send(cart, sum(allocated, [{ at: 15, since: 0, value: 2000 }]))
  // The 15 s cache of runtime.ReadMemStats: a new time, the old figure. What comes then is of both intervals.
  lab.send(cart, sum(allocated, [{ at: 30, since: 0, value: 3000 }]))
  lab.send(cart, sum(allocated, [{ at: 40, since: 0, value: 7000 }]))
  expect(lab.figure(cart, Field.allocatedBytes, 20, 30)).toBeCloseTo(200)
  expect(lab.figure(cart, Field.allocatedBytes, 30, 40)).toBeCloseTo(200)
  expect(lab.ignored()).toEqual({ stale: 2, out_of_order: 1 })
})

test('pauses that stand still say that there were none', () => {
  const lab = createLab()
  for (const at of [10, 20, 30]) lab.send(cart, sum(pauseTotal, [{ at, since: 0, value: 1e6 }]))
  expect(lab.figure(cart, Field.gcPauseSeconds, 20, 30)).toBe(0)
})

test('a counter that falls without a new start says nothing, and the next difference counts again', () => {
  const lab = createLab()
  for (const [at, value] of [
    [10, 5000],
    [20, 4000],
    [30, 6000]
  ] as const) {
    lab.send(cart, sum(allocated, [{ at, since: 0, value }]))
  }
  expect(lab.figure(cart, Field.allocatedBytes, 12, 18)).toBe(NaN)
  expect(lab.figure(cart, Field.allocatedBytes, 20, 30)).toBeCloseTo(200)
  expect(lab.ignored()).toEqual({ backwards: 1 })
})

test('two processes that claim one identity are told by their start times, and nothing is said of either', () => {
  const lab = createLab()
  for (let at = 10; at <= 60; at += 10) {
    lab.send(cart, histogram(schedule, [delay(at, at / 10, at)]))
    lab.send(cart, histogram(schedule, [delay(at + 3, at / 2, at * 7, 5)]))
  }
  expect(lab.at(cart, 10, 60).known).toBe(false)
  expect(lab.ignored()['identity']).toBeGreaterThan(5)
})

test('replicas of a service without any identity are told apart the same way; a single process is known by its service', () => {
  const alone = { 'service.name': 'alone' }
  const lab = createLab()
  lab.send(alone, histogram(schedule, [delay(10, 1, 100)]))
  expect(lab.figure(alone, Field.schedulingSeconds, 0, 10)).toBeCloseTo(0.1)
  lab.send(alone, histogram(schedule, [delay(12, 4, 800, 3)]))
  expect(lab.figure(alone, Field.schedulingSeconds, 0, 10)).toBe(NaN)
})

test('other bounds are another histogram: their sums are never subtracted from each other', () => {
  const lab = createLab()
  const finer = (at: number, total: number): Histogram => ({
    ...delay(at, total, 10),
    bounds: [0, 0.001, 0.0100000001]
  })
  lab.send(cart, histogram(schedule, [delay(10, 1, 100)]))
  lab.send(cart, histogram(schedule, [finer(11, 50)]))
  lab.send(cart, histogram(schedule, [delay(20, 3, 200)]))
  lab.send(cart, histogram(schedule, [finer(21, 90)]))
  expect(lab.figure(cart, Field.schedulingSeconds, 10, 20)).toBeCloseTo(0.2)
  expect(lab.ignored()).toEqual({ rival: 2 })
})

test('a histogram without a sum says at least what its lower bounds do', () => {
  const lab = createLab()
  lab.send(cart, histogram(schedule, [{ at: 10, since: 0, counts: [5, 5, 100, 10], bounds }]))
  expect(lab.figure(cart, Field.schedulingSeconds, 0, 10)).toBeCloseTo((100 * 0.001 + 10 * 0.01) / 10)
})

test('of pause_ns only the sum counts, in ns, and pause_total_ns beside it is a rival', () => {
  const lab = createLab()
  const pause = (at: number, total: number): object =>
    histogram({ name: 'process.runtime.go.gc.pause_ns', unit: 'ns' }, [
      { at, since: 0, sum: total, counts: [0, 0, 12], bounds: [0, 10_000] }
    ])
  lab.send(cart, pause(10, 2e9), sum(pauseTotal, [{ at: 10, since: 0, value: 3e9 }]))
  expect(lab.figure(cart, Field.gcPauseSeconds, 0, 10)).toBeCloseTo(0.2)
  expect(lab.figure(cart, Field.gcPauseCount, 0, 10)).toBeCloseTo(1.2)
  expect(lab.ignored()).toEqual({ rival: 1 })
})

test("Prometheus' names and summaries are read too", () => {
  const lab = createLab()
  const summary = { dataPoints: [{ ...times({ at: 10, since: 0 }), count: '20', sum: 0.4 }] }
  lab.send(cart, { name: 'go_gc_duration_seconds', summary })
  expect(lab.figure(cart, Field.gcPauseSeconds, 0, 10)).toBeCloseTo(0.04)
})

test('tokio: ms of every worker add up to a share of what they could give, and queues add up', () => {
  const lab = createLab()
  const busy = { name: 'tokio.worker.busy_duration', unit: 'ms' }
  const worker = (index: number, at: number, value: number): Point => ({
    at,
    since: 0,
    value,
    attributes: { 'tokio.worker.index': index }
  })
  for (const at of [10, 20]) {
    lab.send(
      cart,
      gauge({ name: 'tokio.workers' }, [{ at, value: 2 }]),
      sum(busy, [worker(0, at, at * 900), worker(1, at, at * 300)]),
      gauge({ name: 'tokio.global_queue_depth' }, [{ at, value: 3 }]),
      gauge({ name: 'tokio.worker.local_queue_depth' }, [worker(0, at, 4), worker(1, at, 5)])
    )
  }
  const reading = lab.at(cart, 10, 20)
  expect(reading.tokioBusyShare).toBeCloseTo(0.6)
  expect(reading.mean[Field.tokioQueueDepth]).toBe(12)
  lab.send(cart, sum({ name: 'tokio_total_scheduled_duration', unit: 'us' }, [{ at: 20, since: 10, value: 5e6 }]))
  expect(lab.figure(cart, Field.schedulingSeconds, 10, 20)).toBeCloseTo(0.5)
})

test('a unit that is wrong by 1000 and more than a machine can give is left out and counted', () => {
  const lab = createLab()
  // Milliseconds under a name in nanoseconds are harmless; nanoseconds sent as seconds are not.
  lab.send(cart, sum({ name: 'go.memory.gc.pause.duration', unit: 's' }, [{ at: 10, since: 0, value: 3e8 }]))
  lab.send(
    cart,
    sum({ name: 'container.cpu.throttling_data.throttled_time', unit: 's' }, [{ at: 10, since: 0, value: 3e9 }])
  )
  lab.send(cart, sum(allocated, [{ at: 10, since: 0, value: -3 }]))
  expect(lab.at(cart, 0, 10).known).toBe(false)
  expect(lab.ignored()).toEqual({ implausible: 3 })
})

test("the collector's share is rebuilt from allocation, goal and GOGC; with GOGC off it is unknown", () => {
  const MIB = 1024 ** 2
  const share = (gogc: number): number => {
    const lab = createLab()
    lab.send(
      cart,
      sum(allocated, [{ at: 10, since: 0, value: 20_000 * MIB }]),
      sum({ name: 'go.memory.gc.goal' }, [{ at: 10, value: 1000 * MIB }], CUMULATIVE, false),
      sum({ name: 'go.config.gogc' }, [{ at: 10, value: gogc }], CUMULATIVE, false),
      sum({ name: 'go.processor.limit' }, [{ at: 10, value: 2 }], CUMULATIVE, false)
    )
    return lab.at(cart, 2, 3).gcShare
  }
  // Live 500 MiB, headroom 500 MiB: 4 cycles a second of 500 MiB at 0.5 GB/s would take more than there is.
  expect(share(100)).toBe(1)
  // Live 100 MiB: 2000 MiB a second over 900 MiB of headroom, 100 MiB each.
  expect(share(900)).toBeCloseTo(((2000 / 900) * 100 * MIB) / 5e8, 6)
  expect(share(-1)).toBe(NaN)
})

test('CPU time by state: assists against what user code took', () => {
  const lab = createLab()
  const cpu = (state: string, value: number, detail?: string): Point => ({
    at: 10,
    since: 0,
    value,
    attributes: { 'go.cpu.state': state, ...(detail !== undefined && { 'go.cpu.detailed_state': detail }) }
  })
  lab.send(
    cart,
    sum({ name: 'go.cpu.time', unit: 's' }, [
      cpu('user', 9),
      cpu('gc', 1, 'gc/mark/assist'),
      cpu('gc', 4, 'gc/mark/dedicated'),
      cpu('idle', 26)
    ])
  )
  const reading = lab.at(cart, 0, 10)
  expect(reading.assistShare).toBeCloseTo(0.1)
  expect(reading.mean[Field.gcCpuSeconds]).toBeCloseTo(0.5)
})

test('a delta of a state cannot be read', () => {
  const lab = createLab()
  lab.send(cart, sum({ name: 'go.goroutine.count' }, [{ at: 10, since: 0, value: 5 }], DELTA, false))
  expect(lab.at(cart, 0, 10).known).toBe(false)
  expect(lab.ignored()).toEqual({ shape: 1 })
})

test('an interval of hours says nothing of any moment in it', () => {
  const lab = createLab()
  lab.send(cart, sum(allocated, [{ at: 5000, since: 0, value: 1e9 }]))
  lab.send(cart, sum(allocated, [{ at: 9000, since: 0, value: 2e9 }]))
  expect(lab.at(cart, 4000, 8000).known).toBe(false)
  expect(lab.ignored()).toEqual({ gap: 1 })
})

test('metrics of the container are found from spans of the instance once one resource names both, and the reverse', () => {
  const container = { 'container.id': 'c1' }
  const instance = { 'service.name': 'cart', 'service.instance.id': 'i1' }
  const both = { ...instance, ...container }
  const throttled = { name: 'container.cpu.throttling_data.throttled_time', unit: 'ns' }
  const lab = createLab()
  lab.send(container, sum(throttled, [{ at: 10, since: 0, value: 2e9 }]))
  expect(lab.at(instance, 0, 10).known).toBe(false)
  lab.row(both)
  expect(lab.figure(instance, Field.throttledSeconds, 0, 10)).toBeCloseTo(0.2)
  const other = createLab()
  other.send({ ...instance, 'k8s.pod.uid': 'u1' }, histogram(schedule, [delay(10, 1, 10)]))
  expect(other.figure({ 'service.name': 'cart', 'k8s.pod.uid': 'u1' }, Field.schedulingSeconds, 0, 10)).toBeCloseTo(0.1)
})

test('a pod of two instances is neither of them', () => {
  const lab = createLab()
  const pod = { 'service.name': 'cart', 'k8s.pod.uid': 'u1' }
  for (const id of ['a', 'b', 'a', 'b']) {
    lab.send({ ...pod, 'service.instance.id': id }, histogram(schedule, [delay(10, 1, 10)]))
  }
  expect(lab.at(pod, 0, 10).known).toBe(false)
})

test('instances beyond the limit are counted; those silent for longest make room, with what they held', () => {
  const lab = createLab({ instancesMax: 20, intervalsPerFigure: 4 })
  const instance = (i: number): Attributes => ({ 'service.name': 'cart', 'service.instance.id': `i${i}` })
  for (let i = 0; i < 25; i++) lab.send(instance(i), histogram(schedule, [delay(10, 1 + i, 10)]))
  expect(lab.ignored()).toEqual({ full: 5 })
  lab.metrics.publish()
  for (let i = 10; i < 20; i++) lab.send(instance(i), histogram(schedule, [delay(20, 31 + i, 20)]))
  lab.metrics.publish()
  for (let i = 20; i < 25; i++) lab.send(instance(i), histogram(schedule, [delay(20, 41 + i, 20)]))
  for (let i = 10; i < 20; i++) expect(lab.figure(instance(i), Field.schedulingSeconds, 12, 18)).toBeCloseTo(3)
  for (let i = 20; i < 25; i++) expect(lab.figure(instance(i), Field.schedulingSeconds, 0, 20)).toBeCloseTo(4)
  expect(lab.at(instance(0), 0, 10).known).toBe(false)
})

test('it is counted whether metrics have spans, and spans have metrics', () => {
  const lab = createLab()
  const read = (): number[] => [
    lab.metrics.counters.get('tail_runtime_intervals_total', 0),
    lab.metrics.counters.get('tail_runtime_intervals_total', 1),
    lab.metrics.counters.get('tail_runtime_readings_total', 0),
    lab.metrics.counters.get('tail_runtime_readings_total', 1)
  ]
  lab.send(cart, sum(allocated, [{ at: 10, since: 0, value: 1000 }]))
  lab.at({ 'service.name': 'spans-only' }, 0, 10)
  expect(read()).toEqual([0, 1, 0, 1])
  lab.at(cart, 0, 10)
  lab.send(cart, sum(allocated, [{ at: 20, since: 0, value: 2000 }]))
  lab.metrics.publish()
  expect(read()).toEqual([1, 1, 1, 1])
})

test('the dump of what is published answers alike elsewhere', () => {
  const lab = createLab()
  for (let at = 10; at <= 60; at += 10) {
    lab.send(
      cart,
      histogram(schedule, [delay(at, at * at, at)]),
      gauge({ name: 'go.processor.limit' }, [{ at, value: at }])
    )
  }
  lab.metrics.publish()
  const other = createLab()
  for (const [process, service, figure, intervals] of JSON.parse(JSON.stringify(lab.metrics.dump())) as [
    string,
    string,
    string,
    number[]
  ][]) {
    other.metrics.set(
      { process: other.strings.internText(process), service: other.strings.internText(service) },
      figure,
      intervals
    )
  }
  for (const [from, to] of [
    [5, 9],
    [12, 47],
    [58, 70]
  ] as const) {
    expect([...other.at(cart, from, to).mean]).toEqual([...lab.at(cart, from, to).mean])
    expect(other.at(cart, from, to).budgetNs).toBe(lab.at(cart, from, to).budgetNs)
  }
})

test('whatever the points, intervals of a counter add up to what it grew by', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createRandom(seed)
    const lab = createLab({ instancesMax: 10, intervalsPerFigure: 256 })
    let at = 0
    let total = 0
    let first = NaN
    let begun = 0
    for (let i = 0; i < 60; i++) {
      at += 1 + Math.floor(random() * 20)
      total += Math.floor(random() * 3) * 1000
      const point = sum(allocated, [{ at, since: -1000, value: total }])
      if (Number.isNaN(first)) [first, begun] = [total, at]
      lab.send(cart, point)
      if (random() < 0.3) lab.send(cart, point)
    }
    total += 1000
    lab.send(cart, sum(allocated, [{ at: at + 5, since: -1000, value: total }]))
    const perSecond = lab.figure(cart, Field.allocatedBytes, begun, at + 5)
    expect([seed, Math.round(perSecond * (at + 5 - begun))]).toEqual([seed, total - first])
  }
})
