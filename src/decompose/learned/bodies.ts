import type { SharedMemory } from '../../runtime/shared-memory.ts'
import { createHistograms, HISTOGRAM_BYTES } from './histograms.ts'
import { createKeyTable } from './key-table.ts'
import { usualNs } from './spreads.ts'

/**
 * What the pieces of an operation's own time need when nothing disturbs it: per service, span, and what comes before and
 * after the piece, the median of what no claim explained in the body's requests. Judged with the published medians only.
 */
export interface Bodies {
  readonly learn: (service: number, span: number, before: number, after: number, ns: number) => void
  /** Row of a piece, -1 when it was never seen. */
  readonly rowOf: (service: number, span: number, before: number, after: number) => number
  /** Published median in ns, NaN while fewer than `piecesMin` were seen. */
  readonly medianNs: (row: number) => number
  /** Published: up to this a piece is as usual, by how much its like vary. NaN with the median. */
  readonly usualNs: (row: number) => number
  /** Makes what was learned count, drops what was not used for longest. */
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  /** The published state: keys of four ids, with count and median. */
  readonly each: (visit: (key: readonly number[], pieces: number, medianNs: number, usualNs: number) => void) => void
  /** Takes over a published median, as if learned. */
  readonly set: (key: readonly number[], pieces: number, medianNs: number, usualNs: number) => void
}

export interface BodiesOptions {
  readonly piecesMin: number
  readonly rowsMax: number
  readonly memory: SharedMemory
}

const CELL_BYTES = 25

export function createBodies({ piecesMin, rowsMax, memory }: BodiesOptions): Bodies {
  const table = createKeyTable({ rowsMax, memory, clear })
  const histograms = createHistograms(rowsMax, memory)
  const seen = memory.take(Float64Array, rowsMax)
  const median = memory.take(Float64Array, rowsMax)
  const usual = memory.take(Float64Array, rowsMax)
  const changed = memory.take(Uint8Array, rowsMax)

  function clear(row: number): void {
    histograms.clear(row)
    seen[row] = changed[row] = 0
    median[row] = usual[row] = NaN
  }

  function summarize(row: number): void {
    const medianNs = histograms.quantile(row, 0.5)
    median[row] = medianNs
    usual[row] = usualNs(histograms, row, medianNs)
  }

  return {
    learn(service, span, before, after, ns) {
      const row = table.add(service, span, before, after)
      if (row < 0) return
      table.touch(row)
      histograms.add(row, ns)
      changed[row] = 1
      seen[row] = (seen[row] as number) + 1
    },
    rowOf: table.find,
    medianNs: (row) => median[row] as number,
    usualNs: (row) => usual[row] as number,
    publish() {
      for (let row = 0; row < table.rows(); row++) {
        if (changed[row] === 1 && histograms.total(row) >= piecesMin) summarize(row)
        changed[row] = 0
      }
      table.trim((from, to) => {
        histograms.move(from, to)
        seen[to] = seen[from] as number
        median[to] = median[from] as number
        usual[to] = usual[from] as number
        changed[to] = 0
      })
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++) {
        for (let part = 0; part < 4; part++) strings[table.key(row, part)] = 1
      }
    },
    bytes: () => table.bytes() + (HISTOGRAM_BYTES + CELL_BYTES) * table.rows(),
    each(visit) {
      for (let row = 0; row < table.rows(); row++) {
        const ns = median[row] as number
        if (Number.isNaN(ns)) continue
        visit(
          [0, 1, 2, 3].map((part) => table.key(row, part)),
          seen[row] as number,
          ns,
          usual[row] as number
        )
      }
    },
    set(key, pieces, medianNs, usualNs) {
      const row = table.add(key[0] as number, key[1] as number, key[2] as number, key[3] as number)
      if (row < 0) return
      seen[row] = pieces
      median[row] = medianNs
      usual[row] = usualNs
    }
  }
}
