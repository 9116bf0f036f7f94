import { largeMemory } from '../runtime/large-memory.ts'
import { type SpansOfScope } from './arrivals.ts'
import { type Envelopes } from './envelopes.ts'
import { fieldBytes, SPAN, writeHead } from './wire.ts'

const PAGE_SHIFT = 18
const PAGE_BYTES = 1 << PAGE_SHIFT
/** Of a handle, lowest first: which span of its page, from 1 on; which page; its generation. 31 bits, because V8 makes an object of a larger number. */
const NUMBER_BITS = 14
const NUMBER_MASK = (1 << NUMBER_BITS) - 1
const SLOT_BITS = 13
const SLOTS = 1 << SLOT_BITS
const SLOT_MASK = SLOTS - 1
const GENERATION_MASK = (1 << (31 - NUMBER_BITS - SLOT_BITS)) - 1

/** What all pages together may take at most. */
export const STORE_BYTES_MAX = (SLOTS - 1) * PAGE_BYTES

/**
 * Empty pages are kept to be filled again, because new ones cost the kernel's zeroing. What a burst needed is let go of by this
 * share at a time.
 */
const SPARE_KEPT = 16
const TRIMMED_SHARE = 1 / 32

/** Words of an entry. */
const Word = { idHigh: 0, idLow: 1, envelope: 2, at: 3, length: 4 } as const
const ENTRY_WORDS = 5
const ENTRY_BYTES = 4 * ENTRY_WORDS
/** A cache line; of longer spans the processor sees by itself what comes next. */
const LINE_WORDS = 16
const NEAR_BYTES_MAX = 2_048
/** Of the envelope's word: somebody waits for the span. */
const WAITING = 1 << 30
const ENVELOPE_MASK = WAITING - 1

interface Page {
  readonly slot: number
  readonly generation: number
  readonly bytes: Buffer
  readonly words: Uint32Array
  /** Where the next field goes. */
  top: number
  /** Entries, from the end of the page. */
  spans: number
  /** Bytes of spans that somebody waits for. */
  waitingBytes: number
  /** To be made of spans that were handed on. */
  copies: number
}

/**
 * The bytes of spans whose trace is open, in pages, so that there is no object per span. What is known of a span stands apart
 * from its bytes, which are not fetched for it; spans that came one after the other are copied in one go, as the fields of a
 * ScopeSpans that they are:
 *
 *   | field field field -->          <-- entry entry entry |
 *
 * Whoever puts spans gets a handle of each: page, generation of that page, and which span of it. A page is free when nobody
 * waits for any of its spans, and those that were handed on are copied:
 *
 *   put -> waiting -> handed on -> copied
 *             '-----> released
 *
 * When there is no room, the page with the fewest waiting bytes gives way: its spans are handed to `evict`, and their handles are
 * worth nothing from then on, which is why `find` asks for the span's id.
 */
export interface SpanStore {
  /** Where the span is that was found last. */
  readonly found: { bytes: Buffer; at: number; length: number; envelope: number }
  /** Copies spans from..end and writes their handles, 0 when one is larger than all there is room for. */
  readonly put: (spans: SpansOfScope, from: number, end: number, rows: StoredRows) => void
  /** False when nobody waits for it any more, because its page had to give way. */
  readonly find: (handle: number, idHigh: number, idLow: number) => boolean
  readonly isWaiting: (handle: number) => boolean
  /** The same as `find`, when it is certain that it is still there. */
  readonly look: (handle: number) => void
  /** The bytes among which a span is. */
  readonly pageOf: (handle: number) => Buffer
  /** Reads from all of a span, so that it is near when it is copied: several in a row wait for memory together. */
  readonly bringNear: (handle: number, at: number, length: number) => void
  readonly release: (handle: number) => void
  /** Its bytes stay until they are copied so often, its envelope until whoever copies lets go of it as often. */
  readonly handOn: (handle: number, copies: number) => void
  readonly copied: (handle: number) => void
  /** Makes pages give way until so many bytes are free, or nothing waits; gives how many are. */
  readonly relieve: (bytes: number) => number
  /** Lets go of a few empty pages. */
  readonly trim: () => void
  readonly bytes: () => number
  /** Waiting, and to be copied. */
  readonly spans: () => number
}

