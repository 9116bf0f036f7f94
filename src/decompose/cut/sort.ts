import { growInts } from '../scratch.ts'

const RUN = 32

/** Whether row `a` comes before row `b`. */
export type Before = (a: number, b: number) => boolean

export interface Sorter {
  readonly begin: (rows: number, before: Before) => void
  /** All passes in one go. */
  readonly sort: () => void
  /** First pass over all rows. */
  readonly sortRuns: (from: number, to: number) => void
  /** A pass over all rows that doubles the length of the sorted runs; to be run `merges()` times. */
  readonly mergeRuns: (from: number, to: number) => void
  readonly merges: () => number
  readonly order: () => Int32Array
}

/** Bottom-up merge sort of rows: O(n log n) without recursion or objects, in passes that can be cut into slices. */
export function createSorter(): Sorter {
  let order = growInts(64)
  let other = growInts(64)
  let rows = 0
  let width = RUN
  let before: Before

  function sortRuns(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const runStart = row - (row % RUN)
      let at = row
      while (at > runStart && before(row, order[at - 1] as number)) {
        order[at] = order[at - 1] as number
        at -= 1
      }
      order[at] = row
    }
  }

  // The pair of runs that is being merged: what is next of each, and their ends. A long pair is merged in several slices.
  let nextA = 0
  let nextB = 0
  let endA = 0
  let endB = 0

  function mergeRuns(from: number, to: number): void {
    if (from === 0) endB = 0
    for (let at = from; at < to;) {
      if (at === endB) {
        nextA = at
        nextB = endA = Math.min(at + width, rows)
        endB = Math.min(at + 2 * width, rows)
      }
      at = mergePair(at, Math.min(to, endB))
    }
    if (to < rows) return
    const merged = other
    other = order
    order = merged
    width *= 2
  }

  function mergePair(from: number, to: number): number {
    let a = nextA
    let b = nextB
    for (let at = from; at < to; at++) {
      const takeB = a >= endA || (b < endB && before(order[b] as number, order[a] as number))
      other[at] = takeB ? (order[b++] as number) : (order[a++] as number)
    }
    nextA = a
    nextB = b
    return to
  }

  const merges = (): number => (rows <= RUN ? 0 : Math.ceil(Math.log2(rows / RUN)))

  return {
    begin(n, isBefore) {
      rows = n
      width = RUN
      before = isBefore
      if (order.length < n) {
        order = growInts(n)
        other = growInts(n)
      }
    },
    sortRuns,
    mergeRuns,
    merges,
    sort() {
      sortRuns(0, rows)
      for (let left = merges(); left > 0; left--) mergeRuns(0, rows)
    },
    order: () => order
  }
}
