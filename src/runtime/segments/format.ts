import { crc32 } from 'node:zlib'

/**
 * A segment is a file of records, one after the other, that only ever grows at its end:
 *
 *     "TAILSEGM" | version | 0 | number of the segment (double) | CRC-32 of all before
 *     record: CRC-32 of the head's rest | bytes of the payload | type | CRC-32 of the payload | sequence (double) | ms since 1970 (double) | payload
 *
 * Whole numbers are 32 bits; lowest byte first. The head has a checksum of its own, so a payload that is damaged costs no
 * more than its record. Nothing is searched for by its looks: payloads are a stranger's, and may look like records.
 */
export const SEGMENT_HEAD_BYTES = 28
export const RECORD_HEAD_BYTES = 32
export const SEGMENT_VERSION = 1
/** What a length may say. No request is that long. */
export const PAYLOAD_BYTES_MAX = 2 ** 31 - 1
const MAGIC = Buffer.from('TAILSEGM')
const SEGMENT_CRC_AT = 24
const NAME = /^(\d{16})\.segment$/

export interface RecordHead {
  readonly type: number
  readonly sequence: number
  readonly timeMs: number
  readonly payloadBytes: number
  readonly payloadCrc: number
}

/** Sorts by name as by number. */
export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.segment`
}

/** The number of a segment of this name; undefined when it is no segment's name. */
export function numberOfName(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export function segmentHead(number: number): Buffer {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES)
  MAGIC.copy(head)
  head.writeUInt32LE(SEGMENT_VERSION, 8)
  head.writeDoubleLE(number, 16)
  head.writeUInt32LE(crc32(head.subarray(0, SEGMENT_CRC_AT)), SEGMENT_CRC_AT)
  return head
}

/** What a segment's head says: good, of another version, or damaged. */
export function readSegmentHead(bytes: Buffer): 'good' | 'version' | 'damaged' {
  if (bytes.length < SEGMENT_HEAD_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 'damaged'
  if (bytes.readUInt32LE(SEGMENT_CRC_AT) !== crc32(bytes.subarray(0, SEGMENT_CRC_AT))) return 'damaged'
  return bytes.readUInt32LE(8) === SEGMENT_VERSION ? 'good' : 'version'
}

export interface NewRecord {
  readonly type: number
  readonly sequence: number
  readonly timeMs: number
  readonly payload: Uint8Array
}

/** Writes a record into a buffer that has room for it, and says where it ends. */
export function writeRecord(into: Buffer, at: number, { type, sequence, timeMs, payload }: NewRecord): number {
  into.writeUInt32LE(payload.length, at + 4)
  into.writeUInt32LE(type, at + 8)
  into.writeUInt32LE(crc32(payload), at + 12)
  into.writeDoubleLE(sequence, at + 16)
  into.writeDoubleLE(timeMs, at + 24)
  const start = at + RECORD_HEAD_BYTES
  into.writeUInt32LE(crc32(into.subarray(at + 4, start)), at)
  into.set(payload, start)
  return start + payload.length
}

/** The head of a record, or undefined when its bytes are damaged. */
export function readRecordHead(bytes: Buffer): RecordHead | undefined {
  if (bytes.readUInt32LE(0) !== crc32(bytes.subarray(4, RECORD_HEAD_BYTES))) return undefined
  return {
    payloadBytes: bytes.readUInt32LE(4),
    type: bytes.readUInt32LE(8),
    payloadCrc: bytes.readUInt32LE(12),
    sequence: bytes.readDoubleLE(16),
    timeMs: bytes.readDoubleLE(24)
  }
}
