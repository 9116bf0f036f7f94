import { Fault } from '../../runtime/fault.ts'
import { type AttributeValue, type ByteSource, ValueKind } from './attribute-value.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { type SenderReader } from './sender-reader.ts'

/** JSON strings as bytes, for readers that take ranges of bytes: both formats then go the same way. */
export class TextScratch implements ByteSource {
  bytes: Uint8Array = new Uint8Array(1 << 12)
  view = new DataView(this.bytes.buffer)
  at = 0
  readonly #encoder = new TextEncoder()

  /** Forgets what was put before; ranges of it are void. */
  clear(): void {
    this.at = 0
    if (this.bytes.length > IDLE_BYTES_MAX) this.#hold(new Uint8Array(1 << 12))
  }

  /** Appends; the text's range is from the returned start to `at`. */
  put(text: string): number {
    const start = this.at
    this.#reserve(text.length)
    const { bytes } = this
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return this.#putEncoded(text, start)
      bytes[start + i] = code
    }
    this.at = start + text.length
    return start
  }

  #putEncoded(text: string, start: number): number {
    this.#reserve(3 * text.length)
    this.at = start + this.#encoder.encodeInto(text, this.bytes.subarray(start)).written
    return start
  }

  #reserve(size: number): void {
    if (this.at + size <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.at + size))
    larger.set(this.bytes.subarray(0, this.at))
    this.#hold(larger)
  }

  #hold(bytes: Uint8Array): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}

const IDLE_BYTES_MAX = 1 << 20
const HIGH_WORD = 4294967296

interface JsonAnyValue {
  readonly stringValue?: unknown
  readonly intValue?: unknown
  readonly doubleValue?: unknown
  readonly arrayValue?: unknown
}
export interface JsonKeyValue {
  readonly key?: unknown
  readonly value?: unknown
}

/**
 * Reads OTLP/JSON values out of what JSON.parse made, never deeper than the caller asks. It knows where it is, so that
 * a value of the wrong type is a Fault with its path. Absent and null are the same.
 */
export class JsonReader {
  readonly scratch = new TextScratch()
  readonly value: AttributeValue = { kind: ValueKind.none, start: 0, end: 0, number: NaN }
  /** Words of the last `uint64`. */
  hi = 0
  lo = 0
  readonly #names: string[] = []
  readonly #indices: number[] = []
  #depth = 0

  reset(): void {
    this.#depth = 0
    this.scratch.clear()
  }

  /** Enters a list; call `at` before each item, and `leave` at its end. */
  enter(list: unknown, name: string): readonly unknown[] {
    if (list !== undefined && list !== null && !Array.isArray(list)) throw this.fault(name, 'an array')
    this.#names[this.#depth] = name
    this.#indices[this.#depth] = 0
    this.#depth += 1
    return (list ?? []) as readonly unknown[]
  }

  at(index: number): void {
    this.#indices[this.#depth - 1] = index
  }

  leave(): void {
    this.#depth -= 1
  }

  object(value: unknown, name = ''): object {
    if (value === undefined || value === null) return NOTHING
    if (typeof value !== 'object' || Array.isArray(value)) throw this.fault(name, 'an object')
    return value
  }

  text(value: unknown, name: string): string {
    if (value === undefined || value === null) return ''
    if (typeof value !== 'string') throw this.fault(name, 'a string')
    return value
  }

  /** Enums and 32-bit counts: integers, 0 when absent. */
  integer(value: unknown, name: string): number {
    if (value === undefined || value === null) return 0
    if (typeof value !== 'number' || !Number.isInteger(value)) throw this.fault(name, 'an integer')
    return value
  }

  boolean(value: unknown, name: string): boolean {
    if (value === undefined || value === null) return false
    if (typeof value !== 'boolean') throw this.fault(name, 'true or false')
    return value
  }

