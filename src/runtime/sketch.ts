/**
 * Base-2 exponential sketch, as OpenTelemetry's exponential histogram and Prometheus's native histograms: bucket i holds
 * values in (2^(i/2^scale), 2^((i+1)/2^scale)] seconds. Fixed layout in plain arrays, so sketches add up cell by cell.
 */
export const SKETCH_SCALE = 5
/** From 2^-21 s (about half a microsecond; smaller values fall in the first bucket) ... */
const LOWEST_EXPONENT = -21
/** ... to 2^20 s (12 days; larger values fall in the last). */
const HIGHEST_EXPONENT = 20
const NS_PER_SECOND = 1e9
export const SKETCH_BINS = (HIGHEST_EXPONENT - LOWEST_EXPONENT) << SKETCH_SCALE
/** Index of the first bin in the numbering of exponential histograms at SKETCH_SCALE. */
export const SKETCH_OFFSET = LOWEST_EXPONENT << SKETCH_SCALE

const PER_OCTAVE = 1 << SKETCH_SCALE
const bounds = Float64Array.from({ length: PER_OCTAVE }, (_, i) => 2 ** (i / PER_OCTAVE))
const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** Bin of a duration in ns. Bounds belong to the lower bin. */
export function sketchBin(ns: number): number {
  const seconds = ns / NS_PER_SECOND
  if (seconds <= 2 ** LOWEST_EXPONENT) return 0
  float[0] = seconds
  const exponent = ((words[1] as number) >>> 20) - 1023
  if (exponent >= HIGHEST_EXPONENT) return SKETCH_BINS - 1
  const mantissa = seconds / 2 ** exponent
  // A first guess from the top mantissa bits is at most two bins off, because log2 is within 0.086 of a straight line.
  let step = ((words[1] as number) >>> (20 - SKETCH_SCALE)) & (PER_OCTAVE - 1)
  while (step < PER_OCTAVE && (bounds[step] as number) < mantissa) step += 1
  return ((exponent - LOWEST_EXPONENT) << SKETCH_SCALE) + step - 1
}

/** Upper bound of a bin in ns. */
export function sketchBound(bin: number): number {
  return NS_PER_SECOND * 2 ** (LOWEST_EXPONENT + (bin + 1) / PER_OCTAVE)
}

/**
 * Upper bound of the bin that holds the q-quantile of the counts at cells[first .. first + SKETCH_BINS), NaN when empty.
 * Relative error at most 2^(1/32) - 1 = 2.2 %.
 */
export function sketchQuantile(cells: Uint32Array | Float64Array, first: number, q: number): number {
  let total = 0
  for (let bin = 0; bin < SKETCH_BINS; bin++) total += cells[first + bin] as number
  if (total === 0) return NaN
  const rank = Math.max(1, Math.ceil(q * total))
  let seen = 0
  for (let bin = 0; bin < SKETCH_BINS; bin++) {
    seen += cells[first + bin] as number
    if (seen >= rank) return sketchBound(bin)
  }
  return sketchBound(SKETCH_BINS - 1)
}
