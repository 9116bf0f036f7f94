import { freeMemory } from '../runtime/free-memory.ts'

export const PAGE_SHIFT = 14
export const PAGE_MASK = (1 << PAGE_SHIFT) - 1
const BLOCK_SHIFT = 8
const BLOCK_ROWS = 1 << BLOCK_SHIFT
const BLOCKS_PER_PAGE = 1 << (PAGE_SHIFT - BLOCK_SHIFT)
/** Memory of this size starts 16 bytes after a cache line (malloc's header): rows start at the next one. */
const ALIGNED_AT = 48

/** Rows that may be free in pages that are kept: half of those in use, and this many. */
const SPARE_ROWS = 2 << PAGE_SHIFT
const NO_WORDS = new Uint32Array(0)
const NO_DOUBLES = new Float64Array(0)

/** A block is filled again once this many of its rows are free. */
const FREE_ROWS_MIN = BLOCK_ROWS / 4

/**
 * Rows of words in pages. A row's fields lie side by side, because rows are read in any order and each must cost one
 * cache miss, not one per field. Pages are added one at a time: doubling one array would copy for 60 ms at a million
 * spans, and hold up to twice what is needed. Row 0 is never given out, so 0 can mean "none".
 *
 * Rows are given out block by block, so that what comes together lies together, and is found together when it closes:
 * a free list over all rows would scatter them, and closing would wait for memory at every row. At most a quarter of
 * the rows is free in blocks that are not yet given out again.
 *
 * Row r is in page `r >>> PAGE_SHIFT`, from word `(r & PAGE_MASK) * rowWords` on.
 */
export interface Pages {
  readonly words: Uint32Array[]
  /** The same memory; field pairs of words as one double, at half the word's index. */
  readonly doubles: Float64Array[]
  readonly rowWords: number
  /** Rows that may be in use. */
  readonly rowsMax: number
  readonly blocksMax: number
  used: number
  /** Free rows of the block that is being filled, chained through each row's first word; 0 = none left. */
  free: number
  /** By block: its free rows, chained, and how many. */
  blockFree: Uint32Array
  blockFreeRows: Uint16Array
  /** Blocks with enough free rows, first in first out: a ring. */
  queue: Uint32Array
  queueFirst: number
  queued: number
  /** Blocks below this were given out at least once. */
  topBlock: number
  /** Pages below the top that were given back. */
  readonly vacant: number[]
  /** The page that `releasePage` looks at next. */
  looksAt: number
}

/** `rowWords` must be even. */
export function createPages(rowWords: number, rowsMax: number): Pages {
  const rows = Math.ceil(((rowsMax + 1) * BLOCK_ROWS) / (BLOCK_ROWS - FREE_ROWS_MIN))
  return {
    words: [],
    doubles: [],
    rowWords,
    rowsMax,
    blocksMax: Math.ceil(rows / BLOCK_ROWS),
    used: 0,
    free: 0,
    blockFree: new Uint32Array(0),
    blockFreeRows: new Uint16Array(0),
    queue: new Uint32Array(0),
    queueFirst: 0,
    queued: 0,
    topBlock: 0,
    vacant: [],
    looksAt: 0
  }
}

/** A row with old content in it. The caller has made sure that `used < rowsMax`. */
export function takeRow(pages: Pages): number {
  if (pages.free === 0) beginBlock(pages)
  const row = pages.free
  const words = pages.words[row >>> PAGE_SHIFT] as Uint32Array
  pages.free = words[(row & PAGE_MASK) * pages.rowWords] as number
  pages.used += 1
  return row
}

export function giveRow(pages: Pages, row: number): void {
  const words = pages.words[row >>> PAGE_SHIFT] as Uint32Array
  const block = row >>> BLOCK_SHIFT
  const freeRows = (pages.blockFreeRows[block] as number) + 1
  words[(row & PAGE_MASK) * pages.rowWords] = pages.blockFree[block] as number
  pages.blockFree[block] = row
  pages.blockFreeRows[block] = freeRows
  pages.used -= 1
  if (freeRows === FREE_ROWS_MIN) enqueue(pages, block)
}

function beginBlock(pages: Pages): void {
  if (pages.queued === 0) {
    const page = pages.vacant.pop()
    if (page === undefined) {
      beginNewBlock(pages)
      return
    }
    fillVacant(pages, page)
  }
  const block = pages.queue[pages.queueFirst] as number
  pages.queueFirst = (pages.queueFirst + 1) % pages.queue.length
  pages.queued -= 1
  pages.free = pages.blockFree[block] as number
  pages.blockFree[block] = 0
  pages.blockFreeRows[block] = 0
}

