/** A larger record has a page of its own. Pages are used again: the kernel clears memory that is new to a process, which costs more than the copy. */
const PAGE_BYTES = 1 << 20
/** What a busy disk leaves in two batches, one being written and one being filled. */
const SPARE_PAGES_MAX = 16

export interface Page {
  readonly buffer: Buffer
  /** Filled so far. */
  bytes: number
}

/** Memory for records on their way to the disk. */
export interface Pages {
  /** The last of these when it has room for so many bytes, or a further one. */
  readonly pageFor: (filled: Page[], bytes: number) => Page
  readonly giveBack: (pages: readonly Page[]) => void
  /** Of all pages. */
  readonly bytes: () => number
}

export function createPages(): Pages {
  const spare: Page[] = []
  let allBytes = 0

  function newPage(bytes: number): Page {
    allBytes += bytes
    return { buffer: Buffer.allocUnsafeSlow(bytes), bytes: 0 }
  }

  return {
    pageFor(filled, bytes) {
      const last = filled.at(-1)
      if (last !== undefined && last.bytes + bytes <= last.buffer.length) return last
      const page = (bytes <= PAGE_BYTES ? spare.pop() : undefined) ?? newPage(Math.max(bytes, PAGE_BYTES))
      filled.push(page)
      return page
    },
    giveBack(pages) {
      for (const page of pages) {
        page.bytes = 0
        if (page.buffer.length === PAGE_BYTES && spare.length < SPARE_PAGES_MAX) spare.push(page)
        else allBytes -= page.buffer.length
      }
    },
    bytes: () => allBytes
  }
}