/** Where the first span's id is, two words each, and its handle goes; the others follow. */
export interface StoredRows {
  readonly ids: Uint32Array
  readonly handles: Uint32Array
  readonly row: number
}

export interface SpanStoreOptions {
  readonly bytesMax: number
  readonly envelopes: Envelopes
  /** Takes the handles of a page that gives way and lets go of each before it returns. */
  readonly evict: (handles: readonly number[]) => void
}

export function createSpanStore({ bytesMax, envelopes, evict }: SpanStoreOptions): SpanStore {
  const pages: (Page | undefined)[] = []
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

  function beginPage(size: number): Page {
    const buffer = takeBuffer(size)
    const slot = freeSlots.pop() ?? pages.length
    const page: Page = {
      slot,
      generation: generations[slot] as number,
      bytes: buffer,
      words: new Uint32Array(buffer.buffer),
      top: 0,
      spans: 0,
      waitingBytes: 0,
      copies: 0
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

  function handleOf({ generation, slot }: Page, number: number): number {
    return (((generation << SLOT_BITS) | slot) << NUMBER_BITS) | number
  }

  function pageOf(handle: number): Page | undefined {
    return pages[(handle >>> NUMBER_BITS) & SLOT_MASK]
  }

  function isOfPage(handle: number, { generation, slot }: Page): boolean {
    return handle >>> NUMBER_BITS === ((generation << SLOT_BITS) | slot)
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
    for (let number = 1; number <= page.spans; number++) {
      if (isWaitingIn(page, entryOf(page, number))) handles.push(handleOf(page, number))
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
      if (!isUnused(page)) throw new Error('a page gave way and is still waited for')
      if (pages[page.slot] === page) freePage(page)
    }
    return true
  }

  /** A page with room for a field of so many bytes. */
  function pageFor(bytesOfField: number): Page | undefined {
    if (current !== undefined && hasRoom(current, bytesOfField, 1)) return current
    const full = current
    current = undefined
    if (full !== undefined && isUnused(full)) freePage(full)
    const size = Math.max(PAGE_BYTES, (bytesOfField + ENTRY_BYTES + 3) & ~3)
    if ((spare.length === 0 || size > PAGE_BYTES) && !makeRoom(size)) return undefined
    current = beginPage(size)
    return current
  }

  /** Copies as many as follow each other and find room; gives where it stopped. */
  function copyRun(page: Page, { source, places }: SpansOfScope, from: number, end: number): number {
    const start = places[2 * from] as number
    let to = places[2 * from + 1] as number
    const at = writeHead(page.bytes, page.top, SPAN, to - start)
    let run = from + 1
    for (; run < end; run++) {
      const nextEnd = places[2 * run + 1] as number
      // Nothing but the head of a field lies between the two: no head is shorter.
      if (nextEnd - to !== fieldBytes(nextEnd - (places[2 * run] as number))) break
      if (!hasRoom(page, at + nextEnd - start - page.top, run + 1 - from)) break
      to = nextEnd
    }
    source.copy(page.bytes, at, start, to)
    page.top = at + to - start
    return run
  }

  function put(spansOfScope: SpansOfScope, from: number, end: number, { ids, handles, row }: StoredRows): void {
    const { places, envelope } = spansOfScope
    for (let i = from; i < end;) {
      const bytesOfField = fieldBytes((places[2 * i + 1] as number) - (places[2 * i] as number))
      const page = envelope.number > ENVELOPE_MASK ? undefined : pageFor(bytesOfField)
      if (page === undefined) {
        handles[row + i - from] = 0
        i += 1
        continue
      }
      const run = copyRun(page, spansOfScope, i, end)
      envelopes.retain(envelope, run - i)
      spans += run - i
      const moved = page.top - (places[2 * run - 1] as number)
      const { words } = page
      for (; i < run; i++) {
        const start = places[2 * i] as number
        const length = (places[2 * i + 1] as number) - start
        const at = row + i - from
        page.spans += 1
        page.waitingBytes += length + ENTRY_BYTES
        const entry = entryOf(page, page.spans)
        words[entry + Word.idHigh] = ids[2 * at] as number
        words[entry + Word.idLow] = ids[2 * at + 1] as number
        words[entry + Word.envelope] = WAITING | envelope.number
        words[entry + Word.at] = start + moved
        words[entry + Word.length] = length
        handles[at] = handleOf(page, page.spans)
      }
    }
  }

  function lookAt(page: Page, entry: number): void {
    found.bytes = page.bytes
    found.at = page.words[entry + Word.at] as number
    found.length = page.words[entry + Word.length] as number
    found.envelope = (page.words[entry + Word.envelope] as number) & ENVELOPE_MASK
  }

  return {
    found,
    put,
    find(handle, idHigh, idLow) {
      const page = pageOf(handle)
      if (page === undefined || !isOfPage(handle, page)) return false
      const number = handle & NUMBER_MASK
      const entry = entryOf(page, number)
      if (number > page.spans || !isWaitingIn(page, entry)) return false
      if (page.words[entry + Word.idHigh] !== idHigh || page.words[entry + Word.idLow] !== idLow) return false
      lookAt(page, entry)
      return true
    },
    isWaiting(handle) {
      const page = pageOf(handle)
      return page !== undefined && isOfPage(handle, page) && isWaitingIn(page, entryOf(page, handle & NUMBER_MASK))
    },
    look(handle) {
      const page = pageOf(handle) as Page
      lookAt(page, entryOf(page, handle & NUMBER_MASK))
    },
    pageOf: (handle) => (pageOf(handle) as Page).bytes,
    bringNear(handle, at, length) {
      const { words } = pageOf(handle) as Page
      const end = (at + Math.min(length, NEAR_BYTES_MAX)) >>> 2
      let read = 0
      for (let word = at >>> 2; word < end; word += LINE_WORDS) read ^= words[word] as number
      near.read = read
    },
    release(handle) {
      const page = pageOf(handle) as Page
      envelopes.release(endWaiting(page, handle), 1)
      spans -= 1
      if (isUnused(page) && page !== current) freePage(page)
    },
    handOn(handle, copies) {
      const page = pageOf(handle) as Page
      const envelope = endWaiting(page, handle)
      if (copies > 1) envelopes.retain(envelopes.of(envelope), copies - 1)
      page.copies += copies
      spans += copies - 1
    },
    copied(handle) {
      const page = pageOf(handle) as Page
      page.copies -= 1
      spans -= 1
      if (isUnused(page) && page !== current) freePage(page)
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

/** The word at which the entry of a page's span begins. */
function entryOf({ words }: Page, number: number): number {
  return words.length - number * ENTRY_WORDS
}

function isWaitingIn({ words }: Page, entry: number): boolean {
  return ((words[entry + Word.envelope] as number) & WAITING) !== 0
}

/** Gives the span's envelope. */
function endWaiting(page: Page, handle: number): number {
  const { words } = page
  const entry = entryOf(page, handle & NUMBER_MASK)
  const envelope = (words[entry + Word.envelope] as number) & ENVELOPE_MASK
  words[entry + Word.envelope] = envelope
  page.waitingBytes -= (words[entry + Word.length] as number) + ENTRY_BYTES
  return envelope
}

function isUnused({ waitingBytes, copies }: Page): boolean {
  return waitingBytes === 0 && copies === 0
}

function hasRoom(page: Page, bytesOfFields: number, spans: number): boolean {
  const number = page.spans + spans
  return number <= NUMBER_MASK && page.top + bytesOfFields <= 4 * entryOf(page, number)
}
