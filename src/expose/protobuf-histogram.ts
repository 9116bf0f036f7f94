import { exactToNumber } from '../runtime/exact-sums.ts'
import { SKETCH_BINS, sketchBin } from '../runtime/sketch.ts'
import { createByteCursor } from './byte-cursor.ts'
import { protobufLabels } from './labels.ts'
import { createNativeHistogramWriter, sketchTotal } from './native-histogram.ts'
import { traceIdHex } from './hex.ts'
import { type BucketExemplars, type HistogramCells } from './writer.ts'

/** Field tags of Histogram, Bucket, Exemplar and Timestamp in io.prometheus.client. */
const Tag = {
  sampleCount: 0x08,
  sampleSum: 0x11,
  bucket: 0x1a,
  bucketCount: 0x08,
  bucketBound: 0x11,
  bucketExemplar: 0x1a,
  exemplarValue: 0x11,
  exemplarTime: 0x1a,
  timeSeconds: 0x08,
  timeNanos: 0x10
} as const

/** Gives the bytes of a Histogram message, valid until the next call: classic buckets, and a native histogram from the sketch. */
export function createHistogramEncoder(): (cells: HistogramCells) => Uint8Array {
  const histogram = createByteCursor()
  const bucket = createByteCursor()
  const exemplar = createByteCursor()
  const time = createByteCursor(16)
  const writeNative = createNativeHistogramWriter()
  const coarse = new Float64Array(SKETCH_BINS)

  function writeExemplar({ index, first, traceId, valueNs, atMs }: BucketExemplars, position: number): void {
    const row = index[first + position] as number
    if (row < 0) return
    const ms = atMs[row] as number
    const seconds = Math.floor(ms / 1e3)
    time.clear()
    time.byte(Tag.timeSeconds)
    time.varint(seconds)
    time.byte(Tag.timeNanos)
    time.varint(Math.floor((ms - seconds * 1e3) * 1e6))
    exemplar.clear()
    exemplar.bytes(protobufLabels([['trace_id', traceIdHex(traceId, row)]]))
    exemplar.byte(Tag.exemplarValue)
    exemplar.double((valueNs[row] as number) / 1e9)
    exemplar.message(Tag.exemplarTime, time.view())
    bucket.message(Tag.bucketExemplar, exemplar.view())
  }

  function writeBuckets({ bounds, counts, first, exemplars }: HistogramCells): void {
    let count = 0
    for (let position = 0; position <= bounds.length; position++) {
      count += counts[first + position] as number
      bucket.clear()
      bucket.byte(Tag.bucketCount)
      bucket.varint(count)
      bucket.byte(Tag.bucketBound)
      bucket.double(bounds[position] ?? Infinity)
      if (exemplars !== undefined) writeExemplar(exemplars, position)
      histogram.message(Tag.bucket, bucket.view())
    }
  }

  /** What classic buckets know, for a histogram whose sketch found no room: each at its bound, the last just above. */
  function coarseSketch({ bounds, counts, first }: HistogramCells): Float64Array {
    coarse.fill(0)
    const last = sketchBin((bounds.at(-1) ?? 0) * 1e9) + 1
    for (let position = 0; position <= bounds.length; position++) {
      const bound = bounds[position]
      coarse[bound === undefined ? last : sketchBin(bound * 1e9)] = counts[first + position] as number
    }
    return coarse
  }

  return (cells) => {
    let total = 0
    for (let i = 0; i <= cells.bounds.length; i++) total += cells.counts[cells.first + i] as number
    histogram.clear()
    histogram.byte(Tag.sampleCount)
    histogram.varint(total)
    histogram.byte(Tag.sampleSum)
    histogram.double(exactToNumber(cells.sums, cells.sum) / 1e9)
    writeBuckets(cells)
    if (cells.native) {
      // Prometheus refuses a native histogram whose buckets do not add up to its count.
      const whole = cells.sketch !== undefined && sketchTotal(cells.sketch) === total
      writeNative(histogram, whole ? (cells.sketch as Float64Array) : coarseSketch(cells))
    }
    return histogram.view()
  }
}
