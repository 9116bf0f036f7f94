import { type MetricPoints } from '../../model/metric-points.ts'

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
