import type { SharedMemory } from '../../runtime/shared-memory.ts'
import { createHistograms, HISTOGRAM_BYTES, type Histograms } from './histograms.ts'
import { createKeyTable } from './key-table.ts'

/**
 * Stand for "before" and "after" of what is no piece between two children. Ids of strings are never negative.
 * `call` is a CLIENT span without a peer's span, the gaps lie on both sides of the peer's.
 */
export const Around = { beforePeer: -1, afterPeer: -2, call: -3, wholeRequest: -4, lastPiece: -5 } as const
export const aroundNames = ['before_peer', 'after_peer', 'call', 'request', 'last_piece'] as const

/** A piece is stretched when its excess over the median exceeds 3 interquartile ranges and the median once more, ... */
const USUAL_IQRS = 3
/**
 * A range much wider above the median than below is no spread: of a rare kind of piece, as one in an unusual order, more than
 * a quarter may come from trouble. An exponential's is 2.7 times its lower half, a log-normal's 3.
 */
const LOWER_HALVES_MAX = 4
/** ... and 5 % of the median duration of the service's requests. */
const UNNOTICED_SHARE = 0.05
/** So much an interrupt, a fault of fresh memory or a cold cache takes, and no wait is known by (D112). */
const UNNOTICED_NS = 200_000
/** What a lead starts from: the span's own start. */
const EDGE = 0
/** Cells of a row: the median, up to where a piece is no longer than usual, the 95th percentile (open for longer, it is overdue). */
export const Quantile = { median: 0, usual: 1, due: 2 } as const
export const QUANTILES = 3

/** Up to where a piece of a histogram's row is no longer than usual. */
export function usualNs(histograms: Histograms, row: number, medianNs: number): number {
  const lowerNs = histograms.quantile(row, 0.25)
  const iqrNs = Math.min(histograms.quantile(row, 0.75) - lowerNs, LOWER_HALVES_MAX * (medianNs - lowerNs))
  return medianNs + Math.max(USUAL_IQRS * iqrNs, medianNs)
}

/**
 * How long pieces take and how much that varies, in all requests that went well: per service, span, and what comes before
 * and after. A piece is unusual against this. Bodies, in contrast, say what the code needs of time that no claim explains.
 */
export interface Spreads {
  readonly learn: (service: number, span: number, before: number, after: number, ns: number) => void
  /** Row of the class with enough pieces to be published; of a rare lead that of the span's common lead; -1 when unknown. */
  readonly rowOf: (service: number, span: number, before: number, after: number) => number
  readonly medianNs: (row: number) => number
  /** QUANTILES cells a row, read in place by who looks at every piece. */
  readonly quantiles: () => Float64Array
  /** Excess of a piece that says nothing: 5 % of the service's median request, at least 0.2 ms. */
  readonly unnoticedNs: (service: number) => number
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  readonly each: (visit: (key: readonly number[], pieces: number, quantilesNs: readonly number[]) => void) => void
  readonly set: (key: readonly number[], pieces: number, quantilesNs: readonly number[]) => void
}

export interface SpreadsOptions {
  readonly piecesMin: number
  readonly rowsMax: number
  readonly memory: SharedMemory
}

const CELL_BYTES = 33

export function createSpreads({ piecesMin, rowsMax, memory }: SpreadsOptions): Spreads {
  const table = createKeyTable({ rowsMax, memory, clear })
  const commonLeads = createKeyTable({ rowsMax, memory, clear: clearLead })
  const histograms = createHistograms(rowsMax, memory)
  const seen = memory.take(Float64Array, rowsMax)
  const changed = memory.take(Uint8Array, rowsMax)
  // By Quantile; NaN until published.
  const quantiles = memory.take(Float64Array, rowsMax * QUANTILES)
  const leadRow = memory.take(Int32Array, rowsMax)

  function clear(row: number): void {
    histograms.clear(row)
    seen[row] = changed[row] = 0
    quantiles[row * QUANTILES] = NaN
  }

  function clearLead(lead: number): void {
    leadRow[lead] = -1
  }

  const published = (row: number): boolean => !Number.isNaN(quantiles[row * QUANTILES])

  function summarize(row: number): void {
    if (histograms.total(row) < piecesMin) return
    const first = row * QUANTILES
    const medianNs = histograms.quantile(row, 0.5)
    quantiles[first + Quantile.median] = medianNs
    quantiles[first + Quantile.usual] = usualNs(histograms, row, medianNs)
    quantiles[first + Quantile.due] = histograms.quantile(row, 0.95)
  }

  /** The most frequent lead of each span stands for its rare ones, and for those that a cancellation cut short. */
  function chooseCommonLeads(): void {
    for (let row = 0; row < table.rows(); row++) {
      if (table.key(row, 2) !== EDGE || !published(row)) continue
      const lead = commonLeads.add(table.key(row, 0), table.key(row, 1), 0, 0)
      if (lead < 0) continue
      const best = leadRow[lead] as number
      if (best < 0 || (seen[row] as number) > (seen[best] as number)) leadRow[lead] = row
    }
  }

  function trim(): void {
    const before = table.rows()
    table.trim((from, to) => {
      histograms.move(from, to)
      seen[to] = seen[from] as number
      changed[to] = 0
      quantiles.copyWithin(to * QUANTILES, from * QUANTILES, (from + 1) * QUANTILES)
    })
    // Rows have other numbers now, and some are gone.
    if (table.rows() !== before) leadRow.fill(-1, 0, commonLeads.rows())
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
    rowOf(service, span, before, after) {
      const row = table.find(service, span, before, after)
      if (row >= 0 && published(row)) return row
      if (before !== EDGE) return -1
      const lead = commonLeads.find(service, span, 0, 0)
      return lead < 0 ? -1 : (leadRow[lead] as number)
    },
    medianNs: (row) => quantiles[row * QUANTILES] as number,
    quantiles: () => quantiles,
    unnoticedNs(service) {
      const row = table.find(service, Around.wholeRequest, Around.wholeRequest, Around.wholeRequest)
      if (row < 0 || !published(row)) return UNNOTICED_NS
      return Math.max(UNNOTICED_NS, UNNOTICED_SHARE * (quantiles[row * QUANTILES] as number))
    },
    publish() {
      trim()
      for (let row = 0; row < table.rows(); row++) {
        if (changed[row] === 1) summarize(row)
        changed[row] = 0
      }
      commonLeads.trim((from, to) => {
        leadRow[to] = leadRow[from] as number
      })
      chooseCommonLeads()
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++) {
        for (let part = 0; part < 4; part++) {
          const id = table.key(row, part)
          if (id > 0) strings[id] = 1
        }
      }
    },
    bytes: () =>
      table.bytes() + commonLeads.bytes() + (HISTOGRAM_BYTES + CELL_BYTES) * table.rows() + 4 * commonLeads.rows(),
    each(visit) {
      for (let row = 0; row < table.rows(); row++) {
        if (!published(row)) continue
        const key = [0, 1, 2, 3].map((part) => table.key(row, part))
        visit(key, seen[row] as number, [...quantiles.subarray(row * QUANTILES, (row + 1) * QUANTILES)])
      }
    },
    set(key, pieces, quantilesNs) {
      const row = table.add(key[0] as number, key[1] as number, key[2] as number, key[3] as number)
      if (row < 0) return
      seen[row] = pieces
      quantiles.set(quantilesNs, row * QUANTILES)
    }
  }
}
