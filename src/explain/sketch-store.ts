import { SKETCH_BINS, SKETCH_SCALE, sketchBound } from '../runtime/sketch.ts'
import { grown } from './columns.ts'

/** Bins are kept by octaves, which a sketch takes from one arena as it needs them: a usual one touches five of 41. */
const OCTAVE_BINS = 1 << SKETCH_SCALE
const OCTAVES = SKETCH_BINS >> SKETCH_SCALE
const SATURATED = 2 ** 32 - 1

/** Many sparse sketches in one arena, numbered from 0. */
export interface SketchStore {
  readonly ensure: (sketches: number) => void
  /** False when the arena is full and the count is lost. */
  readonly add: (sketch: number, bin: number, weight: number) => boolean
  /** Adds a sketch to dense cells; false when it is empty. */
  readonly addTo: (sketch: number, cells: Float64Array) => boolean
  /** Adds a sketch to one of another store; false when that one is full. */
  readonly addToStore: (sketch: number, into: SketchStore, intoSketch: number) => boolean
  readonly clear: (sketch: number) => void
  readonly bytes: () => number
}

/** `Uint32Array` cells saturate: right for windows. `Float64Array` for counts that never end. */
export function createSketchStore(
  Cells: Uint32ArrayConstructor | Float64ArrayConstructor,
  bytesMax: number
): SketchStore {
  const chunksMax = Math.floor(bytesMax / (OCTAVE_BINS * Cells.BYTES_PER_ELEMENT))
  const cellMax = Cells === Uint32Array ? SATURATED : Number.MAX_SAFE_INTEGER
  let cells: Uint32Array | Float64Array = new Cells(16 * OCTAVE_BINS)
  /** Chunk of each octave of each sketch; 0 = none yet, so chunk 0 is never given out. */
  let directory = new Uint32Array(0)
  let chunks = 1
  const free: number[] = []

  function takeChunk(): number {
    const reused = free.pop()
    if (reused !== undefined) return reused
    if (chunks > chunksMax) return 0
    if ((chunks + 1) * OCTAVE_BINS > cells.length) cells = grown(cells, cells.length * 2)
    return chunks++
  }

  return {
    ensure(sketches) {
      if (sketches * OCTAVES > directory.length) directory = grown(directory, sketches * OCTAVES)
    },
    add(sketch, bin, weight) {
      const entry = sketch * OCTAVES + (bin >> SKETCH_SCALE)
      let chunk = directory[entry] as number
      if (chunk === 0) {
        chunk = takeChunk()
        if (chunk === 0) return false
        directory[entry] = chunk
      }
      const cell = chunk * OCTAVE_BINS + (bin & (OCTAVE_BINS - 1))
      cells[cell] = Math.min((cells[cell] as number) + weight, cellMax)
      return true
    },
    addTo(sketch, into) {
      let any = false
      for (let octave = 0; octave < OCTAVES; octave++) {
        const chunk = directory[sketch * OCTAVES + octave] as number
        if (chunk === 0) continue
        any = true
        const from = chunk * OCTAVE_BINS
        const to = octave * OCTAVE_BINS
        for (let i = 0; i < OCTAVE_BINS; i++) into[to + i] = (into[to + i] as number) + (cells[from + i] as number)
      }
      return any
    },
    addToStore(sketch, into, intoSketch) {
      let whole = true
      for (let octave = 0; octave < OCTAVES; octave++) {
        const chunk = directory[sketch * OCTAVES + octave] as number
        if (chunk === 0) continue
        for (let i = 0; i < OCTAVE_BINS; i++) {
          const count = cells[chunk * OCTAVE_BINS + i] as number
          if (count > 0 && !into.add(intoSketch, octave * OCTAVE_BINS + i, count)) whole = false
        }
      }
      return whole
    },
    clear(sketch) {
      for (let entry = sketch * OCTAVES; entry < (sketch + 1) * OCTAVES; entry++) {
        const chunk = directory[entry] as number
        if (chunk === 0) continue
        cells.fill(0, chunk * OCTAVE_BINS, (chunk + 1) * OCTAVE_BINS)
        free.push(chunk)
        directory[entry] = 0
      }
    },
    bytes: () => cells.byteLength + directory.byteLength
  }
}

/** Writes the upper bound of the bin that holds each (ascending) quantile to out[first...], in one pass. */
export function writeQuantiles(
  cells: Float64Array,
  quantiles: readonly number[],
  out: Float64Array,
  first: number
): void {
  let total = 0
  for (let bin = 0; bin < SKETCH_BINS; bin++) total += cells[bin] as number
  let seen = 0
  let bin = -1
  for (let q = 0; q < quantiles.length; q++) {
    const rank = Math.max(1, Math.ceil((quantiles[q] as number) * total))
    while (seen < rank && bin < SKETCH_BINS - 1) seen += cells[++bin] as number
    out[first + q] = total === 0 ? NaN : sketchBound(bin)
  }
}
