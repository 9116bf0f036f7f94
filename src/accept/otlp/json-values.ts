import { type AttributeValue, numberFromText, ValueKind } from './attribute-value.ts'
import {
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  hexValue,
  JsonBytes,
  MINUS,
  notPlain,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  ZERO
} from './json-bytes.ts'
import { KeyTable, UNKNOWN_KEY } from './key-table.ts'

const INT64_DIGITS_MAX = 19
const NUMBER_BYTES_MAX = 40
const HIGH_WORD = 4294967296

const valueFields = ['stringValue', 'intValue', 'doubleValue', 'arrayValue']
const valueTable = new KeyTable(valueFields)
const ValueField = { string: 0, int: 1, double: 2, array: 3 } as const
const arrayTable = new KeyTable(['values'])
const keyValueTable = new KeyTable(['key', 'value'])
const KEY = 0

/** What stands around the key of a KeyValue and before its text, four bytes at a time. */
const compact = [...'{"key":"","value":{"stringValue"'.matchAll(/.{4}/g)].map(([word]) =>
  Buffer.from(word).readInt32BE()
)

/** The values of OTLP/JSON, read in place. */
export class JsonValues extends JsonBytes {
  /** Range of the last KeyValue's key. */
  keyStart = 0
  keyEnd = 0
  /** Where its value starts, 0 without one; or the range of the text that it is, 0 when that is not known. */
  #valueAt = 0
  #textStart = 0
  #textEnd = 0
  /** Words of the last `uint64`. */
  hi = 0
  lo = 0

  /** Unsigned 64 bits as decimal text. */
  uint64(): void {
    this.text()
    const { bytes, start, end } = this
    if (end === start || end - start > INT64_DIGITS_MAX) throw notPlain
    // value = upper * 10^9 + lower, multiplied out in parts below 2^53.
    const split = Math.max(start, end - 9)
    let upper = 0
    let lower = 0
    for (let at = start; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO
      if (digit < 0 || digit > 9) throw notPlain
      if (at < split) upper = upper * 10 + digit
      else lower = lower * 10 + digit
    }
    const high = Math.floor(upper / 2 ** 17) * 1e9
    const low = (high % 2 ** 15) * 2 ** 17 + (upper % 2 ** 17) * 1e9 + lower
    this.hi = Math.floor(high / 2 ** 15) + Math.floor(low / HIGH_WORD)
    this.lo = low % HIGH_WORD
  }

  /** Hex digits of an id to words[at, at + count); false when they are none, too many or too few, or all zero. */
  id(words: Uint32Array, at: number, count: number): boolean {
    this.text()
    const { bytes, start, end } = this
    if (end - start !== 8 * count) return false
    let any = 0
    for (let i = 0; i < count; i++) {
      let word = 0
      let wrong = 0
      for (let digit = start + 8 * i; digit < start + 8 * i + 8; digit++) {
        const value = hexValue[bytes[digit] as number] as number
        wrong |= value
        word = (word << 4) | value
      }
      if (wrong > 15) return false
      words[at + i] = word
      any |= word
    }
    return any !== 0
  }

  /** Whether the last text is sixteen zeros: an id that says there is none. */
  isZeros(): boolean {
    if (this.end - this.start !== 16) return false
    for (let at = this.start; at < this.end; at++) if (this.bytes[at] !== ZERO) return false
    return true
  }

