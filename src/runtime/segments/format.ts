import { crc32 } from 'node:zlib'

/**
 * A segment is a file of records, one after the other, in a new file or over what an older segment's file held:
 *
 *     "TAILSEGM" | version | 1 when written over another | number of the segment (double) | CRC-32 of all before
 *     record: CRC-32 of the head's rest | bytes of the payload | type | CRC-32 of the payload | sequence (double) | ms since 1970 (double) | payload
 *
 * Whole numbers are 32 bits; lowest byte first. The head has a checksum of its own, so a payload that is damaged costs no
 * more than its record. That checksum begins with the segment's number, so a record of the file's former life is none of this
 * one, wherever it lies. Nothing is searched for by its looks: payloads are a stranger's, and may look like records.
 */
export const SEGMENT_HEAD_BYTES = 28
export const RECORD_HEAD_BYTES = 32
export const SEGMENT_VERSION = 2
/** What a length may say. No request is that long. */
export const PAYLOAD_BYTES_MAX = 2 ** 31 - 1
const MAGIC = Buffer.from('TAILSEGM')
const SEGMENT_CRC_AT = 24
const NAME = /^(\d{16})\.segment$/
/** A file that waits to be written over. */
const SPARE_NAME = /^\d{16}\.spare$/

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

export function spareName(number: number): string {
  return `${String(number).padStart(16, '0')}.spare`
}

export function isSpareName(name: string): boolean {
  return SPARE_NAME.test(name)
}

export interface SegmentHead {
  readonly number: number
  /** Behind its records lies what the file held before. */
  readonly isWrittenOver: boolean
}

export function segmentHead({ number, isWrittenOver }: SegmentHead): Buffer {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES)
  MAGIC.copy(head)
  head.writeUInt32LE(SEGMENT_VERSION, 8)
  head.writeUInt32LE(isWrittenOver ? 1 : 0, 12)
  head.writeDoubleLE(number, 16)
  head.writeUInt32LE(crc32(head.subarray(0, SEGMENT_CRC_AT)), SEGMENT_CRC_AT)
  return head
}

/** What a segment's head says, unless it is of another version or damaged. */
export function readSegmentHead(bytes: Buffer): SegmentHead | 'version' | 'damaged' {
  if (bytes.length < SEGMENT_HEAD_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 'damaged'
  if (bytes.readUInt32LE(SEGMENT_CRC_AT) !== crc32(bytes.subarray(0, SEGMENT_CRC_AT))) return 'damaged'
  if (bytes.readUInt32LE(8) !== SEGMENT_VERSION) return 'version'
  return { number: bytes.readDoubleLE(16), isWrittenOver: bytes.readUInt32LE(12) === 1 }
}

export interface NewRecord {
  readonly type: number
  readonly sequence: number
  readonly timeMs: number
  readonly payload: Uint8Array
}

/** Writes a record into a buffer that has room for it, and says where it ends. It is none before it is sealed. */
export function writeRecord(into: Buffer, at: number, record: NewRecord): number {
  const start = writeRecordHead(into, at, record)
  into.set(record.payload, start)
  return start + record.payload.length
}

/** Writes what comes before the payload, and says where that begins. */
export function writeRecordHead(into: Buffer, at: number, { type, sequence, timeMs, payload }: NewRecord): number {
  into.writeUInt32LE(payload.length, at + 4)
  into.writeUInt32LE(type, at + 8)
  into.writeUInt32LE(crc32(payload), at + 12)
  into.writeDoubleLE(sequence, at + 16)
  into.writeDoubleLE(timeMs, at + 24)
  return at + RECORD_HEAD_BYTES
}

/** Makes all records in these bytes, one after the other, records of a segment. The payload of the last may lie elsewhere. */
export function sealRecords(bytes: Buffer, segment: number): void {
  for (let at = 0; at < bytes.length; at += RECORD_HEAD_BYTES + bytes.readUInt32LE(at + 4)) {
    bytes.writeUInt32LE(headChecksum(bytes.subarray(at, at + RECORD_HEAD_BYTES), segment), at)
  }
}

/** A checksum that begins with another number is another one, whatever follows. */
function headChecksum(head: Buffer, segment: number): number {
  return crc32(head.subarray(4), segment >>> 0)
}

/** The head of a record, or undefined when its bytes are damaged or of another segment. */
export function readRecordHead(bytes: Buffer, segment: number): RecordHead | undefined {
  if (bytes.readUInt32LE(0) !== headChecksum(bytes, segment)) return undefined
  return {
    payloadBytes: bytes.readUInt32LE(4),
    type: bytes.readUInt32LE(8),
    payloadCrc: bytes.readUInt32LE(12),
    sequence: bytes.readDoubleLE(16),
    timeMs: bytes.readDoubleLE(24)
  }
}
