import { type ByteSource, noBytes, numberFromText } from './attribute-value.ts'
import { type KeyTable, UNKNOWN_KEY } from './key-table.ts'

/** Thrown at whatever is not plain; one for all, because nobody asks where. */
export const notPlain = new Error('not plain JSON')

export const QUOTE = 0x22
const COMMA = 0x2c
export const COLON = 0x3a
const BACKSLASH = 0x5c
export const MINUS = 0x2d
export const ZERO = 0x30
const NULL = 0x6e
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_LIST = 0x5b
export const CLOSE_LIST = 0x5d

const DEPTH_MAX = 32
const INTEGER_DIGITS_MAX = 15

/** Bytes that end the plain run of a string: control characters, quote and backslash. */
const endsRun = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(byte < 0x20 || byte === QUOTE || byte === BACKSLASH)
)
/** Value of a hex digit; 16 for what is none. */
export const hexValue = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(digit) ? 16 : digit
})

/**
 * Reads JSON in place, without making a document of it: a third of what JSON.parse and walking its objects cost. It
 * takes only what it can read for certain, in valid UTF-8, and checks every byte, also of what is skipped. At anything
 * else (an escape in a text that is wanted, a field given twice, null, a wrong type, broken JSON) it throws, and then
 * the whole document is for JSON.parse, which also knows how to complain.
 */
export class JsonBytes implements ByteSource {
  bytes = noBytes.bytes
  view = noBytes.view
  at = 0
  /** Range of the last text or key. */
  start = 0
  end = 0

  load(bytes: Uint8Array): void {
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
  }

  unload(): void {
    this.bytes = noBytes.bytes
    this.view = noBytes.view
  }

  isAtEnd(): boolean {
    return this.peek() === 0
  }

  /** The next byte that is not blank, 0 at the end. */
  protected peek(): number {
    const { bytes } = this
    while (this.at < bytes.length) {
      const byte = bytes[this.at] as number
      if (byte > 0x20) return byte
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) throw notPlain
      this.at += 1
    }
    return 0
  }

  /** Enters an object or a list; false when it is empty, and then it is left as well. */
  opens(open: number): boolean {
    if (this.peek() !== open) throw notPlain
    this.at += 1
    if (this.peek() !== open + 2) return true
    this.at += 1
    return false
  }

  /** After a member: whether another follows. If not, the object or list is left. */
  goesOn(close: number): boolean {
    const byte = this.peek()
    if (byte !== COMMA && byte !== close) throw notPlain
    this.at += 1
    return byte === COMMA
  }

  /** The key of a member into `start` and `end`, up to its value. */
  key(): void {
    this.text()
    if (this.peek() !== COLON) throw notPlain
    this.at += 1
  }

  /** The key of a member as its index in `table`. `seen` are the bits of those before it: none may come twice. */
  field(table: KeyTable, seen: number): number {
    this.key()
    const field = table.find(this.view, this.start, this.end)
    if (field !== UNKNOWN_KEY && ((seen >>> field) & 1) === 1) throw notPlain
    return field
  }

  /** A text without escapes into `start` and `end`. */
  text(): void {
    if (this.peek() !== QUOTE) throw notPlain
    this.start = this.at + 1
    this.end = this.endOfRun(this.start)
    if (this.bytes[this.end] !== QUOTE) throw notPlain
    this.at = this.end + 1
  }

  /** An unsigned integer of at most 15 digits. */
  integer(): number {
    this.peek()
    const from = this.at
    this.#digits()
    if (this.at === from || this.at - from > INTEGER_DIGITS_MAX) throw notPlain
    if (this.bytes[from] === ZERO && this.at - from > 1) throw notPlain
    // A fraction or an exponent is no comma and no bracket, so whoever reads on refuses it.
    return numberFromText(this.bytes, from, this.at)
  }

  /** Passes over a value of any kind. */
  skip(depth = 0): void {
    switch (this.peek()) {
      case QUOTE:
        this.#skipText()
        return
      case OPEN_OBJECT:
        if (depth === DEPTH_MAX) throw notPlain
        if (!this.opens(OPEN_OBJECT)) return
        do {
          this.peek()
          this.#skipText()
          if (this.peek() !== COLON) throw notPlain
          this.at += 1
          this.skip(depth + 1)
        } while (this.goesOn(CLOSE_OBJECT))
        return
      case OPEN_LIST:
        if (depth === DEPTH_MAX) throw notPlain
        if (!this.opens(OPEN_LIST)) return
        do this.skip(depth + 1)
        while (this.goesOn(CLOSE_LIST))
        return
      case 0x74:
        this.#literal('true')
        return
      case 0x66:
        this.#literal('false')
        return
      case NULL:
        this.#literal('null')
        return
      default:
        this.number()
    }
  }

  /** Where the plain run of a string ends that starts at `from`. */
  protected endOfRun(from: number): number {
    const { bytes } = this
    const { length } = bytes
    let at = from
    while (at < length && endsRun[bytes[at] as number] === 0) at++
    return at
  }

  #skipText(): void {
    const { bytes } = this
    if (bytes[this.at] !== QUOTE) throw notPlain
    let at = this.endOfRun(this.at + 1)
    while (bytes[at] === BACKSLASH) {
      const escape = bytes[at + 1]
      if (escape === undefined) throw notPlain
      if (escape === 0x75) {
        for (let digit = at + 2; digit < at + 6; digit++) if (!(hexAt(bytes, digit) < 16)) throw notPlain
        at = this.endOfRun(at + 6)
      } else {
        if (!ESCAPES.includes(escape)) throw notPlain
        at = this.endOfRun(at + 2)
      }
    }
    if (bytes[at] !== QUOTE) throw notPlain
    this.at = at + 1
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw notPlain
    this.at += word.length
  }

  /** Passes over a number. */
  protected number(): void {
    const { bytes } = this
    if (bytes[this.at] === MINUS) this.at += 1
    const from = this.at
    this.#digits()
    if (this.at === from || (bytes[from] === ZERO && this.at - from > 1)) throw notPlain
    if (bytes[this.at] === 0x2e) {
      this.at += 1
      this.#someDigits()
    }
    if (((bytes[this.at] as number) | 0x20) === 0x65) {
      this.at += 1
      if (bytes[this.at] === 0x2b || bytes[this.at] === MINUS) this.at += 1
      this.#someDigits()
    }
  }

  #someDigits(): void {
    const from = this.at
    this.#digits()
    if (this.at === from) throw notPlain
  }

  #digits(): void {
    const { bytes } = this
    let { at } = this
    while (at < bytes.length && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= 0x39) at++
    this.at = at
  }
}

/** What may follow a backslash, but for `u`. */
const ESCAPES = Uint8Array.from('"\\/bfnrt', (letter) => letter.charCodeAt(0))

function hexAt(bytes: Uint8Array, at: number): number {
  return at < bytes.length ? (hexValue[bytes[at] as number] as number) : 16
}