function beginNewBlock(pages: Pages): void {
  if (pages.topBlock === pages.words.length * BLOCKS_PER_PAGE) addPage(pages)
  const first = pages.topBlock << BLOCK_SHIFT
  const words = pages.words[first >>> PAGE_SHIFT] as Uint32Array
  chainBlock(pages, words, pages.topBlock)
  pages.free = first === 0 ? 1 : first
  pages.topBlock += 1
}

function chainBlock(pages: Pages, words: Uint32Array, block: number): void {
  const first = block << BLOCK_SHIFT
  const at = (first & PAGE_MASK) * pages.rowWords
  for (let i = 0; i < BLOCK_ROWS - 1; i++) words[at + i * pages.rowWords] = first + i + 1
  words[at + (BLOCK_ROWS - 1) * pages.rowWords] = 0
}

function addPage(pages: Pages): void {
  const page = pages.words.length
  allocatePage(pages, page)
  if (pages.topBlock + blocksOf(pages, page) > pages.queue.length) growBlockTables(pages, Math.max(1, 2 * (page + 1)))
}

function allocatePage(pages: Pages, page: number): void {
  const words = (blocksOf(pages, page) << BLOCK_SHIFT) * pages.rowWords
  const buffer = new ArrayBuffer(words * 4 + ALIGNED_AT)
  pages.words[page] = new Uint32Array(buffer, ALIGNED_AT, words)
  pages.doubles[page] = new Float64Array(buffer, ALIGNED_AT, words / 2)
}

/** The last page may be a short one. */
function blocksOf(pages: Pages, page: number): number {
  return Math.min(BLOCKS_PER_PAGE, pages.blocksMax - page * BLOCKS_PER_PAGE)
}

function enqueue(pages: Pages, block: number): void {
  pages.queue[(pages.queueFirst + pages.queued) % pages.queue.length] = block
  pages.queued += 1
}

/** A page that was given back gets memory again, all of its rows free. */
function fillVacant(pages: Pages, page: number): void {
  allocatePage(pages, page)
  const first = page * BLOCKS_PER_PAGE
  for (let block = first; block < first + blocksOf(pages, page); block++) {
    chainBlock(pages, pages.words[page] as Uint32Array, block)
    pages.blockFree[block] = block << BLOCK_SHIFT
    pages.blockFreeRows[block] = BLOCK_ROWS
    enqueue(pages, block)
  }
}

/**
 * Looks at one page, the next at each call, and gives its memory back when none of its rows is in use and enough others are
 * free: what a burst took does not stay for ever.
 */
export function releasePage(pages: Pages): void {
  if (pages.words.length === 0) return
  const page = pages.looksAt
  pages.looksAt = (page + 1) % pages.words.length
  if (freeRows(pages) < pages.used / 2 + SPARE_ROWS || !isUnused(pages, page)) return
  const kept: number[] = []
  for (let i = 0; i < pages.queued; i++) {
    const block = pages.queue[(pages.queueFirst + i) % pages.queue.length] as number
    if (Math.floor(block / BLOCKS_PER_PAGE) !== page) kept.push(block)
  }
  pages.queue.set(kept)
  pages.queueFirst = 0
  pages.queued = kept.length
  pages.blockFreeRows.fill(0, page * BLOCKS_PER_PAGE, page * BLOCKS_PER_PAGE + blocksOf(pages, page))
  freeMemory((pages.words[page] as Uint32Array).buffer)
  pages.words[page] = NO_WORDS
  pages.doubles[page] = NO_DOUBLES
  pages.vacant.push(page)
}

function freeRows(pages: Pages): number {
  return (pages.words.length - pages.vacant.length) * BLOCK_ROWS * BLOCKS_PER_PAGE - pages.used
}

/** Whether all of its blocks wait in the queue with all their rows free. Never page 0: row 0 is not given out. */
function isUnused(pages: Pages, page: number): boolean {
  const first = page * BLOCKS_PER_PAGE
  for (let block = first; block < first + blocksOf(pages, page); block++) {
    if (pages.blockFreeRows[block] !== BLOCK_ROWS) return false
  }
  return true
}

function growBlockTables(pages: Pages, pagesCount: number): void {
  const { blockFree, blockFreeRows, queue, queueFirst } = pages
  const blocks = pagesCount * BLOCKS_PER_PAGE
  pages.blockFree = new Uint32Array(blocks)
  pages.blockFree.set(blockFree)
  pages.blockFreeRows = new Uint16Array(blocks)
  pages.blockFreeRows.set(blockFreeRows)
  pages.queue = new Uint32Array(blocks)
  for (let i = 0; i < pages.queued; i++) pages.queue[i] = queue[(queueFirst + i) % queue.length] as number
  pages.queueFirst = 0
}

export function usedBytes(pages: Pages): number {
  return pages.used * pages.rowWords * 4
}

export function allocatedBytes(pages: Pages): number {
  return pages.words.reduce((sum, page) => sum + page.byteLength, 0)
}
