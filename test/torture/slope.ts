export interface Point {
  readonly x: number
  readonly y: number
}

/** Of a straight line through points, with its interval of 95 %. */
export interface Slope {
  readonly perUnit: number
  readonly low: number
  readonly high: number
}

/** Student's t at 97.5 % for 1, 2, … degrees of freedom; beyond the table the normal distribution's. */
const T_975 = [
  12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1, 2.09, 2.09
]
const NORMAL_975 = 1.96

/** Least squares. The interval takes neighbouring points for independent, so they should be far enough apart. */
export function slopeOf(points: readonly Point[]): Slope {
  const n = points.length
  if (n < 3) throw new RangeError('a slope with an interval needs three points')
  const mean = (of: (point: Point) => number): number => points.reduce((sum, point) => sum + of(point), 0) / n
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)]
  const sxx = n * mean(({ x }) => (x - meanX) ** 2)
  const perUnit = (n * mean(({ x, y }) => (x - meanX) * (y - meanY))) / sxx
  const residual = n * mean(({ x, y }) => (y - meanY - perUnit * (x - meanX)) ** 2)
  const half = (T_975[n - 3] ?? NORMAL_975) * Math.sqrt(residual / (n - 2) / sxx)
  return { perUnit, low: perUnit - half, high: perUnit + half }
}
