import { largeMemory } from '../runtime/large-memory.ts'
import { type Envelopes, type ScopeEnvelope } from './envelopes.ts'

/** A record begins at a multiple of this: its words are aligned, and a handle needs fewer bits. */
const UNIT_SHIFT = 4
const UNIT_BYTES = 1 << UNIT_SHIFT
const PAGE_SHIFT = 18
const PAGE_BYTES = 1 << PAGE_SHIFT
const UNIT_BITS = PAGE_SHIFT - UNIT_SHIFT
const UNIT_MASK = (1 << UNIT_BITS) - 1
const SLOT_BITS = 13
const SLOTS = 1 << SLOT_BITS
const SLOT_MASK = SLOTS - 1
const GENERATION_MASK = (1 << (32 - UNIT_BITS - SLOT_BITS)) - 1

/** What all pages together may take at most. */
export const STORE_BYTES_MAX = (SLOTS - 1) * PAGE_BYTES

/**
 * Empty pages are kept to be filled again, because new ones cost the kernel's zeroing. What a burst needed is let go of by this
 * share at a time.
 */
const SPARE_KEPT = 16
const TRIMMED_SHARE = 1 / 32

/** Words of a record before its bytes. */
const Word = { idHigh: 0, idLow: 1, envelope: 2, length: 3 } as const
const HEAD_BYTES = 16
/** A cache line; of longer spans the processor sees by itself what comes next. */
const LINE_WORDS = 16
const NEAR_BYTES_MAX = 2_048
/** The upper bits of the envelope's word say how many wait for the span. */
const WAITING_SHIFT = 28
const ENVELOPE_MASK = (1 << WAITING_SHIFT) - 1
const ENVELOPES_MAX = ENVELOPE_MASK

interface Page {
  readonly slot: number
  readonly generation: number
  readonly bytes: Buffer
  readonly words: Uint32Array
  /** Where the next record goes. */
  top: number
  /** Bytes of records that somebody waits for. */
  waitingBytes: number
}

/**
 * The bytes of spans whose trace is open, in pages, so that there is no object per span. Whoever puts a span gets a handle: page,
 * generation of that page, and place. Spans are given back in any order; a page is free when nobody waits for any of its spans.
 *
 * When there is no room, the page with the fewest waiting bytes gives way: its spans are handed to `evict`, and their handles are
 * worth nothing from then on, which is why `find` asks for the span's id.
 */
export interface SpanStore {
  /** Where the span is that was found last. */
  readonly found: { bytes: Buffer; at: number; length: number; envelope: number }
  /** Copies source[from, to); gives its handle, 0 when it is larger than all there is room for. One waits for it. */
  readonly put: (source: Buffer, from: number, to: number, about: SpanAbout) => number
  /** False when the handle's page had to give way. */
  readonly find: (handle: number, idHigh: number, idLow: number) => boolean
  readonly isWaiting: (handle: number) => boolean
  /** The same as `find`, when it is certain that it is still there. */
  readonly look: (handle: number) => void
  /** Reads from all of a span, so that it is near when it is copied: several in a row wait for memory together. */
  readonly bringNear: (handle: number, length: number) => void
  /** One more waits for it. */
  readonly retain: (handle: number) => void
  readonly release: (handle: number) => void
  /** Makes pages give way until so many bytes are free, or nothing waits; gives how many are. */
  readonly relieve: (bytes: number) => number
  /** Lets go of a few empty pages. */
  readonly trim: () => void
  readonly bytes: () => number
  /** That somebody waits for. */
  readonly spans: () => number
}

export interface SpanAbout {
  readonly envelope: ScopeEnvelope
  readonly idHigh: number
  readonly idLow: number
}

export interface SpanStoreOptions {
  readonly bytesMax: number
  readonly envelopes: Envelopes
  /** Takes the handles of a page that gives way and lets go of each before it returns. */
  readonly evict: (handles: readonly number[]) => void
}

