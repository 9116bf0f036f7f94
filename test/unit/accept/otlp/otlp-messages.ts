import protobuf from 'protobufjs'

/** The messages of OTLP that Tailspan reads, written down from the published field numbers: the oracle's own view of them. */
const definition = `
syntax = "proto3";

message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }

message TraceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14;
  Status status = 15; fixed32 flags = 16;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
  uint32 dropped_attributes_count = 5; fixed32 flags = 6;
}
message Status { string message = 2; int32 code = 3; }

message MetricsRequest { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; string schema_url = 3; }
message ScopeMetrics { InstrumentationScope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }
message Metric {
  string name = 1; string description = 2; string unit = 3;
  oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; ExponentialHistogram exponential_histogram = 10; Summary summary = 11; }
}
message Gauge { repeated NumberDataPoint data_points = 1; }
message Sum { repeated NumberDataPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message ExponentialHistogram { repeated ExponentialHistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message Summary { repeated SummaryDataPoint data_points = 1; }
message NumberDataPoint {
  repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; }
  uint32 flags = 8;
}
message HistogramDataPoint {
  repeated KeyValue attributes = 9; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  fixed64 count = 4; optional double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7;
  uint32 flags = 10; optional double min = 11; optional double max = 12;
}
message ExponentialHistogramDataPoint { fixed64 time_unix_nano = 3; fixed64 count = 4; }
message SummaryDataPoint {
  repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  fixed64 count = 4; double sum = 5; uint32 flags = 8;
}
message UnpackedMetricsRequest { repeated UnpackedResourceMetrics resource_metrics = 1; }
message UnpackedResourceMetrics { repeated UnpackedScopeMetrics scope_metrics = 2; }
message UnpackedScopeMetrics { repeated UnpackedMetric metrics = 2; }
message UnpackedMetric { string name = 1; UnpackedHistogram histogram = 9; }
message UnpackedHistogram { repeated UnpackedHistogramDataPoint data_points = 1; }
message UnpackedHistogramDataPoint {
  fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
  repeated fixed64 bucket_counts = 6 [packed = false]; repeated double explicit_bounds = 7 [packed = false];
}
`

const { root } = protobuf.parse(definition, { keepCase: false })
const traceRequest = root.lookupType('TraceRequest')
const spanType = root.lookupType('Span')
const metricsRequest = root.lookupType('MetricsRequest')
const unpackedMetricsRequest = root.lookupType('UnpackedMetricsRequest')

export interface AnyValue {
  stringValue?: string
  boolValue?: boolean
  intValue?: number | string
  doubleValue?: number
  arrayValue?: { values: AnyValue[] }
  kvlistValue?: { values: KeyValue[] }
  bytesValue?: Uint8Array
}
export interface KeyValue {
  key: string
  value?: AnyValue
}
export interface EventMessage {
  timeUnixNano?: string
  name?: string
  attributes?: KeyValue[]
}
export interface LinkMessage {
  traceId?: Uint8Array
  spanId?: Uint8Array
}
export interface SpanMessage {
  traceId?: Uint8Array
  spanId?: Uint8Array
  traceState?: string
  parentSpanId?: Uint8Array
  name?: string
  kind?: number
  startTimeUnixNano?: string
  endTimeUnixNano?: string
  attributes?: KeyValue[]
  droppedAttributesCount?: number
  events?: EventMessage[]
  links?: LinkMessage[]
  status?: { code?: number; message?: string }
  flags?: number
}
export interface ScopeSpansMessage {
  scope?: { name?: string; version?: string; attributes?: KeyValue[] }
  spans: SpanMessage[]
}
export interface TraceMessage {
  resourceSpans: { resource?: { attributes: KeyValue[] }; scopeSpans: ScopeSpansMessage[] }[]
}

/** 64-bit integers as decimal text, so that nothing is lost on the way to the encoder. */
export function encodeTraces(message: TraceMessage): Uint8Array {
  return traceRequest.encode(traceRequest.fromObject(message)).finish()
}

export function encodeSpan(message: SpanMessage): Uint8Array {
  return spanType.encode(spanType.fromObject(message)).finish()
}

/** A request as plain objects: 64-bit integers as decimal text, oneofs as far as they are set. */
export function decodeRequest(bytes: Uint8Array): TraceMessage['resourceSpans'] {
  const options = { longs: String, bytes: Array, defaults: false }
  const plain = traceRequest.toObject(traceRequest.decode(bytes), options) as { resourceSpans?: [] }
  return (plain.resourceSpans ?? []).map((entry) => ({ scopeSpans: [], ...(entry as object) }))
}

/** The spans of a request; throws where protobufjs does not accept the bytes. 64-bit integers print as decimal text. */
export function decodeSpans(bytes: Uint8Array): SpanMessage[] {
  const { resourceSpans } = traceRequest.decode(bytes) as unknown as TraceMessage
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
}

export function encodeMetrics(message: object): Uint8Array {
  return metricsRequest.encode(metricsRequest.fromObject(message)).finish()
}

/** One histogram point whose repeated numbers are not packed, as old and hand-written encoders send them. */
export function encodeUnpackedHistogram(name: string, point: object): Uint8Array {
  const metrics = [{ name, histogram: { dataPoints: [point] } }]
  const message = { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }
  return unpackedMetricsRequest.encode(unpackedMetricsRequest.fromObject(message)).finish()
}

/** The same as OTLP/JSON: hex ids, 64-bit integers as text. */
export function toJson(message: object): Uint8Array {
  const text = JSON.stringify(message, (key, value: unknown) => {
    if (value instanceof Uint8Array) {
      return key === 'bytesValue' ? Buffer.from(value).toString('base64') : Buffer.from(value).toString('hex')
    }
    return value
  })
  return new TextEncoder().encode(text)
}

export function text(key: string, stringValue: string): KeyValue {
  return { key, value: { stringValue } }
}

export function int(key: string, intValue: number | string): KeyValue {
  return { key, value: { intValue } }
}
