import type { SharedMemory } from '../../../runtime/shared-memory.ts'

/** from, to, amount. */
const WORDS = 3
/** Parts of one figure that were collected together carry times this close. */
const TOGETHER_NS = 500e6

/** The latest intervals of many figures, a ring each; the oldest go first. What was added counts once it is published. */
export interface Rings {
  /** A fresh ring. */
  readonly take: () => number
  readonly give: (ring: number) => void
  /** Appends an interval, or adds to the one that ends at the same time. False when it lies before the newest. */
  readonly add: (ring: number, fromNs: number, toNs: number, amount: number) => boolean
  readonly clear: (ring: number) => void
  /** Makes everything count; gives how many intervals of the ring are new. */
  readonly publish: (ring: number) => number
  /** End of the newest interval, NaN without. */
  readonly newestNs: (ring: number) => number
  /**
   * Average over a stretch, weighted by time: of amounts per second, of gauges the value. A stretch after the newest interval is
   * answered with that one while it is no older than `staleNs` and twice its own length. NaN where nothing is known.
   */
  readonly mean: (ring: number, fromNs: number, toNs: number, gauge: boolean) => number
  /** Of the newest published interval alone, however long ago it was; NaN without. */
  readonly newest: (ring: number, gauge: boolean) => number
  /** Index of the published interval that holds the moment (or the newest, as above) for the functions below; -1 without. */
  readonly at: (ring: number, ns: number) => number
  readonly fromNs: (at: number) => number
  readonly toNs: (at: number) => number
  readonly amount: (at: number) => number
  /** The published intervals, oldest first. */
  readonly each: (ring: number, visit: (fromNs: number, toNs: number, amount: number) => void) => void
  readonly bytes: () => number
}

export interface RingsOptions {
  readonly ringsMax: number
  readonly intervals: number
  readonly staleNs: number
  readonly memory: SharedMemory
}

/** Cells that all threads share: rings ever taken, and one more than the first free one, each of which holds the next. */
const Cell = { rings: 0, free: 1 } as const

export function createRings({ ringsMax, intervals, staleNs, memory }: RingsOptions): Rings {
  const cells = memory.take(Float64Array, ringsMax * intervals * WORDS)
  // Intervals ever added, and how many of those count.
  const added = memory.take(Int32Array, ringsMax)
  const published = memory.take(Int32Array, ringsMax)
  const shared = memory.take(Int32Array, 2)

  const cellOf = (ring: number, index: number): number => (ring * intervals + (index % intervals)) * WORDS
  const oldest = (ring: number): number => Math.max(0, (added[ring] as number) - intervals)

  function isFresh(cell: number, ns: number): boolean {
    const fromNs = cells[cell] as number
    const toNs = cells[cell + 1] as number
    return ns >= fromNs && (ns < toNs || ns - toNs <= Math.max(staleNs, 2 * (toNs - fromNs)))
  }

  function add(ring: number, fromNs: number, toNs: number, amount: number): boolean {
    for (let index = (added[ring] as number) - 1; index >= oldest(ring); index--) {
      const cell = cellOf(ring, index)
      const endNs = cells[cell + 1] as number
      if (Math.abs(endNs - toNs) <= TOGETHER_NS) {
        cells[cell + 2] = (cells[cell + 2] as number) + amount
        return true
      }
      if (endNs < toNs) break
    }
    const last = (added[ring] as number) - 1
    const lastToNs = last < 0 ? -Infinity : (cells[cellOf(ring, last) + 1] as number)
    if (toNs < lastToNs) return false
    const cell = cellOf(ring, last + 1)
    cells[cell] = Math.max(fromNs, lastToNs)
    cells[cell + 1] = toNs
    cells[cell + 2] = amount
    added[ring] = last + 2
    return true
  }

  function newestCell(ring: number): number {
    const last = (published[ring] as number) - 1
    return last < oldest(ring) ? -1 : cellOf(ring, last)
  }

  function mean(ring: number, fromNs: number, toNs: number, gauge: boolean): number {
    let sum = 0
    let coveredNs = 0
    for (let index = (published[ring] as number) - 1; index >= oldest(ring); index--) {
      const cell = cellOf(ring, index)
      const startNs = cells[cell] as number
      const endNs = cells[cell + 1] as number
      if (endNs <= fromNs) break
      // A stretch of no length still lies somewhere.
      const overlapNs = Math.min(endNs, Math.max(toNs, fromNs + 1)) - Math.max(startNs, fromNs)
      if (overlapNs <= 0) continue
      coveredNs += overlapNs
      const amount = cells[cell + 2] as number
      sum += (gauge ? amount : amount / (endNs - startNs)) * overlapNs
    }
    if (coveredNs > 0) return gauge ? sum / coveredNs : (sum / coveredNs) * 1e9
    const newestAt = newestCell(ring)
    return newestAt >= 0 && isFresh(newestAt, fromNs) ? newest(ring, gauge) : NaN
  }

  function newest(ring: number, gauge: boolean): number {
    const cell = newestCell(ring)
    if (cell < 0) return NaN
    const amount = cells[cell + 2] as number
    const lengthNs = (cells[cell + 1] as number) - (cells[cell] as number)
    return gauge ? amount : (amount / lengthNs) * 1e9
  }

  return {
    take() {
      const free = shared[Cell.free] as number
      const ring = free === 0 ? (shared[Cell.rings] as number) : free - 1
      if (free === 0) shared[Cell.rings] = ring + 1
      else shared[Cell.free] = added[ring] as number
      added[ring] = published[ring] = 0
      return ring
    },
    give(ring) {
      published[ring] = 0
      added[ring] = shared[Cell.free] as number
      shared[Cell.free] = ring + 1
    },
    add,
    clear(ring) {
      added[ring] = published[ring] = 0
    },
    publish(ring) {
      const fresh = (added[ring] as number) - (published[ring] as number)
      published[ring] = added[ring] as number
      return fresh
    },
    newestNs(ring) {
      const last = (added[ring] as number) - 1
      return last < 0 ? NaN : (cells[cellOf(ring, last) + 1] as number)
    },
    mean,
    newest,
    at(ring, ns) {
      for (let index = (published[ring] as number) - 1; index >= oldest(ring); index--) {
        const cell = cellOf(ring, index)
        if (ns >= (cells[cell] as number)) return isFresh(cell, ns) ? cell : -1
      }
      return -1
    },
    fromNs: (at) => cells[at] as number,
    toNs: (at) => cells[at + 1] as number,
    amount: (at) => cells[at + 2] as number,
    each(ring, visit) {
      for (let index = oldest(ring); index < (published[ring] as number); index++) {
        const cell = cellOf(ring, index)
        visit(cells[cell] as number, cells[cell + 1] as number, cells[cell + 2] as number)
      }
    },
    bytes: () => (8 * WORDS * intervals + 8) * (shared[Cell.rings] as number)
  }
}
