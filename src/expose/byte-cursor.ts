const utf8 = new TextEncoder()

/** Appends protobuf's wire types to bytes that grow by doubling. */
export interface ByteCursor {
  readonly length: () => number
  readonly byte: (value: number) => void
  /** A whole number from 0 to 2^53. */
  readonly varint: (value: number) => void
  /** A whole number from -2^52 to 2^52, zigzag coded. */
  readonly signed: (value: number) => void
  readonly double: (value: number) => void
  readonly bytes: (value: Uint8Array) => void
  /** Tag, length and bytes of a nested message. */
  readonly message: (tag: number, value: Uint8Array) => void
  /** The same of a text field. */
  readonly text: (tag: number, value: string) => void
  /** The bytes so far, valid until the next append. */
  readonly view: () => Uint8Array
  readonly copy: () => Uint8Array
  readonly clear: () => void
}

export function createByteCursor(capacity = 1024): ByteCursor {
  let buffer = new Uint8Array(capacity)
  let view = new DataView(buffer.buffer)
  let at = 0

  function reserve(bytes: number): void {
    if (at + bytes <= buffer.length) return
    const larger = new Uint8Array(Math.max(buffer.length * 2, at + bytes))
    larger.set(buffer)
    buffer = larger
    view = new DataView(buffer.buffer)
  }

  function varint(value: number): void {
    reserve(10)
    let rest = value
    while (rest >= 128) {
      buffer[at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    buffer[at++] = rest
  }

  function bytes(value: Uint8Array): void {
    reserve(value.length)
    buffer.set(value, at)
    at += value.length
  }

  function message(tag: number, value: Uint8Array): void {
    reserve(1)
    buffer[at++] = tag
    varint(value.length)
    bytes(value)
  }

  return {
    length: () => at,
    byte(value) {
      reserve(1)
      buffer[at++] = value
    },
    varint,
    signed: (value) => {
      varint(value >= 0 ? value * 2 : -value * 2 - 1)
    },
    double(value) {
      reserve(8)
      view.setFloat64(at, value, true)
      at += 8
    },
    bytes,
    message,
    text: (tag, value) => {
      message(tag, utf8.encode(value))
    },
    view: () => buffer.subarray(0, at),
    copy: () => buffer.slice(0, at),
    clear() {
      at = 0
    }
  }
}

export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1
  return length
}
