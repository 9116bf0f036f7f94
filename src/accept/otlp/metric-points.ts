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

const FIRST_ROWS = 256

type Columns = Omit<MetricPoints, 'n' | 'ignored' | 'bucketBound' | 'bucketCount'>
type Buckets = Pick<MetricPoints, 'bucketBound' | 'bucketCount'>

export function createMetricPoints(): MetricPoints {
  return { n: 0, ignored: 0, ...rowColumns(FIRST_ROWS), ...bucketColumns(FIRST_ROWS) }
}

export function growPoints(points: MetricPoints): void {
  const grown = rowColumns(points.metric.length * 2)
  for (const key of Object.keys(grown) as (keyof Columns)[]) grown[key].set(points[key])
  Object.assign(points, grown)
}

export function growBuckets(points: MetricPoints): void {
  const grown = bucketColumns(points.bucketBound.length * 2)
  grown.bucketBound.set(points.bucketBound)
  grown.bucketCount.set(points.bucketCount)
  Object.assign(points, grown)
}

/** Empties it, and gives back what a giant request made it grow to. */
export function emptyPoints(points: MetricPoints, idleRowsMax: number): void {
  points.n = 0
  points.ignored = 0
  const rowsMax = Math.max(idleRowsMax, FIRST_ROWS)
  if (points.metric.length > rowsMax) Object.assign(points, rowColumns(FIRST_ROWS))
  if (points.bucketBound.length > rowsMax) Object.assign(points, bucketColumns(FIRST_ROWS))
}

export function pointsBytes(points: MetricPoints): number {
  return points.metric.length * (4 + 8 * 4 + 5 * 8) + points.bucketBound.length * 16
}

function rowColumns(rows: number): Columns {
  return {
    resource: new Uint32Array(rows),
    metric: new Uint8Array(rows),
    shape: new Uint8Array(rows),
    temporality: new Uint8Array(rows),
    monotonic: new Uint8Array(rows),
    startHi: new Uint32Array(rows),
    startLo: new Uint32Array(rows),
    timeHi: new Uint32Array(rows),
    timeLo: new Uint32Array(rows),
    secondsPerUnit: new Float64Array(rows),
    value: new Float64Array(rows),
    count: new Float64Array(rows),
    min: new Float64Array(rows),
    max: new Float64Array(rows),
    attribute: new Uint32Array(rows),
    detail: new Uint32Array(rows),
    bucketsEnd: new Uint32Array(rows)
  }
}

function bucketColumns(rows: number): Buckets {
  return { bucketBound: new Float64Array(rows), bucketCount: new Float64Array(rows) }
}
