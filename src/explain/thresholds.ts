import { QUANTILES, quantiles } from '../model/requests.ts'
import { SKETCH_BINS } from '../runtime/sketch.ts'
import { grown } from './columns.ts'
import { createSketchStore, writeQuantiles } from './sketch-store.ts'

/** Below this many requests in the window there is no threshold: a p99 of fewer says nothing. */
export const REQUESTS_MIN = 200
/** Slices of the window. The thresholds move each time one passes. */
const SLICES = 10

/**
 * The sliding window of every row: a sketch per slice. A row moves on when the first request of a new slice arrives
 * (or `settle` finds it idle), so there is no minute in which all rows are recomputed at once.
 *
 * Memory: a slice takes 128 bytes per octave of durations it saw and 164 bytes of directory. 500 operations with ten
 * slices over five octaves each: 4 MiB.
 */
export interface Thresholds {
  readonly ensureRows: (rows: number) => void
  /** Counts a duration by its sketch bin; true when the row's thresholds were written anew. */
  readonly observe: (row: number, bin: number, weight: number) => boolean
  /** Brings a row up to the present slice; true when its thresholds were written anew. */
  readonly settle: (row: number) => boolean
  /** Sets the present slice. Time that goes backward stays where it was. */
  readonly advance: (nowMs: number) => void
  /** Requests seen in the window, unweighted, when the row's thresholds were written. */
  readonly requests: (row: number) => number
  readonly clearRow: (row: number) => void
  readonly bytes: () => number
}

export interface ThresholdsOptions {
  readonly windowMs: number
  readonly sketchBytesMax: number
  /** The column to write to; it may be replaced when rows grow. */
  readonly target: () => Float64Array
  readonly onOverflow: () => void
}

export function createThresholds(options: ThresholdsOptions): Thresholds {
  const sliceMs = options.windowMs / SLICES
  const sketches = createSketchStore(Uint32Array, options.sketchBytesMax)
  const scratch = new Float64Array(SKETCH_BINS)
  let present = 0
  /** The slice a row is in. */
  let slice = new Float64Array(0)
  /** Requests of each slice of each row, unweighted. */
  let sliceRequests = new Uint32Array(0)
  let windowRequests = new Float64Array(0)
  let thresholdRequests = new Float64Array(0)
  /** A row without thresholds gets its first as soon as its window holds this many. */
  let dueRequests = new Float64Array(0)

  function write(row: number): void {
    scratch.fill(0)
    for (let i = 0; i < SLICES; i++) sketches.addTo(row * SLICES + i, scratch)
    writeQuantiles(scratch, quantiles, options.target(), row * QUANTILES)
    thresholdRequests[row] = windowRequests[row] as number
  }

  function forget(row: number): void {
    options.target().fill(NaN, row * QUANTILES, (row + 1) * QUANTILES)
    thresholdRequests[row] = 0
  }

  function dropSlice(row: number, index: number): void {
    const cell = row * SLICES + (index % SLICES)
    if (sliceRequests[cell] === 0) return
    windowRequests[row] = (windowRequests[row] as number) - (sliceRequests[cell] as number)
    sliceRequests[cell] = 0
    sketches.clear(cell)
  }

  function settle(row: number): boolean {
    const from = slice[row] as number
    if (from === present) return false
    slice[row] = present
    // The slices before the present one count; the one that it replaces still does, for this last time.
    for (let old = from + 1; old < present && old <= from + SLICES; old++) dropSlice(row, old)
    const known = (windowRequests[row] as number) >= REQUESTS_MIN
    if (known) write(row)
    else forget(row)
    dueRequests[row] = known ? Infinity : REQUESTS_MIN
    dropSlice(row, present)
    return true
  }

  return {
    ensureRows(rows) {
      const before = slice.length
      if (rows <= before) return
      sketches.ensure(rows * SLICES)
      slice = grown(slice, rows).fill(-1, before)
      sliceRequests = grown(sliceRequests, rows * SLICES)
      windowRequests = grown(windowRequests, rows)
      thresholdRequests = grown(thresholdRequests, rows)
      dueRequests = grown(dueRequests, rows).fill(REQUESTS_MIN, before)
    },
    observe(row, bin, weight) {
      let written = false
      if (slice[row] !== present) {
        if ((slice[row] as number) < 0) slice[row] = present
        else written = settle(row)
      }
      const cell = row * SLICES + (present % SLICES)
      if (!sketches.add(cell, bin, weight)) options.onOverflow()
      sliceRequests[cell] = (sliceRequests[cell] as number) + 1
      const requests = (windowRequests[row] as number) + 1
      windowRequests[row] = requests
      if (requests < (dueRequests[row] as number)) return written
      // Until the first slice has passed: again at each doubling, which costs nothing and soon finds the true tail.
      write(row)
      dueRequests[row] = requests * 2
      return true
    },
    settle: (row) => (slice[row] as number) >= 0 && settle(row),
    advance(nowMs) {
      present = Math.max(present, Math.floor(nowMs / sliceMs))
    },
    requests: (row) => thresholdRequests[row] as number,
    clearRow(row) {
      for (let i = 0; i < SLICES; i++) dropSlice(row, i)
      slice[row] = -1
      thresholdRequests[row] = 0
      dueRequests[row] = REQUESTS_MIN
    },
    bytes: () => sketches.bytes() + slice.length * (8 * 4 + 4 * SLICES)
  }
}
