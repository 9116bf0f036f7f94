export interface KnownSegment {
  readonly number: number
  /** The last sequence in it; -Infinity when there is none. */
  last: number
  bytes: number
  /** Of its file before it was written over. */
  readonly bytesBefore: number
  /** A part of it cannot be read: it is put aside and not removed. */
  damaged: boolean
}

/** What it takes of the disk. */
export function fileBytesOf({ bytes, bytesBefore }: KnownSegment): number {
  return Math.max(bytes, bytesBefore)
}

export function bytesOf(segments: readonly KnownSegment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0)
}