  /** A KeyValue: notes where its key is and its value starts. */
  keyValue(): void {
    this.keyStart = this.keyEnd = this.#valueAt = this.#textStart = 0
    if (this.#compactText()) return
    if (!this.opens(OPEN_OBJECT)) return
    let seen = 0
    do {
      const field = this.field(keyValueTable, seen)
      seen |= 1 << field
      if (field === KEY) {
        this.text()
        this.keyStart = this.start
        this.keyEnd = this.end
      } else {
        if (field !== UNKNOWN_KEY) this.#valueAt = this.at
        this.skip()
      }
    } while (this.goesOn(CLOSE_OBJECT))
  }

  /** `{"key":"…","value":{"stringValue":"…"}}`, without blanks and escapes: most attributes of most SDKs. */
  #compactText(): boolean {
    const { view, bytes } = this
    if (this.peek() !== OPEN_OBJECT) return false
    const keyStart = this.at + 8
    if (keyStart > bytes.length) return false
    if (view.getInt32(keyStart - 8) !== compact[0] || view.getInt32(keyStart - 4) !== compact[1]) return false
    const keyEnd = this.endOfRun(keyStart)
    const textStart = keyEnd + 26
    if (textStart > bytes.length) return false
    for (let i = 2; i < 8; i++) if (view.getInt32(keyEnd + 4 * i - 8) !== compact[i]) return false
    if (bytes[textStart - 2] !== COLON || bytes[textStart - 1] !== QUOTE) return false
    const textEnd = this.endOfRun(textStart)
    if (textEnd + 3 > bytes.length || bytes[textEnd] !== QUOTE) return false
    if (bytes[textEnd + 1] !== CLOSE_OBJECT || bytes[textEnd + 2] !== CLOSE_OBJECT) return false
    this.keyStart = keyStart
    this.keyEnd = keyEnd
    this.#textStart = textStart
    this.#textEnd = textEnd
    this.at = textEnd + 3
    return true
  }

  /** The value of the last KeyValue: a number, text, the first element of an array if it is text. */
  anyValue(value: AttributeValue): void {
    value.kind = ValueKind.none
    if (this.#textStart > 0) {
      value.start = this.#textStart
      value.end = this.#textEnd
      value.kind = ValueKind.text
      return
    }
    if (this.#valueAt === 0) return
    const resumeAt = this.at
    this.at = this.#valueAt
    if (this.opens(OPEN_OBJECT)) {
      this.key()
      const field = valueTable.find(this.view, this.start, this.end)
      if (field === ValueField.string) this.#textValue(value)
      else if (field === ValueField.int) this.#intValue(value)
      else if (field === ValueField.double) this.#doubleValue(value)
      else if (field === ValueField.array) this.#firstElement(value)
      else this.skip()
      if (this.goesOn(CLOSE_OBJECT)) throw notPlain
    }
    this.at = resumeAt
  }

  #textValue(value: AttributeValue): void {
    this.text()
    value.start = this.start
    value.end = this.end
    value.kind = ValueKind.text
  }

  #intValue(value: AttributeValue): void {
    value.kind = ValueKind.number
    if (this.peek() !== QUOTE) {
      value.number = this.integer()
      return
    }
    this.text()
    const digitsFrom = this.bytes[this.start] === MINUS ? this.start + 1 : this.start
    const length = this.end - digitsFrom
    if (length === 0 || length > INT64_DIGITS_MAX) throw notPlain
    for (let at = digitsFrom; at < this.end; at++)
      if ((hexValue[this.bytes[at] as number] as number) > 9) throw notPlain
    value.number = numberFromText(this.bytes, this.start, this.end)
  }

  #doubleValue(value: AttributeValue): void {
    this.peek()
    const from = this.at
    this.number()
    if (this.at - from > NUMBER_BYTES_MAX) throw notPlain
    value.number = numberFromText(this.bytes, from, this.at)
    value.kind = ValueKind.number
  }

  #firstElement(value: AttributeValue): void {
    if (!this.opens(OPEN_OBJECT)) return
    this.key()
    if (arrayTable.find(this.view, this.start, this.end) !== 0) throw notPlain
    if (this.opens(OPEN_LIST)) {
      if (this.opens(OPEN_OBJECT)) {
        this.key()
        if (valueTable.find(this.view, this.start, this.end) === ValueField.string) this.#textValue(value)
        else this.skip()
        if (this.goesOn(CLOSE_OBJECT)) throw notPlain
      }
      while (this.goesOn(CLOSE_LIST)) this.skip()
    }
    if (this.goesOn(CLOSE_OBJECT)) throw notPlain
  }
}
