import { enlarge } from '../../scratch.ts'

/** Widths of the time buckets that an interval may lie in, by its length; what is longer lies in one bucket of its own level. */
const WIDTHS_NS = [16e6, 64e6, 256e6, 1024e6, 4096e6, 16384e6, 65536e6, Infinity] as const
const FIRST_ROWS = 1024
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
  /** Rows there is room for now: sizes the owner's columns. */
  readonly rows: () => number
  readonly key: (row: number) => number
  readonly fromNs: (row: number) => number
  readonly toNs: (row: number) => number
  /** Intervals pushed out by newer ones within half a minute of the latest end, since the start: they were still of use. */
  readonly pushedOut: () => number
  /** Intervals looked at since the start, those in vain too: what questions cost. */
  readonly walked: () => number
  readonly clear: () => void
  readonly bytes: () => number
}

export function createIntervals(rowsWanted: number): Intervals {
  // A power of two, so that a row is the low bits of a serial number.
  const rowsMax = 2 ** Math.floor(Math.log2(rowsWanted))
  let capacity = Math.min(FIRST_ROWS, rowsMax)
  let heads = new Uint32Array(2 * FIRST_ROWS)
  let from = new Float64Array(capacity)
  let to = new Float64Array(capacity)
  let keyOf = new Uint32Array(capacity)
  let levelOf = new Uint8Array(capacity)
  // How many intervals before this one the next of its chain was added; 0 = none.
  let back = new Uint32Array(capacity)
  let added = 0
  let pushedOut = 0
  let walked = 0
  let latestNs = 0
  const next = new Float64Array(2)
  // Newest id of each level: a level whose newest is gone is empty.
  const newest = new Float64Array(WIDTHS_NS.length).fill(-1)

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

  function link(serial: number): void {
    const row = serial & (capacity - 1)
    const level = levelOf[row] as number
    const slot = slotOf(keyOf[row] as number, level, bucketOf(from[row] as number, level))
    const id = (FIRST_ID + serial) >>> 0
    const distance = (id - (heads[slot] as number)) >>> 0
    back[row] = distance < capacity ? distance : 0
    heads[slot] = id
    newest[level] = serial
  }

  /** Only before anything is pushed out, so rows keep their numbers. */
  function grow(): void {
    capacity = Math.min(2 * capacity, rowsMax)
    from = enlarge(from, capacity)
    to = enlarge(to, capacity)
    keyOf = enlarge(keyOf, capacity)
    levelOf = enlarge(levelOf, capacity)
    back = enlarge(back, capacity)
    let size = heads.length
    while (size < 2 * capacity) size *= 2
    heads = new Uint32Array(size)
    for (let serial = 0; serial < added; serial++) link(serial)
  }

  return {
    next,
    add(key) {
      const fromNs = next[0] as number
      const toNs = next[1] as number
      if (added === capacity && capacity < rowsMax) grow()
      const serial = added++
      const row = serial & (capacity - 1)
      if (serial >= capacity && latestNs - (to[row] as number) < YOUNG_NS) pushedOut += 1
      latestNs = Math.max(latestNs, toNs)
      from[row] = fromNs
      to[row] = toNs
      keyOf[row] = key
      levelOf[row] = levelFor(toNs - fromNs)
      link(serial)
      return row
    },
    each(key, fromNs, toNs, visit) {
      const wanted = key >>> 0
      let steps = 0
      for (let level = 0; level < WIDTHS_NS.length; level++) {
        if ((newest[level] as number) < 0 || (newest[level] as number) < added - capacity) continue
        const last = bucketOf(toNs, level)
        for (let bucket = bucketOf(fromNs, level) - 1; bucket <= last; bucket++) {
          const id = heads[slotOf(wanted, level, bucket)] as number
          // Serials of the chain fall; below `added - capacity` all are gone.
          let distance = (FIRST_ID + added - id) >>> 0
          while (distance <= capacity && distance <= added) {
            const row = (added - distance) & (capacity - 1)
            if (
              keyOf[row] === wanted &&
              levelOf[row] === level &&
              (from[row] as number) <= toNs &&
              (to[row] as number) >= fromNs &&
              bucketOf(from[row] as number, level) === bucket
            ) {
              visit(row)
            }
            walked += 1
            if (++steps > STEPS_MAX) return false
            const step = back[row] as number
            if (step === 0) break
            distance += step
          }
        }
      }
      return true
    },
    rows: () => capacity,
    key: (row) => keyOf[row] as number,
    fromNs: (row) => from[row] as number,
    toNs: (row) => to[row] as number,
    pushedOut: () => pushedOut,
    walked: () => walked,
    clear() {
      added = latestNs = 0
      heads.fill(0)
      newest.fill(-1)
    },
    bytes: () => heads.byteLength + 25 * capacity
  }
}
