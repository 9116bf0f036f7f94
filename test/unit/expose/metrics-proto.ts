import protobuf from 'protobufjs'

/** The messages of io.prometheus.client that a scrape uses, as Prometheus publishes their fields. */
const schema = `
syntax = "proto2";
package io.prometheus.client;
message LabelPair { optional string name = 1; optional string value = 2; }
enum MetricType { COUNTER = 0; GAUGE = 1; SUMMARY = 2; UNTYPED = 3; HISTOGRAM = 4; }
message Gauge { optional double value = 1; }
message Counter { optional double value = 1; }
message Untyped { optional double value = 1; }
message Time { optional int64 seconds = 1; optional int32 nanos = 2; }
message Exemplar { repeated LabelPair label = 1; optional double value = 2; optional Time timestamp = 3; }
message Bucket { optional uint64 cumulative_count = 1; optional double upper_bound = 2; optional Exemplar exemplar = 3; }
message BucketSpan { optional sint32 offset = 1; optional uint32 length = 2; }
message Histogram {
  optional uint64 sample_count = 1;
  optional double sample_sum = 2;
  repeated Bucket bucket = 3;
  optional sint32 schema = 5;
  optional double zero_threshold = 6;
  optional uint64 zero_count = 7;
  repeated BucketSpan positive_span = 12;
  repeated sint64 positive_delta = 13 [packed = true];
}
message Metric {
  repeated LabelPair label = 1;
  optional Gauge gauge = 2;
  optional Counter counter = 3;
  optional Untyped untyped = 5;
  optional Histogram histogram = 7;
}
message MetricFamily {
  optional string name = 1;
  optional string help = 2;
  optional MetricType type = 3;
  repeated Metric metric = 4;
}`

const MetricFamily = protobuf.parse(schema, { keepCase: true }).root.lookupType('io.prometheus.client.MetricFamily')

export interface Value {
  readonly value: number
}
export interface Histogram {
  readonly sample_count: number
  readonly sample_sum: number
  readonly bucket: readonly {
    readonly cumulative_count: number
    readonly upper_bound: number
    readonly exemplar?: {
      readonly label: readonly LabelPair[]
      readonly value: number
      readonly timestamp: { readonly seconds: number; readonly nanos: number }
    }
  }[]
  readonly schema?: number
  readonly zero_threshold?: number
  readonly zero_count?: number
  readonly positive_span?: readonly { readonly offset: number; readonly length: number }[]
  readonly positive_delta?: readonly number[]
}
export interface LabelPair {
  readonly name: string
  readonly value: string
}
export interface Metric {
  readonly label?: readonly LabelPair[]
  readonly gauge?: Value
  readonly counter?: Value
  readonly untyped?: Value
  readonly histogram?: Histogram
}
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly metric: readonly Metric[]
}

/** Reads length-delimited families to the last byte. */
export function readFamilies(bytes: Uint8Array): Family[] {
  const reader = protobuf.Reader.create(bytes)
  const families: Family[] = []
  while (reader.pos < reader.len) {
    const message = MetricFamily.decodeDelimited(reader)
    families.push(MetricFamily.toObject(message, { longs: Number, enums: String, defaults: false }) as Family)
  }
  return families
}

export function labelsOf(metric: Metric): Record<string, string> {
  return Object.fromEntries((metric.label ?? []).map(({ name, value }) => [name, value]))
}
