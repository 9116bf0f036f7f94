import { type ExactSums } from '../runtime/exact-sums.ts'
import { type LabelPair } from './labels.ts'
import { type SeriesFamily } from './series.ts'

/** Exemplars of one histogram's buckets: index[first + bucket] names a row of the columns, -1 none. */
export interface BucketExemplars {
  index: Int32Array
  first: number
  /** Four words a row. */
  traceId: Uint32Array
  valueNs: Float64Array
  atMs: Float64Array
}

/** One histogram's cells, by reference: a renderer reuses one of these for all its rows. */
export interface HistogramCells {
  /** Upper bounds in seconds, without +Inf. */
  bounds: readonly number[]
  /** Not cumulative: counts[first .. first + bounds.length], the last one for +Inf. */
  counts: Float64Array
  first: number
  sums: ExactSums
  sum: number
  /** Whether the family is a native histogram too, in formats that have them. All of a family or none. */
  native: boolean
  /** Counts by bin of runtime/sketch.ts, undefined where they were not kept. */
  sketch: Float64Array | undefined
  exemplars: BucketExemplars | undefined
}

/**
 * Writes one exposition format. `Labels` is what the format makes of label pairs: made once, used at every scrape.
 * A series is named by a row's labels (of an operation) followed by a cell's (of its place in the operation's table).
 */
export interface ExpositionWriter<Labels> {
  readonly begin: (family: SeriesFamily) => void
  /** What is not finite is left out. */
  readonly number: (row: Labels, cell: Labels, value: number) => void
  /** A sum of nanoseconds, as seconds. */
  readonly seconds: (row: Labels, cell: Labels, sums: ExactSums, index: number) => void
  readonly histogram: (row: Labels, cells: HistogramCells) => void
  readonly end: () => void
  /** After the last family. */
  readonly finish: () => void
  /** About how many bytes were written since the last take. */
  readonly pending: () => number
  /** What may be sent by now. */
  readonly take: () => readonly Uint8Array[]
}

export interface Encoding<Labels> {
  readonly none: Labels
  readonly row: (pairs: readonly LabelPair[]) => Labels
  readonly cell: (pairs: readonly LabelPair[]) => Labels
}
