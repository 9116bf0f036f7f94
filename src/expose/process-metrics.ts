import { collectDefaultMetrics, Registry } from 'prom-client'
import { addExact, createExactSums } from '../runtime/exact-sums.ts'
import { type LabelPair } from './labels.ts'
import { type Sample, type SampledFamily } from './sampled-family.ts'
import { type SeriesFamily } from './series.ts'

/** promtool refuses their names: gauges that end in `_total`, and names that repeat their type. Nothing else is lost with them. */
const leftOut: ReadonlySet<string> = new Set([
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_eventloop_utilization_histogram',
  'nodejs_eventloop_utilization_summary'
])

/** A metric as prom-client's JSON has it; `metricName` is there on the parts of a histogram. */
interface Metric {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly MetricPart[]
}
interface MetricPart {
  readonly value: number
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
}

/** Node's and the process's own metrics, by the names that every Node service has. */
export function createProcessMetrics(): () => Promise<readonly SampledFamily[]> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of leftOut) registry.removeSingleMetric(name)
  return async () => {
    const metrics = (await registry.getMetricsAsJSON()) as unknown as readonly Metric[]
    return metrics.map((metric) => ({
      family: familyOf(metric),
      samples: metric.type === 'histogram' ? histogramSamples(metric) : metric.values.map(sample)
    }))
  }
}

function familyOf({ name, help, type, values }: Metric): SeriesFamily {
  const known = type === 'counter' || type === 'gauge' || type === 'histogram' ? type : 'unknown'
  const base = name.replace(/_total$/, '')
  const unit = base.endsWith('_seconds') ? 'seconds' : base.endsWith('_bytes') ? 'bytes' : ''
  return { name, help, type: known, unit, labels: Object.keys(values[0]?.labels ?? {}) }
}

function sample({ labels, value }: MetricPart): Sample {
  return { labels: Object.entries(labels).map(([name, text]) => [name, String(text)]), value }
}

/** Its buckets are samples labelled `le`, cumulative, followed by a sum and a count. */
function histogramSamples({ values }: Metric): Sample[] {
  const byLabels = new Map<string, MetricPart[]>()
  for (const part of values) {
    const key = JSON.stringify({ ...part.labels, le: undefined })
    const parts = byLabels.get(key)
    if (parts === undefined) byLabels.set(key, [part])
    else parts.push(part)
  }
  return [...byLabels.values()].map((parts) => {
    const buckets = parts.filter((part) => part.labels['le'] !== undefined)
    const sums = createExactSums(1)
    const total = parts.find((part) => part.metricName?.endsWith('_sum'))?.value ?? 0
    addExact(sums, 0, Math.round(total * 1e9))
    const labels = Object.entries(parts[0]?.labels ?? {}).flatMap(([name, text]): LabelPair[] =>
      name === 'le' ? [] : [[name, String(text)]]
    )
    return {
      labels,
      value: {
        bounds: buckets.slice(0, -1).map((part) => Number(part.labels['le'])),
        counts: Float64Array.from(buckets, (part, i) => part.value - (buckets[i - 1]?.value ?? 0)),
        first: 0,
        sums,
        sum: 0,
        native: false,
        sketch: undefined,
        exemplars: undefined
      }
    }
  })
}