  /** Unsigned 64 bits into `hi` and `lo`: decimal text exactly, a number as far as doubles go. */
  uint64(value: unknown, name: string): void {
    this.hi = this.lo = 0
    if (value === undefined || value === null) return
    if (typeof value === 'number') {
      if (!Number.isInteger(value) || value < 0 || value >= HIGH_WORD * HIGH_WORD) throw this.fault(name, UINT64)
      this.hi = Math.floor(value / HIGH_WORD)
      this.lo = value - this.hi * HIGH_WORD
      return
    }
    if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) throw this.fault(name, UINT64)
    // value = upper * 10^9 + lower, multiplied out in parts below 2^53.
    const lower = Number(value.slice(-9))
    const upper = Number(value.slice(0, -9))
    const high = Math.floor(upper / 2 ** 17) * 1e9
    const low = (high % 2 ** 15) * 2 ** 17 + (upper % 2 ** 17) * 1e9 + lower
    this.hi = Math.floor(high / 2 ** 15) + Math.floor(low / HIGH_WORD)
    this.lo = low % HIGH_WORD
    if (this.hi >= HIGH_WORD) throw this.fault(name, UINT64)
  }

  /** A signed or unsigned 64-bit integer as a double. */
  int64(value: unknown, name: string): number {
    if (value === undefined || value === null) return 0
    const number = typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? Number(value) : value
    if (typeof number !== 'number' || !Number.isInteger(number) || Math.abs(number) > HIGH_WORD * HIGH_WORD) {
      throw this.fault(name, 'a 64-bit integer, as decimal text or as a number')
    }
    return number
  }

  double(value: unknown, name: string): number {
    if (typeof value === 'number') return value
    if (value === 'NaN') return NaN
    if (typeof value === 'string' && /^-?(Infinity|\d+\.?\d*(e[+-]?\d+)?)$/i.test(value)) return Number(value)
    throw this.fault(name, 'a number')
  }

  /** Hex digits of an id to words[at, at + count); false when they are none, too many or too few, or all zero. */
  id(text: string, words: Uint32Array, at: number, count: number): boolean {
    if (text.length !== 8 * count) return false
    let any = 0
    for (let i = 0; i < count; i++) {
      const word = hexWord(text, 8 * i)
      if (word < 0) return false
      words[at + i] = word
      any |= word
    }
    return any !== 0
  }

  /** An AnyValue into `value`: numbers, text, the first element of an array if it is text. Text is put in the scratch. */
  anyValue(any: unknown): void {
    const { value } = this
    value.kind = ValueKind.none
    const given = this.object(any, 'value') as JsonAnyValue
    if (isGiven(given.stringValue)) this.#putText(given.stringValue, 'value.stringValue')
    else if (isGiven(given.intValue)) {
      value.number = this.int64(given.intValue, 'value.intValue')
      value.kind = ValueKind.number
    } else if (isGiven(given.doubleValue)) {
      value.number = this.double(given.doubleValue, 'value.doubleValue')
      value.kind = ValueKind.number
    } else if (isGiven(given.arrayValue)) {
      const array = this.object(given.arrayValue, 'value.arrayValue') as { readonly values?: unknown }
      const [first] = this.enter(array.values, 'value.arrayValue.values')
      const { stringValue } = this.object(first) as JsonAnyValue
      this.leave()
      if (isGiven(stringValue)) this.#putText(stringValue, 'value.arrayValue.values[0].stringValue')
    }
  }

  #putText(text: unknown, name: string): void {
    this.value.start = this.scratch.put(this.text(text, name))
    this.value.end = this.scratch.at
    this.value.kind = ValueKind.text
  }

  fault(name: string, expected: string): Fault {
    let path = ''
    for (let i = 0; i < this.#depth; i++) path += `${path && '.'}${this.#names[i] ?? ''}[${this.#indices[i] ?? 0}]`
    if (name !== '') path += `${path && '.'}${name}`
    return new Fault('BAD_PAYLOAD', `${path || 'the document'}: expected ${expected}`)
  }
}

/** Hands the attributes of a Resource to `sender`. */
export function readResourceJson(json: JsonReader, resource: unknown, sender: SenderReader): void {
  json.scratch.clear()
  sender.begin()
  const { attributes } = json.object(resource, 'resource') as { readonly attributes?: unknown }
  const list = json.enter(attributes, 'resource.attributes')
  for (let i = 0; i < list.length; i++) {
    json.at(i)
    const { key, value } = json.object(list[i]) as JsonKeyValue
    const known = sender.keys.findText(json.text(key, 'key'))
    if (known === UNKNOWN_KEY) continue
    json.anyValue(value)
    sender.attribute(known, json.value, json.scratch)
  }
  json.leave()
}

const NOTHING: object = Object.freeze({})
const UINT64 = 'an unsigned 64-bit integer, as decimal text or as a number'

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** Eight hex digits as a word, -1 when one of them is none. */
function hexWord(text: string, from: number): number {
  let word = 0
  for (let i = from; i < from + 8; i++) {
    const code = text.charCodeAt(i)
    const letter = code | 0x20
    let digit: number
    if (code >= 0x30 && code <= 0x39) digit = code - 0x30
    else if (letter >= 0x61 && letter <= 0x66) digit = letter - 0x57
    else return -1
    word = word * 16 + digit
  }
  return word
}
