import type { SharedMemory } from '../../runtime/shared-memory.ts'
import { slotsFor } from '../../runtime/slots.ts'

/** Rows by a key of four interned ids, seen by all threads. Bounded; the longest unused rows leave at `trim`. */
export interface KeyTable {
  readonly rows: () => number
  /** Row of the key, or -1. Needs no lock: a row that another thread is just adding has nothing published yet. */
  readonly find: (a: number, b: number, c: number, d: number) => number
  /** Row of the key, made if need be; -1 when full. One thread at a time. */
  readonly add: (a: number, b: number, c: number, d: number) => number
  readonly key: (row: number, part: number) => number
  /** Remembers that the row was used now. */
  readonly touch: (row: number) => void
  /**
   * Starts a new age, while no thread looks. When over nine tenths full, drops the rows untouched for longest until a quarter is
   * free; `move` is told which row's cells go where, in rising order.
   */
  readonly trim: (move: (from: number, to: number) => void) => void
  readonly bytes: () => number
}

export interface KeyTableOptions {
  readonly rowsMax: number
  readonly memory: SharedMemory
  /** Empties the cells of a new row, before others can find it. */
  readonly clear: (row: number) => void
}

const PARTS = 4
const FIRST_SLOTS = 256
const ROW_BYTES = 20
const Cell = { mask: 0, rows: 1, age: 2 } as const

/** The slots of the larger table lie beside those in use, and a row is put into its slot last, as in `runtime/strings.ts`. */
export function createKeyTable({ rowsMax, memory, clear }: KeyTableOptions): KeyTable {
  const slots = memory.take(Int32Array, 2 * slotsFor(rowsMax, FIRST_SLOTS))
  const keys = memory.take(Int32Array, rowsMax * PARTS)
  const lastUse = memory.take(Int32Array, rowsMax)
  const cells = memory.take(Int32Array, 3)
  if (cells[Cell.mask] === 0) cells[Cell.mask] = FIRST_SLOTS - 1

  const cell = (index: number): number => cells[index] as number

  const hash = (a: number, b: number, c: number, d: number): number => {
    let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f)
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
    return h ^ (h >>> 13)
  }

  function isKey(row: number, a: number, b: number, c: number, d: number): boolean {
    const at = row * PARTS
    return keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d
  }

  /** The slot that holds this key's row, or the free one where it belongs. */
  function slotOf(a: number, b: number, c: number, d: number): number {
    const mask = cell(Cell.mask)
    let slot = hash(a, b, c, d) & mask
    for (;;) {
      const row = (slots[mask + 1 + slot] as number) - 1
      if (row < 0 || isKey(row, a, b, c, d)) return mask + 1 + slot
      slot = (slot + 1) & mask
    }
  }

  function rehash(size: number): void {
    slots.fill(0, size, 2 * size)
    for (let row = 0; row < cell(Cell.rows); row++) {
      const at = row * PARTS
      let slot = hash(keys[at] as number, keys[at + 1] as number, keys[at + 2] as number, keys[at + 3] as number)
      while (slots[size + (slot & (size - 1))] !== 0) slot += 1
      slots[size + (slot & (size - 1))] = row + 1
    }
    Atomics.store(cells, Cell.mask, size - 1)
  }

  return {
    rows: () => cell(Cell.rows),
    find(a, b, c, d) {
      const row = (slots[slotOf(a, b, c, d)] as number) - 1
      // A slot that was free may have become another's meanwhile.
      return row >= 0 && isKey(row, a, b, c, d) ? row : -1
    },
    add(a, b, c, d) {
      const slot = slotOf(a, b, c, d)
      const known = (slots[slot] as number) - 1
      if (known >= 0) return known
      const row = cell(Cell.rows)
      if (row >= rowsMax) return -1
      const at = row * PARTS
      keys[at] = a
      keys[at + 1] = b
      keys[at + 2] = c
      keys[at + 3] = d
      lastUse[row] = cell(Cell.age)
      clear(row)
      cells[Cell.rows] = row + 1
      const size = cell(Cell.mask) + 1
      if ((row + 1) * 2 > size - 1) rehash(size * 2)
      else Atomics.store(slots, slot, row + 1)
      return row
    },
    key: (row, part) => keys[row * PARTS + part] as number,
    touch(row) {
      // A line that nobody writes stays in the caches of all threads.
      const age = cell(Cell.age)
      if (lastUse[row] !== age) lastUse[row] = age
    },
    trim(move) {
      const age = (cells[Cell.age] = cell(Cell.age) + 1)
      const rows = cell(Cell.rows)
      if (rows < rowsMax * 0.9) return
      const ages = lastUse.slice(0, rows).sort()
      // What was used since the last time stays, even if that leaves the table full.
      const oldestKept = Math.min((ages[Math.floor(rows / 4)] as number) + 1, age - 1)
      let kept = 0
      for (let row = 0; row < rows; row++) {
        if ((lastUse[row] as number) < oldestKept) continue
        if (row !== kept) {
          keys.copyWithin(kept * PARTS, row * PARTS, (row + 1) * PARTS)
          lastUse[kept] = lastUse[row] as number
          move(row, kept)
        }
        kept += 1
      }
      cells[Cell.rows] = kept
      rehash(cell(Cell.mask) + 1)
    },
    bytes: () => ROW_BYTES * cell(Cell.rows) + 8 * (cell(Cell.mask) + 1)
  }
}
