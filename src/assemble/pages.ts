const PAGE_ROWS_LOG2 = 14
export const PAGE_SHIFT = PAGE_ROWS_LOG2
export const PAGE_MASK = (1 << PAGE_ROWS_LOG2) - 1

/**
 * Rows of words in pages. A row's fields lie side by side, because rows are read in any order and each must cost one
 * cache miss, not one per field. Pages are added one at a time: doubling one array would copy for 60 ms at a million
 * spans, and hold up to twice what is needed. Row 0 is never given out, so 0 can mean "none".
 *
 * Row r is in page `r >>> PAGE_SHIFT`, from word `(r & PAGE_MASK) * rowWords` on.
 */
export interface Pages {
  readonly words: Uint32Array[]
  /** The same memory; field pairs of words as one double, at half the word's index. */
  readonly doubles: Float64Array[]
  readonly rowWords: number
  readonly rowsMax: number
  /** Rows in use. */
  used: number
  /** Rows below this were given out at least once. */
  top: number
  /** First row of the free list, chained through each row's first word. */
  free: number
}

/** `rowWords` must be even. */
export function createPages(rowWords: number, rowsMax: number): Pages {
  return { words: [], doubles: [], rowWords, rowsMax, used: 0, top: 1, free: 0 }
}

/** A row with old content in it. The caller has made sure that `used < rowsMax`. */
export function takeRow(pages: Pages): number {
  pages.used += 1
  const row = pages.free
  if (row !== 0) {
    const words = pages.words[row >>> PAGE_SHIFT] as Uint32Array
    pages.free = words[(row & PAGE_MASK) * pages.rowWords] as number
    return row
  }
  const fresh = pages.top
  if (fresh >>> PAGE_SHIFT === pages.words.length) addPage(pages)
  pages.top += 1
  return fresh
}

function addPage(pages: Pages): void {
  const rows = Math.min(PAGE_MASK + 1, pages.rowsMax + 1 - (pages.words.length << PAGE_SHIFT))
  const buffer = new ArrayBuffer(rows * pages.rowWords * 4)
  pages.words.push(new Uint32Array(buffer))
  pages.doubles.push(new Float64Array(buffer))
}

export function giveRow(pages: Pages, row: number): void {
  const words = pages.words[row >>> PAGE_SHIFT] as Uint32Array
  words[(row & PAGE_MASK) * pages.rowWords] = pages.free
  pages.free = row
  pages.used -= 1
}

export function usedBytes(pages: Pages): number {
  return pages.used * pages.rowWords * 4
}

export function allocatedBytes(pages: Pages): number {
  return pages.words.reduce((sum, page) => sum + page.byteLength, 0)
}
