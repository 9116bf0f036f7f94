import { isUtf8 } from 'node:buffer'

/** Interned strings. Id 0 is the empty string, id 1 is `__other__`: what did not fit any more. */
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
  /** Frees every id that `mark` leaves unmarked. Ids keep their meaning; freed ones are given out again. */
  readonly sweep: (marked: Uint8Array) => void
  /** Grows by one at each sweep that freed something: caches keyed by id are void then. */
  readonly generation: () => number
}

export interface StringsOptions {
  readonly stringsMax: number
  readonly bytesMax: number
  readonly stringBytesMax: number
  readonly seed: number
}

export const OTHER = '__other__'
export const OTHER_ID = 1
/** Ends a shortened or mended string. A digest of the whole follows, so that two such names never merge. */
const MARK = '\u2026'
const PROBES_MAX = 64

/**
 * Open addressing over an arena of bytes: no JavaScript string is made until `text` is asked for one.
 * The hash is seeded and its probes are bounded, so that strangers cannot make it slow.
 */
export function createStrings(options: StringsOptions): Strings {
  const { stringsMax, bytesMax, stringBytesMax, seed } = options
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let slotMask = 1023
  let slots = new Int32Array(slotMask + 1)
  let hashes = new Int32Array(512)
  let offsets = new Uint32Array(512)
  let lengths = new Uint32Array(512)
  const texts: (string | undefined)[] = []
  let free: number[] = []
  let arena = new Uint8Array(1 << 16)
  let top = 0
  let next = 1
  let live = 0
  let liveBytes = 0
  let overflowed = 0
  let generation = 0

  function hash(bytes: Uint8Array, start: number, end: number): number {
    let h = seed | 0
    for (let i = start; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193)
    h ^= h >>> 15
    h = Math.imul(h, 0x2c1b3c6d)
    return h ^ (h >>> 13)
  }

  function place(id: number): void {
    let slot = (hashes[id] as number) & slotMask
    while (slots[slot] !== 0) slot = (slot + 1) & slotMask
    slots[slot] = id
  }

  function rehash(size: number): void {
    slotMask = size - 1
    slots = new Int32Array(size)
    for (let id = 1; id < next; id++) if (offsets[id] !== 0xffffffff) place(id)
  }

  function growColumns(): void {
    const size = Math.min(hashes.length * 2, stringsMax + 2)
    const grow = <T extends Int32Array | Uint32Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    hashes = grow(hashes, new Int32Array(size))
    offsets = grow(offsets, new Uint32Array(size))
    lengths = grow(lengths, new Uint32Array(size))
  }

  function store(bytes: Uint8Array, start: number, end: number, h: number): number {
    const length = end - start
    if (!isUtf8(bytes.subarray(start, end))) return internMarked(bytes, start, end)
    if (live >= stringsMax || liveBytes + length > bytesMax) {
      overflowed += 1
      return OTHER_ID
    }
    if (top + length > arena.length) {
      const larger = new Uint8Array(Math.min(Math.max(arena.length * 2, top + length), 2 * bytesMax + stringBytesMax))
      larger.set(arena.subarray(0, top))
      arena = larger
    }
    const id = free.pop() ?? next++
    if (id >= hashes.length) growColumns()
    for (let i = 0; i < length; i++) arena[top + i] = bytes[start + i] as number
    hashes[id] = h
    offsets[id] = top
    lengths[id] = length
    top += length
    live += 1
    liveBytes += length
    if (live * 2 > slotMask) rehash((slotMask + 1) * 2)
    else place(id)
    return id
  }

  function isText(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (lengths[id] !== length) return false
    const offset = offsets[id] as number
    let i = 0
    while (i < length && arena[offset + i] === bytes[start + i]) i++
    return i === length
  }

  function intern(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (length === 0) return 0
    if (length > stringBytesMax) return internMarked(bytes, start, end)
    const h = hash(bytes, start, end)
    let slot = h & slotMask
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const id = slots[slot] as number
      if (id === 0) return store(bytes, start, end, h)
      if (hashes[id] === h && isText(id, bytes, start, length)) return id
      slot = (slot + 1) & slotMask
    }
    overflowed += 1
    return OTHER_ID
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
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const id = slots[(h + probe) & slotMask] as number
      if (id === 0) return undefined
      if (hashes[id] === h && isText(id, bytes, 0, bytes.length)) return id
    }
    return undefined
  }

  function internText(text: string): number {
    const bytes = encoder.encode(text)
    return intern(bytes, 0, bytes.length)
  }

  function sweep(marked: Uint8Array): void {
    const kept = new Uint8Array(Math.max(1 << 16, liveBytes))
    let keptTop = 0
    let freed = 0
    free = []
    for (let id = 2; id < next; id++) {
      const offset = offsets[id] as number
      if (offset === 0xffffffff) {
        free.push(id)
      } else if (marked[id] === 1) {
        const length = lengths[id] as number
        kept.set(arena.subarray(offset, offset + length), keptTop)
        offsets[id] = keptTop
        keptTop += length
      } else {
        offsets[id] = 0xffffffff
        texts[id] = undefined
        live -= 1
        free.push(id)
        freed += 1
      }
    }
    // __other__ is always kept; it moves to the end like the rest.
    kept.set(encoder.encode(OTHER), keptTop)
    offsets[OTHER_ID] = keptTop
    top = keptTop + OTHER.length
    arena = kept
    liveBytes = top
    rehash(slotMask + 1)
    if (freed > 0) generation += 1
  }

  offsets[0] = 0xffffffff
  internText(OTHER)
  return {
    intern,
    internText,
    find,
    text(id) {
      const known = texts[id]
      if (known !== undefined) return known
      const offset = offsets[id] as number
      if (id === 0 || id >= next || offset === 0xffffffff) return ''
      const text = decoder.decode(arena.subarray(offset, offset + (lengths[id] as number)))
      texts[id] = text
      return text
    },
    capacity: () => Math.max(next, 2),
    bytes: () => arena.length + slots.length * 4 + hashes.length * 12,
    fullness: () => Math.max(live / stringsMax, liveBytes / bytesMax),
    overflowed: () => overflowed,
    sweep,
    generation: () => generation
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
