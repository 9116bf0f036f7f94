/**
 * Seeded and mixed word by word, so that a stranger who picks ids cannot pick where they land. Hashes are signed: a
 * number of 32 bits that is not costs an allocation wherever it is passed on.
 */
export function hashTraceId(ids: Uint32Array, at: number, seed: number): number {
  let h = Math.imul((ids[at] as number) ^ seed, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15) ^ (ids[at + 1] as number), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13) ^ (ids[at + 2] as number), 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16) ^ (ids[at + 3] as number), 0x27d4eb2f)
  return h ^ (h >>> 15)
}

/** Also a span's fingerprint in the memory of its closed trace. */
export function hashSpanId(high: number, low: number, seed: number): number {
  let h = Math.imul(high ^ seed, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15) ^ low, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/**
 * From 32-bit hashes to numbers: open addressing, linear probing, deletion by shifting back. It knows hashes only; the
 * caller compares ids, and asks for the next candidate when they differ:
 *
 *   for (let slot = seek(index, hash, hash); slot >= 0; slot = seek(index, hash, slot + 1)) …
 */
export interface IdIndex {
  /** Two words a slot: hash, value + 1 (0 = empty). */
  slots: Int32Array
  mask: number
  used: number
}

const FIRST_SLOTS = 1024

export function createIdIndex(): IdIndex {
  return { slots: new Int32Array(FIRST_SLOTS * 2), mask: FIRST_SLOTS - 1, used: 0 }
}

/** First slot from `from` on that holds this hash, or -1. Start with `hash`, go on with the slot found + 1. */
export function seek(index: IdIndex, hash: number, from: number): number {
  const { slots, mask } = index
  for (let slot = from & mask; slots[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
    if (slots[2 * slot] === hash) return slot
  }
  return -1
}

export function valueAt(index: IdIndex, slot: number): number {
  return (index.slots[2 * slot + 1] as number) - 1
}

export function setValueAt(index: IdIndex, slot: number, value: number): void {
  index.slots[2 * slot + 1] = value + 1
}

export function insertId(index: IdIndex, hash: number, value: number): void {
  if (index.used * 3 >= index.mask * 2) grow(index)
  place(index, hash, value)
  index.used += 1
}

/** Removes a pair; false when it is not there. */
export function removeId(index: IdIndex, hash: number, value: number): boolean {
  let slot = seek(index, hash, hash)
  while (slot >= 0 && valueAt(index, slot) !== value) slot = seek(index, hash, slot + 1)
  if (slot < 0) return false
  const { slots, mask } = index
  let hole = slot
  for (let next = (hole + 1) & mask; slots[2 * next + 1] !== 0; next = (next + 1) & mask) {
    const home = (slots[2 * next] as number) & mask
    if (((next - home) & mask) < ((next - hole) & mask)) continue
    slots[2 * hole] = slots[2 * next] as number
    slots[2 * hole + 1] = slots[2 * next + 1] as number
    hole = next
  }
  slots[2 * hole + 1] = 0
  index.used -= 1
  return true
}

export function indexBytes(index: IdIndex): number {
  return index.slots.byteLength
}

/** Bytes once one more is in. */
export function indexBytesWithOneMore(index: IdIndex): number {
  return index.used * 3 >= index.mask * 2 ? index.slots.byteLength * 2 : index.slots.byteLength
}

function place(index: IdIndex, hash: number, value: number): void {
  const { slots, mask } = index
  let slot = hash & mask
  while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
  slots[2 * slot] = hash
  slots[2 * slot + 1] = value + 1
}

function grow(index: IdIndex): void {
  const old = index.slots
  index.slots = new Int32Array(old.length * 2)
  index.mask = index.mask * 2 + 1
  for (let at = 0; at < old.length; at += 2) {
    if (old[at + 1] !== 0) place(index, old[at] as number, (old[at + 1] as number) - 1)
  }
}
