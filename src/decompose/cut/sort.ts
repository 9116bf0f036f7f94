import { growInts } from '../scratch.ts'

const RUN = 32

export interface SortKeys {
  readonly startNs: Float64Array
  readonly endNs: Float64Array
  /** Its spanId has two words a row. */
  readonly trace: { readonly spanId: Uint32Array }
}

export interface Sorter {
  readonly begin: (rows: number, keys: SortKeys) => void
  /** First pass over all rows. */
  readonly sortRuns: (from: number, to: number) => void
  /** A pass over all rows that doubles the length of the sorted runs; to be run `merges()` times. */
  readonly mergeRuns: (from: number, to: number) => void
  readonly merges: () => number
  /** Rows: last-finishing first; then the longer; then by span id, so that arrival order never matters. */
  readonly order: () => Int32Array
}

/** Bottom-up merge sort of rows: O(n log n) without recursion or objects, in passes that can be cut into slices. */
export function createSorter(): Sorter {
  let order = growInts(64)
  let other = growInts(64)
  let rows = 0
  let width = RUN
  let start: Float64Array = new Float64Array(0)
  let end: Float64Array = start
  let id: Uint32Array = new Uint32Array(0)

  function before(a: number, b: number): boolean {
    const byEnd = (end[a] as number) - (end[b] as number)
    if (byEnd !== 0) return byEnd > 0
    const byStart = (start[a] as number) - (start[b] as number)
    if (byStart !== 0) return byStart < 0
    const byHi = (id[2 * a] as number) - (id[2 * b] as number)
    return byHi !== 0 ? byHi < 0 : (id[2 * a + 1] as number) < (id[2 * b + 1] as number)
  }

  function merge(left: number, middle: number, right: number): void {
    let a = left
    let b = middle
    for (let to = left; to < right; to++) {
      const takeB = a >= middle || (b < right && before(order[b] as number, order[a] as number))
      other[to] = takeB ? (order[b++] as number) : (order[a++] as number)
    }
  }

  return {
    begin(n, keys) {
      rows = n
      width = RUN
      start = keys.startNs
      end = keys.endNs
      id = keys.trace.spanId
      if (order.length < n) {
        order = growInts(n)
        other = growInts(n)
      }
    },
    sortRuns(from, to) {
      for (let row = from; row < to; row++) {
        const runStart = row - (row % RUN)
        let at = row
        while (at > runStart && before(row, order[at - 1] as number)) {
          order[at] = order[at - 1] as number
          at -= 1
        }
        order[at] = row
      }
    },
    mergeRuns(from, to) {
      const span = 2 * width
      for (let left = Math.ceil(from / span) * span; left < to; left += span) {
        merge(left, Math.min(left + width, rows), Math.min(left + span, rows))
      }
      if (to < rows) return
      const merged = other
      other = order
      order = merged
      width = span
    },
    merges: () => (rows <= RUN ? 0 : Math.ceil(Math.log2(rows / RUN))),
    order: () => order
  }
}
