import { phases, type PhaseName } from '../../src/model/phases.ts'
import { type Interval, type Piece, type SimulatedProcess, type SimulatedSpan } from './simulated-process.ts'
import { type SimulatedShop } from './simulated-shop.ts'

/** A line of `<service>.truth.jsonl`. */
export interface SimulatedTruth {
  readonly trace_id: string
  readonly span_id: string
  readonly self: Readonly<Record<PhaseName, number>>
  /** Between the arrival of what it answers and its start, where its process was to blame. */
  readonly before?: Readonly<Record<PhaseName, number>>
}

export const SIMULATION_START_NS = 1_700_000_000_000_000_000n
const KINDS = { internal: 1, server: 2, client: 3 } as const
const SPANS_PER_REQUEST = 500
const METRICS_EVERY_NS = 1e9

export const unixNano = (ns: number): string => String(SIMULATION_START_NS + BigInt(ns))

/** ExportTraceServiceRequests as OTLP/JSON, in order of the spans' ends, as SDKs export them. */
export function traceRequests(shop: SimulatedShop): object[] {
  const requests: object[] = []
  for (const process of shop.processes) {
    const spans = shop.spans.filter((span) => span.process === process).sort((a, b) => a.endNs - b.endNs)
    for (let from = 0; from < spans.length; from += SPANS_PER_REQUEST) {
      const part = spans.slice(from, from + SPANS_PER_REQUEST)
      requests.push({
        resourceSpans: [
          {
            resource: resourceOf(process),
            scopeSpans: [{ scope: { name: 'simulation' }, spans: part.map((span) => spanJson(span)) }]
          }
        ]
      })
    }
  }
  return requests
}

function spanJson(span: SimulatedSpan): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parent === undefined ? {} : { parentSpanId: span.parent.spanId }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: unixNano(span.startNs),
    endTimeUnixNano: unixNano(span.endNs),
    attributes: Object.entries(span.attributes).map(([key, value]) => attribute(key, value))
  }
}

function attribute(key: string, value: string | number): object {
  return { key, value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) } }
}

function resourceOf(process: SimulatedProcess): object {
  return {
    attributes: [
      attribute('service.name', process.service),
      attribute('service.instance.id', `${process.service}-1`),
      attribute('host.name', 'simulated'),
      attribute('process.pid', process.pid),
      attribute('telemetry.sdk.language', process.language)
    ]
  }
}

/**
 * ExportMetricsServiceRequests of the Go processes, one a second, cumulative: what contrib's runtime instrumentation and its
 * producer say by default. A process whose stalls are gc collects half of the time; the others now and then.
 */
export function metricRequests(shop: SimulatedShop): object[] {
  const lastNs = shop.spans.reduce((max, { endNs }) => Math.max(max, endNs), 0)
  const requests: object[] = []
  for (const process of shop.processes) {
    if (process.language !== 'go') continue
    const delays = delaysOf(shop, process)
    for (let ns = METRICS_EVERY_NS; ns < lastNs + METRICS_EVERY_NS; ns += METRICS_EVERY_NS) {
      requests.push({
        resourceMetrics: [
          {
            resource: resourceOf(process),
            scopeMetrics: [{ scope: { name: 'simulation' }, metrics: runtimeMetrics(process, delays, ns) }]
          }
        ]
      })
    }
  }
  return requests
}

function delaysOf(shop: SimulatedShop, process: SimulatedProcess): Interval[] {
  return shop.spans
    .filter((span) => span.process === process)
    .flatMap(({ pieces, before }) => (before === undefined ? pieces : [before, ...pieces]))
    .filter(({ phase }) => phase === 'scheduling')
}

function runtimeMetrics(process: SimulatedProcess, delays: readonly Interval[], ns: number): object[] {
  const time = { startTimeUnixNano: unixNano(0), timeUnixNano: unixNano(ns) }
  const collects = process.stallPhase === 'gc' && process.stalls.length > 0
  const goalBytes = collects ? 400e6 : 50e6
  const allocatedBytes = Math.round((collects ? 300e6 : 5e6) * (ns / 1e9))
  const past = delays.filter(({ toNs }) => toNs <= ns)
  const seconds = past.reduce((sum, { fromNs, toNs }) => sum + (toNs - fromNs) / 1e9, 0)
  const gauge = (name: string, value: number): object => ({
    name,
    sum: { aggregationTemporality: 2, dataPoints: [{ ...time, asInt: String(value) }] }
  })
  return [
    {
      name: 'go.memory.allocated',
      unit: 'By',
      sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...time, asInt: String(allocatedBytes) }] }
    },
    gauge('go.memory.gc.goal', goalBytes),
    gauge('go.config.gogc', 100),
    gauge('go.processor.limit', 2),
    {
      name: 'go.schedule.duration',
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...time,
            count: String(past.length),
            sum: seconds,
            explicitBounds: [0.001],
            bucketCounts: [
              String(past.filter(({ fromNs, toNs }) => toNs - fromNs <= 1e6).length),
              String(past.filter(({ fromNs, toNs }) => toNs - fromNs > 1e6).length)
            ]
          }
        ]
      }
    }
  ]
}

/** What happened, a line a span. */
export function truthLines(shop: SimulatedShop): SimulatedTruth[] {
  return shop.spans.map((span) => ({
    trace_id: span.traceId,
    span_id: span.spanId,
    self: sumsOf(span.pieces),
    ...(span.before === undefined ? {} : { before: sumsOf([span.before]) })
  }))
}

function sumsOf(pieces: readonly Piece[]): Record<PhaseName, number> {
  const sums = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<PhaseName, number>
  for (const { phase, fromNs, toNs } of pieces) sums[phase] += toNs - fromNs
  return sums
}
