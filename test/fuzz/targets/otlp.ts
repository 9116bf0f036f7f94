import { createMetricDecoder } from '../../../src/accept/otlp/index.ts'
import { createArrivals } from '../../../src/forward/arrivals.ts'
import { jsonToProtobuf } from '../../../src/forward/json-to-protobuf.ts'
import { type SpanBatch } from '../../../src/model/spans.ts'
import { Fault } from '../../../src/runtime/fault.ts'
import { isAcceptable } from '../../unit/accept/otlp/oracle.ts'
import { decodeSpans, encodeMetrics, encodeTraces, toJson } from '../../unit/accept/otlp/otlp-messages.ts'
import { randomTraces, seeded } from '../../unit/accept/otlp/random-traces.ts'
import { type Bench, createBench, wants } from '../../unit/accept/otlp/span-rows.ts'
import { mustHold, type Outcome, type Target } from '../target.ts'

const decoderFiles = ['/src/accept/otlp/']
const traces = () => Array.from({ length: 12 }, (_, i) => randomTraces(seeded(i + 1)))

/** Takes it, or refuses it whole with BAD_PAYLOAD; anything else is a finding. */
function refusable(work: () => void): Outcome {
  try {
    work()
    return 'taken'
  } catch (error) {
    if (error instanceof Fault && error.code === 'BAD_PAYLOAD') return 'refused'
    throw error
  }
}

/** Names are interned for ever, so a bench is used for so many inputs only. */
const BENCH_INPUTS = 20_000

function reusedBench(): () => Bench {
  let bench = createBench(wants)
  let uses = 0
  return () => {
    uses += 1
    if (uses % BENCH_INPUTS === 0) bench = createBench(wants)
    return bench
  }
}

/** What the stages after the decoder rely on. */
function mustBeSound({ strings, resources, decoder: { batch } }: Bench, bytes: number): void {
  const { n, evidenceEnd } = batch
  mustHold(n * 24 <= bytes, () => `${n} spans in ${bytes} bytes`)
  for (let row = 0; row < n; row++) {
    for (const column of [batch.name, batch.operation, batch.scope]) {
      mustHold((column[row] as number) < strings.capacity(), () => `row ${row} names a string that is none`)
    }
    mustHold((batch.resource[row] as number) < resources.rows, () => `row ${row} has a resource that is none`)
    mustHold(
      (evidenceEnd[row] as number) >= (row === 0 ? 0 : (evidenceEnd[row - 1] as number)),
      () => 'evidence runs backwards'
    )
    mustHold(durationOf(batch, row) >= 0n, () => `row ${row} ends before it starts`)
  }
  mustHold(n === 0 || (evidenceEnd[n - 1] as number) <= batch.evidence.code.length, () => 'evidence beyond its columns')
}

function durationOf(batch: SpanBatch, row: number): bigint {
  const time = (high: Uint32Array, low: Uint32Array): bigint =>
    (BigInt(high[row] as number) << 32n) | BigInt(low[row] as number)
  return time(batch.endHi, batch.endLo) - time(batch.startHi, batch.startLo)
}

function tracesProtobuf(): Target {
  const benchOf = reusedBench()
  return {
    name: 'otlp-traces-protobuf',
    shape: 'protobuf',
    covers: decoderFiles,
    seeds: () => traces().map(encodeTraces),
    run(input) {
      const bench = benchOf()
      let rejected = 0
      const outcome = refusable(() => {
        rejected = bench.decoder.decodeProtobuf(input, NaN).rejected
      })
      mustBeSound(bench, input.length)
      if (outcome === 'refused') mustHold(bench.decoder.batch.n === 0, () => 'spans of a refused request')
      const oracle = oracleOf(input)
      if (outcome === 'taken' && oracle !== undefined) {
        const ours = { accepted: bench.decoder.batch.n, all: bench.decoder.batch.n + rejected }
        mustHold(
          ours.accepted === oracle.accepted && ours.all === oracle.all,
          () => `${JSON.stringify(ours)}, protobufjs ${JSON.stringify(oracle)}`
        )
      }
      return outcome
    }
  }
}

/** What protobufjs makes of it; undefined where it refuses. */
function oracleOf(input: Uint8Array): { accepted: number; all: number } | undefined {
  try {
    const spans = decodeSpans(input)
    return { accepted: spans.filter(isAcceptable).length, all: spans.length }
  } catch {
    return undefined
  }
}

function tracesJson(): Target {
  const benchOf = reusedBench()
  return {
    name: 'otlp-traces-json',
    shape: 'json',
    covers: decoderFiles,
    seeds: () => traces().map(toJson),
    run(input) {
      const bench = benchOf()
      const outcome = refusable(() => bench.decoder.decodeJson(input, NaN))
      mustBeSound(bench, input.length)
      // Text that nobody takes for JSON must not be taken here; the other way round there is more to a request than its syntax.
      if (outcome === 'taken') mustHold(isJson(input), () => 'taken, but it is not JSON')
      return outcome
    }
  }
}

