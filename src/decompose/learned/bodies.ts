import { enlarge } from '../scratch.ts'
import { createKeyTable } from './key-table.ts'

/** A quarter-octave histogram from 128 ns to 9 minutes: enough for a median within some percent, 256 bytes a piece. */
const PER_OCTAVE = 4
const LOWEST_EXPONENT = 7
const BINS = 128
/** Counts are halved at this many, so that a body follows a service that changes. */
const COUNT_MAX = 4096

/**
 * What the pieces of an operation's own time need when nothing disturbs it: per service, span, and what comes before and
 * after the piece, the median of what no claim explained in the body's requests. Judged with the published medians only.
 */
export interface Bodies {
  readonly learn: (service: number, span: number, before: number, after: number, ns: number) => void
  /** Published median in ns, NaN while fewer than `piecesMin` were seen. */
  readonly medianNs: (service: number, span: number, before: number, after: number) => number
  /** Makes what was learned count, drops what was not used for longest. */
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  /** The published state: keys of four ids, with count and median. */
  readonly each: (visit: (key: readonly number[], pieces: number, medianNs: number) => void) => void
  /** Takes over a published median, as if learned. */
  readonly set: (key: readonly number[], pieces: number, medianNs: number) => void
}

export function createBodies(options: { readonly piecesMin: number; readonly rowsMax: number }): Bodies {
  const table = createKeyTable(options.rowsMax)
  let counts = new Uint16Array(64 * BINS)
  let seen = new Float64Array(64)
  let median = new Float64Array(64)
  let changed = new Uint8Array(64)

  function binOf(ns: number): number {
    const bin = Math.floor((Math.log2(Math.max(ns, 1)) - LOWEST_EXPONENT) * PER_OCTAVE)
    return Math.max(0, Math.min(BINS - 1, bin))
  }

  /** Median by interpolating within its bin on the logarithmic scale. */
  function medianOf(row: number): number {
    let total = 0
    for (let bin = 0; bin < BINS; bin++) total += counts[row * BINS + bin] as number
    if (total < options.piecesMin) return NaN
    let below = 0
    for (let bin = 0; bin < BINS; bin++) {
      const inBin = counts[row * BINS + bin] as number
      if (below + inBin >= total / 2) {
        const within = (total / 2 - below) / inBin
        return Math.round(2 ** (LOWEST_EXPONENT + (bin + within) / PER_OCTAVE))
      }
      below += inBin
    }
    return NaN
  }

  function rowFor(service: number, span: number, before: number, after: number): number {
    const known = table.rows()
    const row = table.add(service, span, before, after)
    if (row < known) return row
    counts = enlarge(counts, (row + 1) * BINS)
    seen = enlarge(seen, row + 1)
    median = enlarge(median, row + 1)
    changed = enlarge(changed, row + 1)
    counts.fill(0, row * BINS, (row + 1) * BINS)
    seen[row] = 0
    median[row] = NaN
    return row
  }

  return {
    learn(service, span, before, after, ns) {
      const row = rowFor(service, span, before, after)
      if (row < 0) return
      table.touch(row)
      const first = row * BINS
      const bin = first + binOf(ns)
      counts[bin] = (counts[bin] as number) + 1
      changed[row] = 1
      seen[row] = (seen[row] as number) + 1
      if (seen[row] % COUNT_MAX === 0) {
        for (let i = first; i < first + BINS; i++) counts[i] = (counts[i] as number) >>> 1
      }
    },
    medianNs(service, span, before, after) {
      const row = table.find(service, span, before, after)
      return row < 0 ? NaN : (median[row] as number)
    },
    publish() {
      for (let row = 0; row < table.rows(); row++) {
        if (changed[row] === 1) median[row] = medianOf(row)
        changed[row] = 0
      }
      table.trim((from, to) => {
        counts.copyWithin(to * BINS, from * BINS, (from + 1) * BINS)
        seen[to] = seen[from] as number
        median[to] = median[from] as number
        changed[to] = 0
      })
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++) {
        for (let part = 0; part < 4; part++) strings[table.key(row, part)] = 1
      }
    },
    bytes: () => table.bytes() + counts.byteLength + 17 * seen.length,
    each(visit) {
      for (let row = 0; row < table.rows(); row++) {
        const ns = median[row] as number
        if (Number.isNaN(ns)) continue
        visit(
          [0, 1, 2, 3].map((part) => table.key(row, part)),
          seen[row] as number,
          ns
        )
      }
    },
    set(key, pieces, medianNs) {
      const row = rowFor(key[0] as number, key[1] as number, key[2] as number, key[3] as number)
      if (row < 0) return
      seen[row] = pieces
      median[row] = medianNs
    }
  }
}
