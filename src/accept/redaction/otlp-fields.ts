/**
 * Every field of OTLP's messages, because what is not known cannot be redacted: with redaction on, unknown fields are left
 * out. `attributes` are redacted by key and by value, a `text` by value, `kept` is left as it is.
 */
export type FieldKind = 'attributes' | 'text' | 'kept' | Message
export interface Field {
  readonly number: number
  readonly kind: FieldKind
}
/** By the name in JSON. */
export type Message = Readonly<Record<string, Field>>

type Numbers = Readonly<Record<string, number>>

function message(kept: Numbers, others: Readonly<Record<string, readonly [number, FieldKind]>> = {}): Message {
  return {
    ...Object.fromEntries(Object.entries(kept).map(([name, number]) => [name, { number, kind: 'kept' as const }])),
    ...Object.fromEntries(Object.entries(others).map(([name, [number, kind]]) => [name, { number, kind }]))
  }
}

const resource = message({ droppedAttributesCount: 2, entityRefs: 3 }, { attributes: [1, 'attributes'] })
const scope = message({ name: 1, version: 2, droppedAttributesCount: 4 }, { attributes: [3, 'attributes'] })

const event = message(
  { timeUnixNano: 1, droppedAttributesCount: 4 },
  { name: [2, 'text'], attributes: [3, 'attributes'] }
)
const link = message(
  { traceId: 1, spanId: 2, traceState: 3, droppedAttributesCount: 5, flags: 6 },
  { attributes: [4, 'attributes'] }
)
const status = message({ code: 3 }, { message: [2, 'text'] })
const span = message(
  {
    traceId: 1,
    spanId: 2,
    traceState: 3,
    parentSpanId: 4,
    kind: 6,
    startTimeUnixNano: 7,
    endTimeUnixNano: 8,
    droppedAttributesCount: 10,
    droppedEventsCount: 12,
    droppedLinksCount: 14,
    flags: 16
  },
  {
    name: [5, 'text'],
    attributes: [9, 'attributes'],
    events: [11, event],
    links: [13, link],
    status: [15, status]
  }
)
const scopeSpans = message({ schemaUrl: 3 }, { scope: [1, scope], spans: [2, span] })
const resourceSpans = message({ schemaUrl: 3 }, { resource: [1, resource], scopeSpans: [2, scopeSpans] })

const exemplar = message(
  { timeUnixNano: 2, asDouble: 3, spanId: 4, traceId: 5, asInt: 6 },
  { filteredAttributes: [7, 'attributes'] }
)
const numberPoint = message(
  { startTimeUnixNano: 2, timeUnixNano: 3, asDouble: 4, asInt: 6, flags: 8 },
  { exemplars: [5, exemplar], attributes: [7, 'attributes'] }
)
const histogramPoint = message(
  {
    startTimeUnixNano: 2,
    timeUnixNano: 3,
    count: 4,
    sum: 5,
    bucketCounts: 6,
    explicitBounds: 7,
    flags: 10,
    min: 11,
    max: 12
  },
  { exemplars: [8, exemplar], attributes: [9, 'attributes'] }
)
const exponentialPoint = message(
  {
    startTimeUnixNano: 2,
    timeUnixNano: 3,
    count: 4,
    sum: 5,
    scale: 6,
    zeroCount: 7,
    positive: 8,
    negative: 9,
    flags: 10,
    min: 12,
    max: 13,
    zeroThreshold: 14
  },
  { attributes: [1, 'attributes'], exemplars: [11, exemplar] }
)
const summaryPoint = message(
  { startTimeUnixNano: 2, timeUnixNano: 3, count: 4, sum: 5, quantileValues: 6, flags: 8 },
  { attributes: [7, 'attributes'] }
)
const pointsOf = (point: Message): Message =>
  message({ aggregationTemporality: 2, isMonotonic: 3 }, { dataPoints: [1, point] })
const metric = message(
  { name: 1, description: 2, unit: 3 },
  {
    gauge: [5, pointsOf(numberPoint)],
    sum: [7, pointsOf(numberPoint)],
    histogram: [9, pointsOf(histogramPoint)],
    exponentialHistogram: [10, pointsOf(exponentialPoint)],
    summary: [11, pointsOf(summaryPoint)],
    metadata: [12, 'attributes']
  }
)
const scopeMetrics = message({ schemaUrl: 3 }, { scope: [1, scope], metrics: [2, metric] })
const resourceMetrics = message({ schemaUrl: 3 }, { resource: [1, resource], scopeMetrics: [2, scopeMetrics] })

export const requests = {
  traces: message({}, { resourceSpans: [1, resourceSpans] }),
  metrics: message({}, { resourceMetrics: [1, resourceMetrics] })
} as const
