import { isUtf8 } from 'node:buffer'
import { createSharedMemory, type SharedMemory } from './shared-memory.ts'
import { slotsFor } from './slots.ts'

/** Interned strings. Id 0 is the empty string, id 1 is `__other__`: what did not fit any more. An id means the same in every thread. */
export interface Strings {
  /** Interns bytes[start, end) as UTF-8. Broken bytes become U+FFFD, long strings are cut; both end with a mark and a digest. */
  readonly intern: (bytes: Uint8Array, start: number, end: number) => number
  readonly internText: (text: string) => number
  /** The id of a text that is interned, undefined otherwise: names of strangers are looked up without being kept. */
  readonly find: (text: string) => number | undefined
  readonly text: (id: number) => string
  /** Ids are below this; for tables indexed by id. */
  readonly capacity: () => number
  readonly bytes: () => number
  /** Share of the tightest limit in use, 0 to 1. */
  readonly fullness: () => number
  /** Strings that did not fit and became `__other__`, since the start. */
  readonly overflowed: () => number
  /** A byte per id, for all threads to say which are in use. */
  readonly marks: Uint8Array
  /** Clears the marks. From here to the sweep every id that is given out is marked, in whatever thread. */
  readonly beginMarking: () => void
  /** Frees every id that `marked` leaves unmarked, while no thread looks. Ids keep their meaning; freed ones are given out again. */
  readonly sweep: (marked: Uint8Array) => void
  /** Grows when marking begins, and at each sweep that freed something: caches of ids, and keyed by ids, are void then. */
  readonly generation: () => number
}

export interface StringsOptions {
  readonly stringsMax: number
  readonly bytesMax: number
  readonly stringBytesMax: number
  /** The same in all threads. */
  readonly seed: number
  /** Of its own without. */
  readonly memory?: SharedMemory
}

export const OTHER = '__other__'
export const OTHER_ID = 1
/** Ends a shortened or mended string. A digest of the whole follows, so that two such names never merge. */
const MARK = '\u2026'
const PROBES_MAX = 64
const FIRST_SLOTS = 1024
const FREED = 0xffffffff

/** Cells that all threads share. */
const Cell = {
  /** Of the slots in use. */
  mask: 0,
  next: 1,
  live: 2,
  liveBytes: 3,
  overflowed: 4,
  generation: 5,
  /** The first freed id; each holds the next where its length was. 0 = none. */
  freed: 6,
  marking: 7
} as const

/**
 * Open addressing over an arena of bytes: no JavaScript string is made until `text` is asked for one.
 * The hash is seeded and its probes are bounded, so that strangers cannot make it slow.
 *
 * Threads look without a lock and add under one. An id is put into its slot last, and everything that is read of it is found by
 * that id; who sees less than all of it finds another string there and looks again under the lock. `size` slots lie at
 * [size, 2 size), so that the larger table is filled beside the one that others are reading.
 */
