import type { SharedMemory } from '../../runtime/shared-memory.ts'

/** A quarter-octave histogram from 128 ns to 9 minutes: enough for a median within some percent, 256 bytes a row. */
const PER_OCTAVE = 4
const LOWEST_EXPONENT = 7
const BINS = 128
/** Counts are halved at this many, so that a row follows a service that changes. */
const COUNT_MAX = 4096

/** Histograms of durations, one a row; the owner says which row is whose. */
export interface Histograms {
  /** Empties the row. */
  readonly clear: (row: number) => void
  readonly add: (row: number, ns: number) => void
  readonly total: (row: number) => number
  /** Quantile in ns by interpolating within its bin on the logarithmic scale; NaN when empty. */
  readonly quantile: (row: number, q: number) => number
  readonly move: (from: number, to: number) => void
}

export const HISTOGRAM_BYTES = 2 * BINS + 4

export function createHistograms(rowsMax: number, memory: SharedMemory): Histograms {
  const counts = memory.take(Uint16Array, rowsMax * BINS)
  const totals = memory.take(Uint32Array, rowsMax)

  function binOf(ns: number): number {
    const bin = Math.floor((Math.log2(Math.max(ns, 1)) - LOWEST_EXPONENT) * PER_OCTAVE)
    return Math.max(0, Math.min(BINS - 1, bin))
  }

  function halve(row: number): void {
    let total = 0
    for (let i = row * BINS; i < (row + 1) * BINS; i++) {
      counts[i] = (counts[i] as number) >>> 1
      total += counts[i] as number
    }
    totals[row] = total
  }

  return {
    clear(row) {
      counts.fill(0, row * BINS, (row + 1) * BINS)
      totals[row] = 0
    },
    add(row, ns) {
      const bin = row * BINS + binOf(ns)
      counts[bin] = (counts[bin] as number) + 1
      totals[row] = (totals[row] as number) + 1
      if (totals[row] === COUNT_MAX) halve(row)
    },
    total: (row) => totals[row] as number,
    quantile(row, q) {
      const wanted = q * (totals[row] as number)
      let below = 0
      for (let bin = 0; bin < BINS; bin++) {
        const inBin = counts[row * BINS + bin] as number
        if (inBin > 0 && below + inBin >= wanted) {
          return Math.round(2 ** (LOWEST_EXPONENT + (bin + (wanted - below) / inBin) / PER_OCTAVE))
        }
        below += inBin
      }
      return NaN
    },
    move(from, to) {
      counts.copyWithin(to * BINS, from * BINS, (from + 1) * BINS)
      totals[to] = totals[from] as number
    }
  }
}
