import { Fault } from '../../runtime/fault.ts'

export const Wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** The known fields of a message: wire type by field number, UNKNOWN_FIELD for the others. */
export type MessageShape = Uint8Array
const UNKNOWN_FIELD = 255

export function messageShape(fields: Readonly<Record<number, number>>): MessageShape {
  const shape = new Uint8Array(32).fill(UNKNOWN_FIELD)
  for (const [field, wire] of Object.entries(fields)) shape[Number(field)] = wire
  return shape
}

/**
 * Reads protobuf in place. Nothing is read beyond the `end` given, which is never beyond the parent's, so every length
 * is inside its parent. Messages are entered by their readers alone: a field that nobody reads is skipped by its length,
 * however deep it is.
 */
export class Cursor {
  at = 0
  bytes: Uint8Array = new Uint8Array(0)
  view: DataView = new DataView(new ArrayBuffer(0))

  load(bytes: Uint8Array): void {
    // A plain Uint8Array, whatever subclass came: the hot loops then see one shape only.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
  }

  unload(): void {
    this.load(new Uint8Array(0))
  }

  /** A field's number and wire type. */
  tag(end: number): number {
    const at = this.at
    if (at < end) {
      const byte = this.bytes[at] as number
      if (byte < 0x80 && byte > 7) {
        this.at = at + 1
        return byte
      }
    }
    const tag = this.#uint32(end)
    if (tag < 8) throw this.fault(at, 'field number 0')
    return tag
  }

  /** Where the length-delimited field ends that starts here. */
  length(end: number): number {
    const at = this.at
    if (at < end) {
      const byte = this.bytes[at] as number
      if (byte < 0x80) {
        this.at = at + 1
        const fieldEnd = at + 1 + byte
        if (fieldEnd <= end) return fieldEnd
        throw this.overrun(at)
      }
    }
    const length = this.#uint32(end)
    const fieldEnd = this.at + length
    if (fieldEnd > end) throw this.overrun(at)
    return fieldEnd
  }

  /** The low 32 bits of a varint, as enough for enums and counts. */
  varint(end: number): number {
    const at = this.at
    if (at < end) {
      const byte = this.bytes[at] as number
      if (byte < 0x80) {
        this.at = at + 1
        return byte
      }
    }
    return this.#varintWords(end, false)
  }

  /** A signed 64-bit varint; exact below 2^53. */
  int64(end: number): number {
    const at = this.at
    if (at < end) {
      const byte = this.bytes[at] as number
      if (byte < 0x80) {
        this.at = at + 1
        return byte
      }
    }
    return this.#varintWords(end, true)
  }

  #varintWords(end: number, signed64: boolean): number {
    const start = this.at
    let low = 0
    let high = 0
    for (let i = 0; i < 10; i++) {
      const at = start + i
      if (at >= end) throw this.fault(start, 'varint cut short')
      const byte = this.bytes[at] as number
      const bits = byte & 0x7f
      if (i < 4) low |= bits << (7 * i)
      else if (i === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else if (i < 9) high |= bits << (7 * i - 32)
      else high |= bits << 31
      if (byte < 0x80) {
        this.at = at + 1
        return signed64 ? high * 4294967296 + (low >>> 0) : low >>> 0
      }
    }
    throw this.fault(start, 'varint longer than 10 bytes')
  }

  #uint32(end: number): number {
    const start = this.at
    const bytes = this.bytes
    if (start + 1 < end) {
      const first = bytes[start] as number
      const second = bytes[start + 1] as number
      if (first > 0x7f && second < 0x80) {
        this.at = start + 2
        return (first & 0x7f) | (second << 7)
      }
    }
    let value = 0
    for (let i = 0; i < 5; i++) {
      const at = start + i
      if (at >= end) throw this.fault(start, 'tag or length cut short')
      const byte = bytes[at] as number
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) {
        if (value > 0xffffffff) break
        this.at = at + 1
        return value
      }
    }
    throw this.fault(start, 'tag or length larger than 32 bits')
  }

  /** Enters a fixed-size field: its offset. */
  fixed(size: number, end: number): number {
    const at = this.at
    if (at + size > end) throw this.fault(at, 'fixed-size field cut short')
    this.at = at + size
    return at
  }

  double(end: number): number {
    return this.view.getFloat64(this.fixed(8, end), true)
  }

  /** Passes over a field nobody reads; a known field in another wire type than its own is refused. */
  skip(tag: number, shape: MessageShape, end: number): void {
    const field = tag >>> 3
    const wire = tag & 7
    const known = field < shape.length ? (shape[field] as number) : UNKNOWN_FIELD
    if (known !== UNKNOWN_FIELD && known !== wire) {
      throw this.fault(this.at, `field ${field} has wire type ${wire} instead of ${known}`)
    }
    switch (wire) {
      case Wire.varint:
        this.varint(end)
        return
      case Wire.fixed64:
        this.fixed(8, end)
        return
      case Wire.bytes:
        this.at = this.length(end)
        return
      case Wire.fixed32:
        this.fixed(4, end)
        return
      default:
        throw this.fault(this.at, `wire type ${wire}: groups are not part of OTLP`)
    }
  }

  overrun(at: number): Fault {
    return this.fault(at, 'length runs past the end of its parent')
  }

  fault(at: number, problem: string): Fault {
    return new Fault('BAD_PAYLOAD', `byte ${at}: ${problem}`)
  }
}
