import { SKETCH_BINS, SKETCH_OFFSET, SKETCH_SCALE } from '../runtime/sketch.ts'
import { createByteCursor, type ByteCursor } from './byte-cursor.ts'

/** Field tags of io.prometheus.client.Histogram. */
const Tag = { schema: 0x28, zeroThreshold: 0x31, zeroCount: 0x38, positiveSpan: 0x62, positiveDelta: 0x6a } as const

/** Of bin 0. Prometheus numbers a bucket by its upper bound, the sketch by its lower. */
const FIRST_INDEX = SKETCH_OFFSET + 1
const ZERO_THRESHOLD = 2 ** (FIRST_INDEX / (1 << SKETCH_SCALE))
/** So many empty buckets are cheaper than a new span. */
const GAP_MAX = 2

/** Writes the native part of a histogram. Bin 0, which also holds everything smaller, is the zero bucket. */
export function createNativeHistogramWriter(): (into: ByteCursor, sketch: Float64Array) => void {
  const span = createByteCursor(16)
  const deltas = createByteCursor()

  function writeSpan(into: ByteCursor, offset: number, length: number): void {
    span.clear()
    span.byte(0x08)
    span.signed(offset)
    span.byte(0x10)
    span.varint(length)
    into.byte(Tag.positiveSpan)
    into.varint(span.length())
    into.bytes(span.view())
  }

  return (into, sketch) => {
    into.byte(Tag.schema)
    into.signed(SKETCH_SCALE)
    into.byte(Tag.zeroThreshold)
    into.double(ZERO_THRESHOLD)
    into.byte(Tag.zeroCount)
    into.varint(sketch[0] as number)
    deltas.clear()
    let before = 0
    let spanEnd = -FIRST_INDEX
    for (let start = nextUsed(sketch, 1); start < SKETCH_BINS; start = nextUsed(sketch, spanEnd)) {
      const end = endOfSpan(sketch, start)
      writeSpan(into, start - spanEnd, end - start)
      for (let bin = start; bin < end; bin++) {
        const count = sketch[bin] as number
        deltas.signed(count - before)
        before = count
      }
      spanEnd = end
    }
    if (deltas.length() === 0) return
    into.byte(Tag.positiveDelta)
    into.varint(deltas.length())
    into.bytes(deltas.view())
  }
}

export function sketchTotal(sketch: Float64Array): number {
  let total = 0
  for (let bin = 0; bin < SKETCH_BINS; bin++) total += sketch[bin] as number
  return total
}

function nextUsed(sketch: Float64Array, from: number): number {
  let bin = from
  while (bin < SKETCH_BINS && sketch[bin] === 0) bin += 1
  return bin
}

function endOfSpan(sketch: Float64Array, start: number): number {
  let end = start + 1
  for (;;) {
    const next = nextUsed(sketch, end)
    if (next - end > GAP_MAX || next === SKETCH_BINS) return end
    end = next + 1
  }
}
