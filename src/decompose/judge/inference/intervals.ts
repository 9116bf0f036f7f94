import type { SharedMemory } from '../../../runtime/shared-memory.ts'

/** Widths of the time buckets that an interval may lie in, by its length; what is longer lies in one bucket of its own level. */
const WIDTHS_NS = [16e6, 64e6, 256e6, 1024e6, 4096e6, 16384e6, 65536e6, Infinity] as const
/** Younger than this, an interval may still be asked for. */
const YOUNG_NS = 30e9
/** Intervals looked at for one question; with more in its buckets the answer is incomplete. */
const STEPS_MAX = 16_384
/** Ids start here, so that an empty head (0) is older than everything held. */
const FIRST_ID = 2 ** 31

/**
 * The latest intervals of many keys: a ring in typed arrays, found by key and time. Whoever needs more of an interval keeps
 * columns of its own beside, by row. An interval is chained to others of its key, level (length) and time bucket, so a
 * look-up visits what overlaps and at most two buckets beyond at each level, in any order of arrival.
 */
export interface Intervals {
  /** Start and end of the interval to add next. Cells, because numbers that large would be boxed as arguments, a billion times. */
  readonly next: Float64Array
  /** Adds `next`; gives its row. */
  readonly add: (key: number) => number
  /** Visits intervals of a key that overlap [fromNs, toNs]. Ends that touch overlap. False when there were too many to see all. */
  readonly each: (key: number, fromNs: number, toNs: number, visit: (row: number) => void) => boolean
  /** Rows there is room for: sizes the owner's columns. */
  readonly rows: number
  /** Intervals added since the start; the row of the next is this modulo `rows`. */
  readonly added: () => number
  readonly key: (row: number) => number
  readonly fromNs: (row: number) => number
  readonly toNs: (row: number) => number
  /** Intervals looked at since the start, those in vain too: what questions cost. */
  readonly walked: () => number
  readonly clear: () => void
  readonly bytes: () => number
}

export interface IntervalsOptions {
  readonly rowsMax: number
  readonly memory: SharedMemory
  /** Told of an interval pushed out by a newer one within half a minute of the latest end: it was still of use. */
  readonly pushedOut: () => void
}

const ROW_BYTES = 33
const LEVELS = WIDTHS_NS.length
/** Cells that all threads share. */
const Cell = {
  added: 0,
  /** Intervals before this one are forgotten. */
  first: 1,
  walked: 2,
  latestNs: 3,
  /** From here on, one more than the newest interval of each level: a level whose newest is gone is empty. */
  newest: 4
} as const

export function createIntervals({ rowsMax, memory, pushedOut }: IntervalsOptions): Intervals {
  // A power of two, so that a row is the low bits of a serial number.
  const rows = 2 ** Math.floor(Math.log2(rowsMax))
  const mask = rows - 1
  const heads = memory.take(Uint32Array, 2 * rows)
  const from = memory.take(Float64Array, rows)
  const to = memory.take(Float64Array, rows)
  const keyOf = memory.take(Uint32Array, rows)
  const levelOf = memory.take(Uint8Array, rows)
  // How many intervals before this one the next of its chain was added; 0 = none.
  const back = memory.take(Uint32Array, rows)
  const cells = memory.take(Float64Array, Cell.newest + LEVELS)
  const next = new Float64Array(2)

  const cell = (index: number): number => cells[index] as number

  function levelFor(lengthNs: number): number {
    let level = 0
    while (lengthNs > (WIDTHS_NS[level] as number)) level += 1
    return level
  }

  /** Infinity has one bucket: 0. */
  const bucketOf = (ns: number, level: number): number => Math.floor(ns / (WIDTHS_NS[level] as number))

  /** Buckets that follow in time lie side by side, so that what happens now stays in the processor's cache. */
  function slotOf(key: number, level: number, bucket: number): number {
    let h = Math.imul(key, 0x9e3779b1) ^ Math.imul(level, 0xc2b2ae35)
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
    return ((h ^ (h >>> 13)) + bucket) & (heads.length - 1)
  }

  function link(serial: number, row: number): void {
    const level = levelOf[row] as number
    const slot = slotOf(keyOf[row] as number, level, bucketOf(from[row] as number, level))
    const id = (FIRST_ID + serial) >>> 0
    const distance = (id - (heads[slot] as number)) >>> 0
    back[row] = distance < rows ? distance : 0
    heads[slot] = id
    cells[Cell.newest + level] = serial + 1
  }

  return {
    next,
    add(key) {
      const fromNs = next[0] as number
      const toNs = next[1] as number
      const serial = cell(Cell.added)
      const row = serial & mask
      const latestNs = cell(Cell.latestNs)
      if (serial - rows >= cell(Cell.first) && latestNs - (to[row] as number) < YOUNG_NS) pushedOut()
      cells[Cell.added] = serial + 1
      if (toNs > latestNs) cells[Cell.latestNs] = toNs
      from[row] = fromNs
      to[row] = toNs
      keyOf[row] = key
      levelOf[row] = levelFor(toNs - fromNs)
      link(serial, row)
      return row
    },
    each(key, fromNs, toNs, visit) {
      const wanted = key >>> 0
      const added = cell(Cell.added)
      const kept = Math.min(rows, added - cell(Cell.first))
      const end = added & mask
      let steps = 0
      for (let level = 0; level < LEVELS; level++) {
        if (cell(Cell.newest + level) <= added - kept) continue
        const last = bucketOf(toNs, level)
        for (let bucket = bucketOf(fromNs, level) - 1; bucket <= last; bucket++) {
          const id = heads[slotOf(wanted, level, bucket)] as number
          // Serials of the chain fall; below `added - kept` all are gone.
          let distance = (FIRST_ID + added - id) >>> 0
          while (distance <= kept) {
            const row = (end - distance) & mask
            if (
              keyOf[row] === wanted &&
              levelOf[row] === level &&
              (from[row] as number) <= toNs &&
              (to[row] as number) >= fromNs &&
              bucketOf(from[row] as number, level) === bucket
            ) {
              visit(row)
            }
            if (++steps > STEPS_MAX) {
              cells[Cell.walked] = cell(Cell.walked) + steps
              return false
            }
            const step = back[row] as number
            if (step === 0) break
            distance += step
          }
        }
      }
      cells[Cell.walked] = cell(Cell.walked) + steps
      return true
    },
    rows,
    added: () => cell(Cell.added),
    key: (row) => keyOf[row] as number,
    fromNs: (row) => from[row] as number,
    toNs: (row) => to[row] as number,
    walked: () => cell(Cell.walked),
    clear() {
      cells[Cell.first] = cell(Cell.added)
      cells[Cell.latestNs] = 0
    },
    bytes: () => ROW_BYTES * Math.min(rows, cell(Cell.added))
  }
}
