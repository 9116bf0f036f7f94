import { QUANTILES, quantiles } from '../model/requests.ts'
import { SKETCH_BINS } from '../runtime/sketch.ts'
import { grown } from './columns.ts'
import { createSketchStore, type SketchStore, writeQuantiles } from './sketch-store.ts'

/** Below this many requests in the window there is no threshold: a p99 of fewer says nothing. */
export const REQUESTS_MIN = 200
/** Slices of the window. The thresholds move each time one passes. */
const SLICES = 10

/** Cells of a row's state, which one request touches together. */
const STATE_CELLS = 5
/** The slice the row is in, -1 = none yet. */
const SLICE = 0
/** Requests in the window, unweighted. */
const REQUESTS = 1
/** A row without thresholds gets them as soon as its window holds this many requests. */
const DUE = 2
/** Requests in the window when the thresholds were written. */
const FOUND_FROM = 3
/** The last slice in which thresholds that were given stand without requests of their own, -1 = none were. */
const GIVEN_UNTIL = 4

/**
 * The sliding window of every row: a sketch per slice. A row moves on when the first request of a new slice arrives
 * (or `settle` finds it idle), so there is no minute in which all rows are recomputed at once. A slice that is over is
 * added to the row's totals, so that a request pays for one sketch and not for two.
 *
 * Memory: a slice takes 128 bytes per octave of durations it saw and 164 bytes of directory. 500 operations with ten
 * slices over five octaves each: 4 MiB.
 */
export interface Thresholds {
  readonly ensureRows: (rows: number) => void
  /** Counts a duration by its sketch bin. */
  readonly observe: (row: number, bin: number, weight: number) => void
  /** Gives a new row thresholds to begin with: they stand until its own window has enough requests, or has passed. */
  readonly begin: (row: number, ns: Float64Array, requests: number) => void
  /** Brings a row up to the present slice. */
  readonly settle: (row: number) => void
  /** Sets the present slice. Time that goes backward stays where it was. */
  readonly advance: (nowMs: number) => void
  /** Adds what is not in the totals yet to dense cells; false when there is nothing. */
  readonly addPresentTo: (row: number, cells: Float64Array) => boolean
  /** Requests seen in the window, unweighted, when the row's thresholds were written. */
  readonly requests: (row: number) => number
  readonly clearRow: (row: number) => void
  readonly bytes: () => number
}

export interface ThresholdsOptions {
  readonly windowMs: number
  readonly sketchBytesMax: number
  /** A sketch per row of everything since the row appeared. */
  readonly totals: SketchStore
  /** The column to write to; it may be replaced when rows grow. */
  readonly target: () => Float64Array
  readonly onOverflow: () => void
  /** The row has other thresholds. */
  readonly onChanged: (row: number) => void
}

export function createThresholds(options: ThresholdsOptions): Thresholds {
  const sliceMs = options.windowMs / SLICES
  const sketches = createSketchStore(Uint32Array, options.sketchBytesMax)
  const scratch = new Float64Array(SKETCH_BINS)
  let present = 0
  let state = new Float64Array(0)
  /** Requests of each slice of each row, unweighted. */
  let sliceRequests = new Uint32Array(0)

  function write(row: number): void {
    scratch.fill(0)
    for (let i = 0; i < SLICES; i++) sketches.addTo(row * SLICES + i, scratch)
    writeQuantiles(scratch, quantiles, options.target(), row * QUANTILES)
    state[row * STATE_CELLS + FOUND_FROM] = state[row * STATE_CELLS + REQUESTS] as number
    options.onChanged(row)
  }

  function forget(row: number): void {
    options.target().fill(NaN, row * QUANTILES, (row + 1) * QUANTILES)
    state[row * STATE_CELLS + FOUND_FROM] = 0
    options.onChanged(row)
  }

  function dropSlice(row: number, index: number): void {
    const cell = row * SLICES + (index % SLICES)
    if (sliceRequests[cell] === 0) return
    const requests = row * STATE_CELLS + REQUESTS
    state[requests] = (state[requests] as number) - (sliceRequests[cell] as number)
    sliceRequests[cell] = 0
    sketches.clear(cell)
  }

  function settle(row: number): void {
    const at = row * STATE_CELLS
    const from = state[at + SLICE] as number
    if (from < 0 || from === present) return
    state[at + SLICE] = present
    if (!sketches.addToStore(row * SLICES + (from % SLICES), options.totals, row)) options.onOverflow()
    // The slices before the present one count; the one that it replaces still does, for this last time.
    for (let old = from + 1; old < present && old <= from + SLICES; old++) dropSlice(row, old)
    const known = (state[at + REQUESTS] as number) >= REQUESTS_MIN
    const given = present <= (state[at + GIVEN_UNTIL] as number)
    if (known) write(row)
    else if (!given) forget(row)
    state[at + DUE] = known || given ? Infinity : REQUESTS_MIN
    dropSlice(row, present)
  }

  function clearState(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      state[row * STATE_CELLS + SLICE] = -1
      state[row * STATE_CELLS + REQUESTS] = 0
      state[row * STATE_CELLS + DUE] = REQUESTS_MIN
      state[row * STATE_CELLS + FOUND_FROM] = 0
      state[row * STATE_CELLS + GIVEN_UNTIL] = -1
    }
  }

  return {
    ensureRows(rows) {
      const before = state.length / STATE_CELLS
      if (rows <= before) return
      sketches.ensure(rows * SLICES)
      sliceRequests = grown(sliceRequests, rows * SLICES)
      state = grown(state, rows * STATE_CELLS)
      clearState(before, rows)
    },
    observe(row, bin, weight) {
      const at = row * STATE_CELLS
      if (state[at + SLICE] !== present) {
        settle(row)
        state[at + SLICE] = present
      }
      const cell = row * SLICES + (present % SLICES)
      if (!sketches.add(cell, bin, weight)) options.onOverflow()
      sliceRequests[cell] = (sliceRequests[cell] as number) + 1
      const requests = (state[at + REQUESTS] as number) + 1
      state[at + REQUESTS] = requests
      if (requests < (state[at + DUE] as number)) return
      // Until the first slice has passed: again at each doubling, which costs nothing and soon finds the true tail.
      write(row)
      state[at + DUE] = requests * 2
    },
    begin(row, ns, requests) {
      if (requests < REQUESTS_MIN) return
      options.target().set(ns, row * QUANTILES)
      const at = row * STATE_CELLS
      state[at + DUE] = Infinity
      state[at + FOUND_FROM] = requests
      state[at + GIVEN_UNTIL] = present + SLICES
    },
    settle,
    advance(nowMs) {
      present = Math.max(present, Math.floor(nowMs / sliceMs))
    },
    addPresentTo(row, cells) {
      const slice = state[row * STATE_CELLS + SLICE] as number
      return slice >= 0 && sketches.addTo(row * SLICES + (slice % SLICES), cells)
    },
    requests: (row) => state[row * STATE_CELLS + FOUND_FROM] as number,
    clearRow(row) {
      for (let i = 0; i < SLICES; i++) dropSlice(row, i)
      clearState(row, row + 1)
    },
    bytes: () => sketches.bytes() + state.byteLength + sliceRequests.byteLength
  }
}
