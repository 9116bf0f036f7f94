import { type MetricPoints } from '../../model/metric-points.ts'
import { createComposedNames } from './composed-names.ts'
import { createDecoderCounters } from './counters.ts'
import { decoderLimits, type DecoderLimits } from './limits.ts'
import { createMetricPoints, emptyPoints, pointsBytes } from './metric-points.ts'
import { MetricsJson } from './metrics-json.ts'
import { MetricsProtobuf } from './metrics-protobuf.ts'
import { PointWriter } from './point-writer.ts'
import { createRefusalTally, pointRefusalReasons, type Refusals } from './refusals.ts'
import { senderCompositions, SenderReader } from './sender-reader.ts'
import { type DecoderTools, type SpanDecoder } from './traces.ts'

export interface MetricDecoder extends Omit<SpanDecoder, 'batch'> {
  /** The kept points of the last request; overwritten by the next. Empty after a Fault. */
  readonly points: MetricPoints
}

/** Decodes ExportMetricsServiceRequests under the rules of SpanDecoder; points of other than runtime metrics are ignored. */
export function createMetricDecoder(tools: DecoderTools): MetricDecoder {
  const { strings, resources } = tools
  const limits: DecoderLimits = { ...decoderLimits, ...tools.limits }
  const counters = tools.counters ?? createDecoderCounters()
  const points = createMetricPoints()
  const names = createComposedNames(strings, senderCompositions, limits.composedNamesMax)
  const sender = new SenderReader({ strings, names, resources, firstComposition: 0 })
  const tally = createRefusalTally('point', pointRefusalReasons)
  const writer = new PointWriter(points, { strings, limits, tally })
  const protobuf = new MetricsProtobuf({ points, writer, sender })
  const json = new MetricsJson({ points, writer, sender })

  function decode(reader: MetricsProtobuf | MetricsJson, bytes: Uint8Array, nowMs: number): Refusals {
    emptyPoints(points, limits.idleRowsMax)
    tally.reset()
    writer.beginRequest(nowMs)
    const forgotten = names.forgotten() + resources.aliasesForgotten()
    const overflowed = resources.overflowed()
    let whole = false
    try {
      reader.read(bytes)
      whole = true
    } finally {
      if (!whole) points.n = points.ignored = 0
    }
    const refusals = tally.finish()
    counters.add('tail_metric_points_received_total', points.n)
    counters.add('tail_metric_points_ignored_total', points.ignored)
    counters.add('tail_composed_names_forgotten_total', names.forgotten() + resources.aliasesForgotten() - forgotten)
    counters.add('tail_resources_overflow_total', resources.overflowed() - overflowed)
    refusals.byReason.forEach((count, reason) => {
      counters.add('tail_metric_points_rejected_total', count, reason)
    })
    return refusals
  }

  return {
    points,
    decodeProtobuf: (bytes, nowMs) => decode(protobuf, bytes, nowMs),
    decodeJson: (bytes, nowMs) => decode(json, bytes, nowMs),
    counters,
    memory: () => pointsBytes(points) + names.bytes()
  }
}