function isJson(input: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(input))
    return true
  } catch {
    return false
  }
}

const metricNames = [
  'go.schedule.duration',
  'go.memory.gc.pause.duration',
  'tokio.worker.busy.duration',
  'container.cpu.time'
]

function metricMessages(): object[] {
  const point = {
    timeUnixNano: '1700000000000000000',
    startTimeUnixNano: '1690000000000000000',
    attributes: [{ key: 'cpu.mode', value: { stringValue: 'user' } }]
  }
  const distribution = { ...point, count: '3', sum: 0.5, bucketCounts: ['1', '2'], explicitBounds: [0.1] }
  const kinds = (name: string): object[] => [
    { name, unit: 's', gauge: { dataPoints: [{ ...point, asDouble: 1.5 }] } },
    { name, unit: 's', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...point, asInt: '7' }] } },
    { name, unit: 's', histogram: { aggregationTemporality: 2, dataPoints: [distribution] } },
    { name, unit: 's', summary: { dataPoints: [{ ...point, count: '1', sum: 2 }] } }
  ]
  const resource = {
    attributes: [
      { key: 'service.name', value: { stringValue: 'shop' } },
      { key: 'service.instance.id', value: { stringValue: 'a' } }
    ]
  }
  return metricNames.map((name) => ({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics: kinds(name) }] }] }))
}

function metrics(encoding: 'protobuf' | 'json'): Target {
  const { strings, resources } = createBench()
  const decoder = createMetricDecoder({ strings, resources })
  return {
    name: `otlp-metrics-${encoding}`,
    shape: encoding === 'json' ? 'json' : 'protobuf',
    covers: decoderFiles,
    seeds: () => metricMessages().map(encoding === 'json' ? toJson : encodeMetrics),
    run(input) {
      const outcome = refusable(() =>
        encoding === 'json' ? decoder.decodeJson(input, NaN) : decoder.decodeProtobuf(input, NaN)
      )
      const { points } = decoder
      if (outcome === 'refused') mustHold(points.n === 0, () => 'points of a refused request')
      mustHold(points.n <= input.length, () => `${points.n} points in ${input.length} bytes`)
      return outcome
    }
  }
}

/** What is sent on of a JSON body, in protobuf, holds the same spans for the next who reads it. */
function forwardedJson(): Target {
  const benchOf = reusedBench()
  return {
    name: 'forwarded-json',
    shape: 'json',
    covers: ['/src/forward/json-to-protobuf.ts'],
    seeds: () => traces().map(toJson),
    run(input) {
      const { decoder } = benchOf()
      let rejected = 0
      const outcome = refusable(() => {
        rejected = decoder.decodeJson(input, NaN).rejected
      })
      if (outcome === 'refused') return outcome
      const accepted = decoder.batch.n
      const again = decoder.decodeProtobuf(jsonToProtobuf(input), NaN)
      const all = accepted + rejected
      const sent = { accepted: decoder.batch.n, all: decoder.batch.n + again.rejected }
      mustHold(
        sent.all === all && sent.accepted === accepted,
        () => `${accepted} of ${all} became ${JSON.stringify(sent)}`
      )
      return outcome
    }
  }
}

/** The forwarder trusts bytes that the decoder took, so it must find the same spans in them. */
function forwardedProtobuf(): Target {
  const benchOf = reusedBench()
  const envelope = { number: 0 } as never
  const arrivals = createArrivals({ find: () => envelope, release: () => undefined })
  return {
    name: 'forwarded-protobuf',
    shape: 'protobuf',
    covers: ['/src/forward/'],
    seeds: () => traces().map(encodeTraces),
    run(input) {
      const { decoder } = benchOf()
      let all = 0
      const outcome = refusable(() => {
        all = decoder.decodeProtobuf(input, NaN).rejected
      })
      if (outcome === 'refused') return outcome
      all += decoder.batch.n
      let found = 0
      arrivals.walk(Buffer.from(input), ({ places, count }) => {
        for (let i = 0; i < count; i++) {
          const [from = NaN, to = NaN] = places.subarray(2 * i)
          mustHold(from <= to && to <= input.length, () => `a span from ${from} to ${to} of ${input.length}`)
        }
        found += count
      })
      mustHold(found === all, () => `${found} spans to send on, ${all} decoded`)
      return outcome
    }
  }
}

export const otlpTargets = (): readonly Target[] => [
  tracesProtobuf(),
  tracesJson(),
  metrics('protobuf'),
  metrics('json'),
  forwardedJson(),
  forwardedProtobuf()
]
