/** Fields of ExportTraceServiceRequest, ResourceSpans and ScopeSpans, as tags. */
export const RESOURCE_SPANS = 0x0a
export const SCOPE_SPANS = 0x12
export const SPAN = 0x12

/**
 * Protobuf that accept has checked already, so lengths are inside their parents; what is left is to read it. The position after
 * what was read is in `next`.
 */
export class TrustedReader {
  bytes: Buffer = Buffer.alloc(0)
  next = 0

  /** The low 32 bits of a varint: tags and lengths. */
  varint(at: number): number {
    const { bytes } = this
    let byte = bytes[at++] as number
    let value = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = bytes[at++] as number
      if (shift < 32) value |= (byte & 0x7f) << shift
    }
    this.next = at
    return value >>> 0
  }

  /** Where the field ends that has this tag and begins at `at`, after its tag. Of a length-delimited one `next` is its content. */
  fieldEnd(tag: number, at: number): number {
    switch (tag & 7) {
      case 0:
        this.varint(at)
        return this.next
      case 1:
        return at + 8
      case 2: {
        const length = this.varint(at)
        return this.next + length
      }
      default:
        return at + 4
    }
  }
}

export function varintLength(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x200000) return 3
  return value < 0x10000000 ? 4 : 5
}

/** Returns the position after it. */
function writeVarint(to: Buffer, at: number, value: number): number {
  while (value > 0x7f) {
    to[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  to[at++] = value
  return at
}

/** Of a field with so much content. */
export const fieldBytes = (length: number): number => 1 + varintLength(length) + length

/** Tag and length of a field; returns the position after them. */
export function writeHead(to: Buffer, at: number, tag: number, length: number): number {
  to[at] = tag
  return writeVarint(to, at + 1, length)
}
