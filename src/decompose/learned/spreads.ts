import { enlarge, growInts } from '../scratch.ts'
import { createHistograms, type Histograms } from './histograms.ts'
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
  /** Excess that does not matter to a service's requests: 5 % of their median duration; 0 while that is unknown. */
  readonly unnoticedNs: (service: number) => number
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  readonly each: (visit: (key: readonly number[], pieces: number, quantilesNs: readonly number[]) => void) => void
  readonly set: (key: readonly number[], pieces: number, quantilesNs: readonly number[]) => void
}

export function createSpreads(options: { readonly piecesMin: number; readonly rowsMax: number }): Spreads {
  const table = createKeyTable(options.rowsMax)
  const commonLeads = createKeyTable(options.rowsMax)
  const histograms = createHistograms()
  let seen = new Float64Array(64)
  let changed = new Uint8Array(64)
  // By Quantile; NaN until published.
  let quantiles = new Float64Array(64 * QUANTILES)
  let leadRow = growInts(64)

  function rowFor(service: number, span: number, before: number, after: number): number {
    const known = table.rows()
    const row = table.add(service, span, before, after)
    if (row < known) return row
    histograms.clear(row)
    seen = enlarge(seen, row + 1)
    changed = enlarge(changed, row + 1)
    quantiles = enlarge(quantiles, (row + 1) * QUANTILES)
    seen[row] = 0
    changed[row] = 0
    quantiles[row * QUANTILES] = NaN
    return row
  }

  const published = (row: number): boolean => !Number.isNaN(quantiles[row * QUANTILES])

  function summarize(row: number): void {
    if (histograms.total(row) < options.piecesMin) return
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
      const known = commonLeads.rows()
      const lead = commonLeads.add(table.key(row, 0), table.key(row, 1), 0, 0)
      if (lead < 0) continue
      leadRow = enlarge(leadRow, lead + 1)
      const best = lead < known ? (leadRow[lead] as number) : -1
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
    if (table.rows() !== before) leadRow.fill(-1)
  }

  return {
    learn(service, span, before, after, ns) {
      const row = rowFor(service, span, before, after)
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
      return row < 0 || !published(row) ? 0 : UNNOTICED_SHARE * (quantiles[row * QUANTILES] as number)
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
    bytes: () => table.bytes() + commonLeads.bytes() + histograms.bytes() + 33 * seen.length + leadRow.byteLength,
    each(visit) {
      for (let row = 0; row < table.rows(); row++) {
        if (!published(row)) continue
        const key = [0, 1, 2, 3].map((part) => table.key(row, part))
        visit(key, seen[row] as number, [...quantiles.subarray(row * QUANTILES, (row + 1) * QUANTILES)])
      }
    },
    set(key, pieces, quantilesNs) {
      const row = rowFor(key[0] as number, key[1] as number, key[2] as number, key[3] as number)
      if (row < 0) return
      seen[row] = pieces
      quantiles.set(quantilesNs, row * QUANTILES)
    }
  }
}