export function createSpanStore({ bytesMax, envelopes, evict }: SpanStoreOptions): SpanStore {
  const pages: (Page | undefined)[] = [undefined]
  const freeSlots: number[] = []
  const generations = new Uint8Array(SLOTS)
  let spare: Buffer[] = []
  let current: Page | undefined
  let allocated = 0
  let spans = 0
  /** What is only read for its own sake must go somewhere, or the compiler leaves it out. */
  const near = { read: 0 }
  const found: SpanStore['found'] = { bytes: Buffer.alloc(0), at: 0, length: 0, envelope: 0 }

  const bytes = (): number => allocated + envelopes.bytes()

  function takeBuffer(size: number): Buffer {
    const kept = size === PAGE_BYTES ? spare.pop() : undefined
    if (kept !== undefined) return kept
    allocated += size
    return Buffer.from(largeMemory(size))
  }

  function beginPage(recordBytes: number): Page {
    const buffer = takeBuffer(Math.max(PAGE_BYTES, recordBytes))
    const slot = freeSlots.pop() ?? pages.length
    const page: Page = {
      slot,
      generation: generations[slot] as number,
      bytes: buffer,
      words: new Uint32Array(buffer.buffer),
      top: 0,
      waitingBytes: 0
    }
    pages[slot] = page
    return page
  }

  function freePage(page: Page): void {
    pages[page.slot] = undefined
    freeSlots.push(page.slot)
    generations[page.slot] = (page.generation + 1) & GENERATION_MASK
    if (page.bytes.length === PAGE_BYTES) spare.push(page.bytes)
    else allocated -= page.bytes.length
  }

  function dropSpare(): void {
    allocated -= spare.length * PAGE_BYTES
    spare = []
  }

  function handleOf(page: Page, at: number): number {
    const place = (page.generation << SLOT_BITS) | page.slot
    return ((place << UNIT_BITS) | (at >>> UNIT_SHIFT)) >>> 0
  }

  function pageOf(handle: number): Page | undefined {
    return pages[(handle >>> UNIT_BITS) & SLOT_MASK]
  }

  /** The page that loses least. */
  function leastWaiting(): Page | undefined {
    let least: Page | undefined
    for (const page of pages) {
      if (page === undefined || page === current) continue
      if (least === undefined || page.waitingBytes < least.waitingBytes) least = page
    }
    return least
  }

  function giveWay(page: Page): void {
    const handles: number[] = []
    for (let at = 0; at < page.top;) {
      const word = at >>> 2
      if ((page.words[word + Word.envelope] as number) >>> WAITING_SHIFT > 0) handles.push(handleOf(page, at))
      at += sizeOf(page.words[word + Word.length] as number)
    }
    evict(handles)
  }

  /** Room for one page more; false when even that is too much. */
  function makeRoom(pageBytes: number): boolean {
    if (pageBytes > bytesMax) return false
    while (bytes() + pageBytes > bytesMax || (freeSlots.length === 0 && pages.length === SLOTS)) {
      if (spare.length > 0) {
        dropSpare()
        continue
      }
      const page = leastWaiting() ?? current
      if (page === undefined) return false
      if (page === current) current = undefined
      giveWay(page)
      if (page.waitingBytes > 0) throw new Error('a page gave way and is still waited for')
      if (pages[page.slot] === page) freePage(page)
    }
    return true
  }

  function pageFor(recordBytes: number): Page | undefined {
    if (current !== undefined && current.top + recordBytes <= current.bytes.length) return current
    const full = current
    current = undefined
    if (full?.waitingBytes === 0) freePage(full)
    if (spare.length === 0 || recordBytes > PAGE_BYTES) {
      if (!makeRoom(Math.max(PAGE_BYTES, recordBytes))) return undefined
    }
    current = beginPage(recordBytes)
    return current
  }

  function lookAt(page: Page, handle: number): void {
    const at = (handle & UNIT_MASK) << UNIT_SHIFT
    const word = at >>> 2
    found.bytes = page.bytes
    found.at = at + HEAD_BYTES
    found.length = page.words[word + Word.length] as number
    found.envelope = (page.words[word + Word.envelope] as number) & ENVELOPE_MASK
  }

  return {
    found,
    put(source, from, to, { envelope, idHigh, idLow }) {
      const length = to - from
      const size = sizeOf(length)
      const page = envelope.number > ENVELOPES_MAX ? undefined : pageFor(size)
      if (page === undefined) return 0
      const at = page.top
      const word = at >>> 2
      page.words[word + Word.idHigh] = idHigh
      page.words[word + Word.idLow] = idLow
      page.words[word + Word.envelope] = (1 << WAITING_SHIFT) | envelope.number
      page.words[word + Word.length] = length
      source.copy(page.bytes, at + HEAD_BYTES, from, to)
      page.top = at + size
      page.waitingBytes += size
      envelopes.retain(envelope)
      spans += 1
      return handleOf(page, at)
    },
    find(handle, idHigh, idLow) {
      const page = pageOf(handle)
      if (page === undefined || page.generation !== handle >>> (UNIT_BITS + SLOT_BITS)) return false
      const at = (handle & UNIT_MASK) << UNIT_SHIFT
      const word = at >>> 2
      const { words } = page
      if (at >= page.top || (words[word + Word.envelope] as number) >>> WAITING_SHIFT === 0) return false
      if (words[word + Word.idHigh] !== idHigh || words[word + Word.idLow] !== idLow) return false
      lookAt(page, handle)
      return true
    },
    isWaiting(handle) {
      const page = pageOf(handle)
      const word = ((handle & UNIT_MASK) << (UNIT_SHIFT - 2)) + Word.envelope
      return (
        page?.generation === handle >>> (UNIT_BITS + SLOT_BITS) && (page.words[word] as number) >>> WAITING_SHIFT > 0
      )
    },
    look(handle) {
      lookAt(pageOf(handle) as Page, handle)
    },
    bringNear(handle, length) {
      const { words } = pageOf(handle) as Page
      const word = (handle & UNIT_MASK) << (UNIT_SHIFT - 2)
      const end = word + ((HEAD_BYTES + Math.min(length, NEAR_BYTES_MAX)) >>> 2)
      let read = 0
      for (let at = word; at < end; at += LINE_WORDS) read ^= words[at] as number
      near.read = read
    },
    retain(handle) {
      const { words } = pageOf(handle) as Page
      const word = ((handle & UNIT_MASK) << (UNIT_SHIFT - 2)) + Word.envelope
      words[word] = (words[word] as number) + (1 << WAITING_SHIFT)
    },
    release(handle) {
      const page = pageOf(handle) as Page
      const { words } = page
      const word = (handle & UNIT_MASK) << (UNIT_SHIFT - 2)
      const state = words[word + Word.envelope] as number
      words[word + Word.envelope] = state - (1 << WAITING_SHIFT)
      if (state >>> WAITING_SHIFT > 1) return
      spans -= 1
      page.waitingBytes -= sizeOf(words[word + Word.length] as number)
      envelopes.release(state & ENVELOPE_MASK)
      if (page.waitingBytes === 0 && page !== current) freePage(page)
    },
    relieve(bytesToFree) {
      const before = bytes()
      dropSpare()
      while (before - bytes() < bytesToFree) {
        const page = leastWaiting()
        if (page === undefined) break
        giveWay(page)
        dropSpare()
      }
      return before - bytes()
    },
    trim() {
      if (spare.length <= SPARE_KEPT) return
      const left = Math.floor(spare.length * (1 - TRIMMED_SHARE))
      allocated -= (spare.length - left) * PAGE_BYTES
      spare.length = left
    },
    bytes,
    spans: () => spans
  }
}

/** Of a record with so many bytes, up to where the next one may begin. */
function sizeOf(length: number): number {
  return (HEAD_BYTES + length + UNIT_BYTES - 1) & ~(UNIT_BYTES - 1)
}
