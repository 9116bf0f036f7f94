import { type NewRecord, RECORD_HEAD_BYTES, writeRecord, writeRecordHead } from './format.ts'
import { type Page, type Pages } from './pages.ts'

/** Bytes that are written one behind the other. */
export interface Part {
  readonly bytes: Buffer
  /** Records, at the end perhaps the head of one whose payload is the next part; or that payload. */
  readonly holds: 'records' | 'payload'
}

/** Records that are written together, in the order in which they came. */
export interface Batch {
  readonly add: (record: NewRecord) => void
  /** As `add`, but the payload is written from where it lies: it must stay as it is until `kept` is settled. */
  readonly addLent: (record: NewRecord) => void
  readonly bytes: () => number
  readonly records: () => number
  /** The last sequence. */
  readonly last: () => number
  readonly parts: () => readonly Part[]
  readonly kept: PromiseWithResolvers<boolean>
  /** Nothing reads its parts any more. */
  readonly giveBack: () => void
}

export function createBatch(pages: Pages): Batch {
  const filled: Page[] = []
  const parts: Part[] = []
  /** Where in the last page the records begin that are no part yet. */
  let start = 0
  let bytes = 0
  let records = 0
  let last = -Infinity

  /** A page with so much room. */
  function pageFor(room: number): Page {
    const before = filled.at(-1)
    const page = pages.pageFor(filled, room)
    if (page !== before) {
      endPart(before)
      start = 0
    }
    return page
  }

  function endPart(page: Page | undefined): void {
    if (page === undefined || page.bytes === start) return
    parts.push({ bytes: page.buffer.subarray(start, page.bytes), holds: 'records' })
    start = page.bytes
  }

  function count({ payload, sequence }: NewRecord): void {
    bytes += RECORD_HEAD_BYTES + payload.length
    records += 1
    last = sequence
  }

  return {
    add(record) {
      const page = pageFor(RECORD_HEAD_BYTES + record.payload.length)
      page.bytes = writeRecord(page.buffer, page.bytes, record)
      count(record)
    },
    addLent(record) {
      const page = pageFor(RECORD_HEAD_BYTES)
      page.bytes = writeRecordHead(page.buffer, page.bytes, record)
      endPart(page)
      const { buffer, byteOffset, length } = record.payload
      parts.push({ bytes: Buffer.from(buffer, byteOffset, length), holds: 'payload' })
      count(record)
    },
    bytes: () => bytes,
    records: () => records,
    last: () => last,
    parts() {
      endPart(filled.at(-1))
      return parts
    },
    kept: Promise.withResolvers(),
    giveBack() {
      pages.giveBack(filled)
    }
  }
}