export function createStrings(options: StringsOptions): Strings {
  const { stringsMax, bytesMax, stringBytesMax, seed, memory = createSharedMemory() } = options
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  // `__other__` is kept whatever the limits.
  const arena = memory.take(Uint8Array, bytesMax + OTHER.length)
  const idsMax = stringsMax + 2
  const hashes = memory.take(Int32Array, idsMax)
  const offsets = memory.take(Uint32Array, idsMax)
  const lengths = memory.take(Uint32Array, idsMax)
  const marks = memory.take(Uint8Array, idsMax)
  const slots = memory.take(Int32Array, 2 * slotsFor(stringsMax, FIRST_SLOTS))
  const cells = memory.take(Int32Array, 8)
  const mutex = memory.mutex()
  // This thread's own, void at a new generation.
  let texts: (string | undefined)[] = []
  let textsOf = 0

  const cell = (index: number): number => cells[index] as number
  const isFull = (bytes: number): boolean => cell(Cell.live) >= stringsMax || cell(Cell.liveBytes) + bytes > bytesMax

  function hash(bytes: Uint8Array, start: number, end: number): number {
    let h = seed | 0
    for (let i = start; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193)
    h ^= h >>> 15
    h = Math.imul(h, 0x2c1b3c6d)
    return h ^ (h >>> 13)
  }

  function place(id: number, mask: number): void {
    const first = mask + 1
    let slot = (hashes[id] as number) & mask
    while (slots[first + slot] !== 0) slot = (slot + 1) & mask
    Atomics.store(slots, first + slot, id)
  }

  function rehash(size: number): void {
    slots.fill(0, size, 2 * size)
    const next = cell(Cell.next)
    for (let id = 1; id < next; id++) if (offsets[id] !== FREED) place(id, size - 1)
    Atomics.store(cells, Cell.mask, size - 1)
  }

  function takeId(): number {
    const freed = cell(Cell.freed)
    if (freed === 0) return (cells[Cell.next] = cell(Cell.next) + 1) - 1
    cells[Cell.freed] = lengths[freed] as number
    return freed
  }

  /** Under the lock. */
  function store(bytes: Uint8Array, start: number, end: number, h: number): number {
    const length = end - start
    const id = takeId()
    const top = cell(Cell.liveBytes)
    for (let i = 0; i < length; i++) arena[top + i] = bytes[start + i] as number
    hashes[id] = h
    offsets[id] = top
    lengths[id] = length
    marks[id] = 1
    cells[Cell.live] = cell(Cell.live) + 1
    cells[Cell.liveBytes] = top + length
    const mask = cell(Cell.mask)
    if (cell(Cell.live) * 2 > mask) rehash((mask + 1) * 2)
    else place(id, mask)
    return id
  }

  function overflow(): number {
    Atomics.add(cells, Cell.overflowed, 1)
    return OTHER_ID
  }

  function add(bytes: Uint8Array, start: number, end: number, h: number): number {
    if (!isUtf8(bytes.subarray(start, end))) return internMarked(bytes, start, end)
    mutex.lock()
    try {
      const known = seek(bytes, start, end, h)
      if (known !== 0) return known
      return isFull(end - start) ? overflow() : store(bytes, start, end, h)
    } finally {
      mutex.unlock()
    }
  }

  function isText(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (lengths[id] !== length) return false
    const offset = offsets[id] as number
    let i = 0
    while (i < length && arena[offset + i] === bytes[start + i]) i++
    return i === length
  }

  /** 0 = unknown. */
  function seek(bytes: Uint8Array, start: number, end: number, h: number): number {
    const mask = cell(Cell.mask)
    const length = end - start
    let slot = h & mask
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const id = slots[mask + 1 + slot] as number
      if (id === 0) return 0
      if (hashes[id] === h && isText(id, bytes, start, length)) {
        if (cells[Cell.marking] === 1) marks[id] = 1
        return id
      }
      slot = (slot + 1) & mask
    }
    return overflow()
  }

  function intern(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0
    if (end - start > stringBytesMax) return internMarked(bytes, start, end)
    const h = hash(bytes, start, end)
    return seek(bytes, start, end, h) || add(bytes, start, end, h)
  }

  /** The string as it can be shown: valid, within the cap, and different from every other. */
  function internMarked(bytes: Uint8Array, start: number, end: number): number {
    // Three bytes of mark and twelve of digest; each broken byte may become three.
    const room = stringBytesMax - 15
    let cut = Math.min(end, start + room)
    while (cut < end && cut > start && ((bytes[cut] as number) & 0xc0) === 0x80) cut -= 1
    let shown = decoder.decode(bytes.subarray(start, cut))
    while (encoder.encode(shown).length > room) shown = shown.slice(0, Math.floor(shown.length / 2))
    return internText(shown + MARK + digest(bytes, start, end))
  }

  function find(text: string): number | undefined {
    const bytes = encoder.encode(text)
    if (bytes.length === 0) return 0
    const h = hash(bytes, 0, bytes.length)
    const mask = cell(Cell.mask)
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const id = slots[mask + 1 + ((h + probe) & mask)] as number
      if (id === 0) return undefined
      if (hashes[id] === h && isText(id, bytes, 0, bytes.length)) return id
    }
    return undefined
  }

  function internText(text: string): number {
    const bytes = encoder.encode(text)
    return intern(bytes, 0, bytes.length)
  }

  function free(id: number): void {
    offsets[id] = FREED
    lengths[id] = cell(Cell.freed)
    cells[Cell.freed] = id
  }

  function sweep(marked: Uint8Array): void {
    const kept = new Uint8Array(cell(Cell.liveBytes))
    let top = 0
    let live = 0
    cells[Cell.freed] = 0
    const keep = (id: number): void => {
      const offset = offsets[id] as number
      const length = lengths[id] as number
      kept.set(arena.subarray(offset, offset + length), top)
      offsets[id] = top
      top += length
      live += 1
    }
    // __other__ is always kept.
    keep(OTHER_ID)
    const next = cell(Cell.next)
    for (let id = OTHER_ID + 1; id < next; id++) {
      if (offsets[id] !== FREED && marked[id] === 1) keep(id)
      else free(id)
    }
    arena.set(kept.subarray(0, top))
    const freed = cell(Cell.live) - live
    cells[Cell.live] = live
    cells[Cell.liveBytes] = top
    rehash(cell(Cell.mask) + 1)
    cells[Cell.marking] = 0
    if (freed > 0) Atomics.add(cells, Cell.generation, 1)
  }

  function textOf(id: number): string {
    const offset = offsets[id] as number
    if (id === 0 || id >= cell(Cell.next) || offset === FREED) return ''
    return decoder.decode(arena.subarray(offset, offset + (lengths[id] as number)))
  }

  if (cell(Cell.next) === 0) {
    cells[Cell.next] = OTHER_ID
    cells[Cell.mask] = FIRST_SLOTS - 1
    offsets[0] = FREED
    const other = encoder.encode(OTHER)
    store(other, 0, other.length, hash(other, 0, other.length))
  }
  return {
    intern,
    internText,
    find,
    text(id) {
      if (textsOf !== cells[Cell.generation]) {
        texts = []
        textsOf = cell(Cell.generation)
      }
      return (texts[id] ??= textOf(id))
    },
    capacity: () => cell(Cell.next),
    bytes: () => cell(Cell.liveBytes) + 8 * (cell(Cell.mask) + 1) + 13 * cell(Cell.next),
    fullness: () => Math.max(cell(Cell.live) / stringsMax, cell(Cell.liveBytes) / bytesMax),
    overflowed: () => cell(Cell.overflowed),
    marks,
    beginMarking() {
      marks.fill(0, 0, cell(Cell.next))
      Atomics.store(cells, Cell.marking, 1)
      Atomics.add(cells, Cell.generation, 1)
    },
    sweep,
    generation: () => cell(Cell.generation)
  }
}

const DIGEST_LETTERS = 'ghijklmnopqrstuv'

/** Twelve letters, the same in every process: replicas must give a name the same mark. No digits: it is not an id in the name. */
function digest(bytes: Uint8Array, start: number, end: number): string {
  let a = 0x811c9dc5
  let b = 0x9e3779b1
  for (let i = start; i < end; i++) {
    a = Math.imul(a ^ (bytes[i] as number), 0x01000193)
    b = Math.imul(b ^ (bytes[i] as number), 0x85ebca6b)
  }
  b ^= b >>> 15
  let letters = ''
  for (let i = 0; i < 12; i++) letters += DIGEST_LETTERS.charAt((i < 8 ? a >>> (4 * i) : b >>> (4 * i - 32)) & 15)
  return letters
}
