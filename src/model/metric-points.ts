/** How a point came. A summary is one without buckets. */
export const PointShape = { gauge: 0, sum: 1, histogram: 2, summary: 3 } as const
/** As OTLP numbers it; gauges and summaries have none. */
export const Temporality = { unspecified: 0, delta: 1, cumulative: 2 } as const

/**
 * The kept points of one metrics request, in columns. Values are as sent; `secondsPerUnit` turns those of time metrics,
 * and their bounds, into seconds. Row i's buckets are bucketsEnd[i-1] (0 for the first) to bucketsEnd[i]; without
 * buckets it has none, and only count and sum count. Points of one series that differ in attributes not kept here come
 * as several rows of the same metric, resource, attributes and time: they add up.
 */
export interface MetricPoints {
  n: number
  /** Points of other metrics, of shapes that are not read, and without a recorded value. */
  ignored: number
  /** Row in Resources. */
  resource: Uint32Array
  /** Index in runtimeMetrics. */
  metric: Uint8Array
  shape: Uint8Array
  temporality: Uint8Array
  /** 1 = the sum never falls. */
  monotonic: Uint8Array
  /** Unix nanoseconds in two words; a start of 0 is unknown. */
  startHi: Uint32Array
  startLo: Uint32Array
  timeHi: Uint32Array
  timeLo: Uint32Array
  /** NaN when the metric is no time. */
  secondsPerUnit: Float64Array
  /** The number, or a histogram's sum (NaN without). */
  value: Float64Array
  /** Of histograms and summaries, 0 of numbers. */
  count: Float64Array
  /** Of histograms that say so, else NaN. */
  min: Float64Array
  max: Float64Array
  /** The metric's primary and detail attribute, interned; 0 without. */
  attribute: Uint32Array
  detail: Uint32Array
  bucketsEnd: Uint32Array
  /** Upper bounds; the last of a row is Infinity. */
  bucketBound: Float64Array
  bucketCount: Float64Array
}
