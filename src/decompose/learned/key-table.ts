import { enlarge, growInts } from '../scratch.ts'

/** Rows by a key of four interned ids. Bounded; the longest unused rows leave at `trim`. */
export interface KeyTable {
  readonly rows: () => number
  /** Row of the key, or -1. */
  readonly find: (a: number, b: number, c: number, d: number) => number
  /** Row of the key, made if need be; -1 when full. A new row's cells are the owner's to clear. */
  readonly add: (a: number, b: number, c: number, d: number) => number
  readonly key: (row: number, part: number) => number
  /** Remembers that the row was used now. */
  readonly touch: (row: number) => void
  /**
   * Starts a new age. When over nine tenths full, drops the rows untouched for longest until a quarter is free; `move`
   * is told which row's cells go where, in rising order.
   */
  readonly trim: (move: (from: number, to: number) => void) => void
  readonly bytes: () => number
}

const PARTS = 4

export function createKeyTable(rowsMax: number): KeyTable {
  let n = 0
  let age = 0
  let mask = 255
  let slots = growInts(mask + 1)
  let keys = growInts(64 * PARTS)
  let lastUse = growInts(64)

  const hash = (a: number, b: number, c: number, d: number): number => {
    let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f)
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
    return (h ^ (h >>> 13)) & mask
  }

  function slotOf(a: number, b: number, c: number, d: number): number {
    let slot = hash(a, b, c, d)
    for (;;) {
      const row = (slots[slot] as number) - 1
      if (row < 0) return slot
      const at = row * PARTS
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return slot
      slot = (slot + 1) & mask
    }
  }

  function place(row: number): void {
    const at = row * PARTS
    slots[slotOf(keys[at] as number, keys[at + 1] as number, keys[at + 2] as number, keys[at + 3] as number)] = row + 1
  }

  function rehash(size: number): void {
    mask = size - 1
    slots = new Int32Array(size)
    for (let row = 0; row < n; row++) place(row)
  }

  return {
    rows: () => n,
    find: (a, b, c, d) => (slots[slotOf(a, b, c, d)] as number) - 1,
    add(a, b, c, d) {
      const slot = slotOf(a, b, c, d)
      const known = (slots[slot] as number) - 1
      if (known >= 0) return known
      if (n >= rowsMax) return -1
      const row = n++
      keys = enlarge(keys, n * PARTS)
      lastUse = enlarge(lastUse, n)
      keys.set([a, b, c, d], row * PARTS)
      lastUse[row] = age
      if (n * 2 > mask) rehash((mask + 1) * 2)
      else slots[slot] = row + 1
      return row
    },
    key: (row, part) => keys[row * PARTS + part] as number,
    touch(row) {
      lastUse[row] = age
    },
    trim(move) {
      age += 1
      if (n < rowsMax * 0.9) return
      const ages = lastUse.slice(0, n).sort()
      // What was used since the last time stays, even if that leaves the table full.
      const oldestKept = Math.min((ages[Math.floor(n / 4)] as number) + 1, age - 1)
      let kept = 0
      for (let row = 0; row < n; row++) {
        if ((lastUse[row] as number) < oldestKept) continue
        if (row !== kept) {
          keys.copyWithin(kept * PARTS, row * PARTS, (row + 1) * PARTS)
          lastUse[kept] = lastUse[row] as number
          move(row, kept)
        }
        kept += 1
      }
      n = kept
      rehash(mask + 1)
    },
    bytes: () => slots.byteLength + keys.byteLength + lastUse.byteLength
  }
}
