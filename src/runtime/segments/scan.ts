import { crc32 } from 'node:zlib'
import { type ReadFile } from './folder.ts'
import {
  readRecordHead,
  readSegmentHead,
  RECORD_HEAD_BYTES,
  type RecordHead,
  SEGMENT_HEAD_BYTES,
  type SegmentHead
} from './format.ts'

const WINDOW_BYTES = 1 << 20

/** A record as it lies in its segment; the payload holds until the next one is read. */
export interface ReadRecord {
  readonly type: number
  readonly sequence: number
  readonly timeMs: number
  readonly payload: Buffer
  /** Where the record begins and ends in its segment. */
  readonly at: number
  readonly end: number
}

/**
 * A segment read from a place on. Once a head is damaged nothing after it can be found; where the file held another segment
 * before, its end looks the same.
 */
export interface SegmentReader {
  /** The next whole record; undefined at the end of what can be read. */
  readonly next: () => Promise<ReadRecord | undefined>
  /** Of the first and the last head. */
  readonly sequences: () => { readonly first: number | undefined; readonly last: number | undefined }
  /** Records passed over because their payload was damaged, and their bytes. */
  readonly damaged: () => { readonly records: number; readonly bytes: number }
  /** Where reading stopped: the end of the file, or of what can be read of it. */
  readonly at: () => number
}

/** What the head of a segment says. */
export async function readHead(file: ReadFile): Promise<SegmentHead | 'version' | 'damaged'> {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES)
  const bytes = await file.read(0, head)
  return readSegmentHead(head.subarray(0, bytes))
}

export function createSegmentReader(file: ReadFile, segment: number, from = SEGMENT_HEAD_BYTES): SegmentReader {
  let window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, Math.max(1, file.bytes - from)))
  let windowAt = from
  let windowBytes = 0
  let at = from
  const damaged = { records: 0, bytes: 0 }
  let first: number | undefined
  let last: number | undefined

  /** So many bytes from `at` on; undefined when the file has fewer. */
  async function bytesAt(place: number, bytes: number): Promise<Buffer | undefined> {
    if (place + bytes > file.bytes) return undefined
    if (place < windowAt || place + bytes > windowAt + windowBytes) {
      if (bytes > window.length) window = Buffer.allocUnsafe(bytes)
      windowAt = place
      windowBytes = await file.read(place, window)
    }
    const start = place - windowAt
    return start + bytes > windowBytes ? undefined : window.subarray(start, start + bytes)
  }

  async function head(): Promise<RecordHead | undefined> {
    const bytes = await bytesAt(at, RECORD_HEAD_BYTES)
    return bytes === undefined ? undefined : readRecordHead(bytes, segment)
  }

  return {
    async next() {
      for (let found = await head(); found !== undefined; found = await head()) {
        const { type, sequence, timeMs, payloadBytes, payloadCrc } = found
        const payload = await bytesAt(at + RECORD_HEAD_BYTES, payloadBytes)
        if (payload === undefined) return undefined
        const record = { type, sequence, timeMs, payload, at, end: at + RECORD_HEAD_BYTES + payloadBytes }
        at = record.end
        first ??= sequence
        last = sequence
        if (crc32(payload) === payloadCrc) return record
        damaged.records += 1
        damaged.bytes += record.end - record.at
      }
      return undefined
    },
    sequences: () => ({ first, last }),
    damaged: () => damaged,
    at: () => at
  }
}
