import { PHASES } from '../../model/phases.ts'
import { Band, BANDS, OUTCOMES } from '../../model/requests.ts'
import { type OperationTable } from '../../model/tail.ts'
import { addExact, clearExact, type ExactSums } from '../../runtime/exact-sums.ts'
import { SKETCH_BINS } from '../../runtime/sketch.ts'
import { emptySums, grown, grownSums } from '../columns.ts'
import { createSketchStore } from '../sketch-store.ts'
import { clearOperationSums, type OperationSums, TAIL_CELL } from './record.ts'

const REQUEST_CELLS = BANDS * OUTCOMES
const PHASE_CELLS = 2 * PHASES
const CARRY = 2 ** 52

/** Reads how far the operations' counters moved since they were last looked at, so that no request is counted twice. */
export interface Collector {
  /** Puts what is new of a row into `into`; false when there is nothing. */
  readonly takeNew: (row: number, into: OperationSums) => boolean
  /** The row's counters are about to begin at zero again. */
  readonly clearRow: (row: number) => void
  readonly bytes: () => number
}

export function createCollector(table: OperationTable, sketchBytesMax: number, onOverflow: () => void): Collector {
  let seen = new Float64Array(0)
  let requests = new Float64Array(0)
  let phaseNs = emptySums()
  // Twice: what is counted lies in the sketches of the window or in those of the totals.
  const sketches = createSketchStore(Float64Array, 2 * sketchBytesMax)
  const before = new Float64Array(SKETCH_BINS)

  function ensureRows(): void {
    const rows = table.live.length
    if (rows <= seen.length) return
    seen = grown(seen, rows)
    requests = grown(requests, rows * REQUEST_CELLS)
    phaseNs = grownSums(phaseNs, rows * PHASE_CELLS)
    sketches.ensure(rows)
  }

  function takeRequests(row: number, into: Float64Array): void {
    for (let i = 0; i < REQUEST_CELLS; i++) {
      const cell = row * REQUEST_CELLS + i
      const now = table.requests[cell] as number
      into[i] = now - (requests[cell] as number)
      requests[cell] = now
    }
  }

  function takePhases(row: number, band: number, first: number, into: ExactSums): void {
    for (let phase = 0; phase < PHASES; phase++) {
      const from = (row * BANDS + band) * PHASES + phase
      const cell = row * PHASE_CELLS + first + phase
      takeSum(table.phaseNs, from, cell, into, first + phase)
    }
  }

  function takeSum(now: ExactSums, from: number, cell: number, into: ExactSums, intoCell: number): void {
    const low = (now.low[from] as number) - (phaseNs.low[cell] as number)
    const high = (now.high[from] as number) - (phaseNs.high[cell] as number)
    into.high[intoCell] = low < 0 ? high - 1 : high
    addExact(into, intoCell, low < 0 ? low + CARRY : low)
    phaseNs.low[cell] = now.low[from] as number
    phaseNs.high[cell] = now.high[from] as number
  }

  function takeSketch(row: number, into: Float64Array): void {
    const now = table.sketch(row)
    if (now === undefined) return
    before.fill(0)
    sketches.addTo(row, before)
    for (let bin = 0; bin < SKETCH_BINS; bin++) {
      const more = (now[bin] as number) - (before[bin] as number)
      if (more <= 0) continue
      into[bin] = more
      if (!sketches.add(row, bin, more)) onOverflow()
    }
  }

  return {
    takeNew(row, into) {
      ensureRows()
      if (table.seen[row] === seen[row]) return false
      clearOperationSums(into)
      seen[row] = table.seen[row] as number
      takeRequests(row, into.requests)
      takePhases(row, Band.leP50, 0, into.phaseNs)
      takePhases(row, Band.gtP99, TAIL_CELL, into.phaseNs)
      takeSketch(row, into.sketch)
      return true
    },
    clearRow(row) {
      ensureRows()
      seen[row] = 0
      requests.fill(0, row * REQUEST_CELLS, (row + 1) * REQUEST_CELLS)
      clearExact(phaseNs, row * PHASE_CELLS, PHASE_CELLS)
      sketches.clear(row)
    },
    bytes: () => seen.byteLength + requests.byteLength + 2 * phaseNs.low.byteLength + sketches.bytes()
  }
}
