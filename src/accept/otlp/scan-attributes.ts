import { createAttributeValue } from './attribute-value.ts'
import { type Cursor, type MessageShape } from './cursor.ts'
import {
  createKeyValueRange,
  INT,
  readAnyValue,
  readKeyValue,
  readRange,
  STRING,
  VALUE
} from './protobuf-attributes.ts'
import { PLAIN_ATTRIBUTE } from './span-protobuf.ts'

/** The head of an attribute's value of `left` bytes, itself included, that is a text: PLAIN_TEXT + left * PLAIN_TEXT_PER_BYTE. */
const PLAIN_TEXT_PER_BYTE = (1 << 8) | (1 << 24)
const PLAIN_TEXT = VALUE + (STRING << 16) - (2 << 8) - (4 << 24)
const VARINT_BYTES_MAX = 10

/** Passes over attributes, and throws what the decoder would of those that it cannot read. */
export class AttributeScan {
  /** Of the last one that was read with `keyValue`. */
  readonly range = createKeyValueRange()
  readonly value = createAttributeValue()
  readonly #cursor: Cursor

  constructor(cursor: Cursor) {
    this.#cursor = cursor
  }

  /** Passes over attributes as every SDK writes them, as many as follow each other, and returns where they end. */
  plain(from: number, end: number): number {
    const { bytes, view } = this.#cursor
    let at = from
    while (at + 6 <= end) {
      const head = view.getUint32(at, true)
      if ((head & 0x00ff80ff) !== PLAIN_ATTRIBUTE) break
      const attributeEnd = at + 2 + ((head >>> 8) & 0x7f)
      const valueAt = at + 4 + (head >>> 24)
      const left = attributeEnd - valueAt
      if (attributeEnd > end || left < 2) break
      // Of a text, tag, size, tag of the text and its size are this word and no other.
      const isText = left >= 4 && view.getUint32(valueAt, true) === PLAIN_TEXT + left * PLAIN_TEXT_PER_BYTE
      if (!isText) {
        if (bytes[valueAt] !== VALUE || (bytes[valueAt + 1] as number) !== left - 2) break
        if (!this.#isNumber(valueAt + 2, attributeEnd)) this.#anyValue(valueAt + 2, attributeEnd)
      }
      at = attributeEnd
    }
    return at
  }

  /** A whole number and nothing else, told without reading it. */
  #isNumber(at: number, end: number): boolean {
    const { bytes } = this.#cursor
    const last = end - 1
    if (at >= last || last - at > VARINT_BYTES_MAX || bytes[at] !== INT || (bytes[last] as number) > 0x7f) return false
    for (let i = at + 1; i < last; i++) if ((bytes[i] as number) < 0x80) return false
    return true
  }

  #anyValue(at: number, end: number): void {
    this.#cursor.at = at
    readAnyValue(this.#cursor, end, this.value)
  }

  keyValue(end: number): void {
    readKeyValue(this.#cursor, end, this.range)
    readRange(this.#cursor, this.range, this.value)
  }

  /** A message whose attributes alone are entered; its other fields are held to its shape. */
  message(end: number, attribute: number, shape: MessageShape): void {
    const cursor = this.#cursor
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === attribute) this.keyValue(cursor.length(end))
      else cursor.skip(tag, shape, end)
    }
  }
}
