import { type AttributeValue, createAttributeValue, ValueKind } from './attribute-value.ts'
import { type Cursor, messageShape, Wire } from './cursor.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { type SenderReader } from './sender-reader.ts'

const { varint, fixed64, bytes } = Wire
const keyValueShape = messageShape({ 1: bytes, 2: bytes })
const anyValueShape = messageShape({ 1: bytes, 2: varint, 3: varint, 4: fixed64, 5: bytes, 6: bytes, 7: bytes })
const anyValueFields = 8
const arrayShape = messageShape({ 1: bytes })

/** KeyValue */
export const KEY = (1 << 3) | bytes
export const VALUE = (2 << 3) | bytes
/** AnyValue */
export const STRING = (1 << 3) | bytes
const BOOL = (2 << 3) | varint
export const INT = (3 << 3) | varint
const DOUBLE = (4 << 3) | fixed64
const ARRAY = (5 << 3) | bytes
/** ArrayValue */
const ELEMENT = (1 << 3) | bytes

/** Where the key and the value of a KeyValue lie. Reused. */
export interface KeyValueRange {
  keyStart: number
  keyEnd: number
  valueStart: number
  valueEnd: number
}

export function createKeyValueRange(): KeyValueRange {
  return { keyStart: 0, keyEnd: 0, valueStart: 0, valueEnd: 0 }
}

/** Finds key and value, in whatever order, and enters neither. */
export function readKeyValue(cursor: Cursor, end: number, range: KeyValueRange): void {
  if (isPlainKeyValue(cursor, end, range)) return
  range.keyStart = range.keyEnd = range.valueStart = range.valueEnd = 0
  while (cursor.at < end) {
    const tag = cursor.tag(end)
    if (tag === KEY) {
      range.keyEnd = cursor.length(end)
      range.keyStart = cursor.at
      cursor.at = range.keyEnd
    } else if (tag === VALUE) {
      range.valueEnd = cursor.length(end)
      range.valueStart = cursor.at
      cursor.at = range.valueEnd
    } else cursor.skip(tag, keyValueShape, end)
  }
}

/** The shape that every SDK writes: key, then value, each shorter than 128 bytes. Saves 0.1 µs a span of 10 attributes. */
function isPlainKeyValue(cursor: Cursor, end: number, range: KeyValueRange): boolean {
  const { bytes, at } = cursor
  if (at + 4 > end || bytes[at] !== KEY) return false
  const keyLength = bytes[at + 1] as number
  const valueAt = at + 2 + keyLength
  if (keyLength > 0x7f || valueAt + 2 > end || bytes[valueAt] !== VALUE) return false
  const valueLength = bytes[valueAt + 1] as number
  if (valueLength > 0x7f || valueAt + 2 + valueLength !== end) return false
  range.keyStart = at + 2
  range.keyEnd = valueAt
  range.valueStart = valueAt + 2
  range.valueEnd = end
  cursor.at = end
  return true
}

/** Reads the AnyValue that was found, and goes back to where the cursor was. */
export function readRange(cursor: Cursor, range: KeyValueRange, value: AttributeValue): void {
  const resumeAt = cursor.at
  cursor.at = range.valueStart
  readAnyValue(cursor, range.valueEnd, value)
  cursor.at = resumeAt
}

/** Reads an AnyValue; of arrays the first element only, of maps nothing. */
export function readAnyValue(cursor: Cursor, end: number, value: AttributeValue): void {
  value.kind = ValueKind.none
  while (cursor.at < end) {
    const tag = cursor.tag(end)
    if (tag === ARRAY) {
      const arrayEnd = cursor.length(end)
      readFirstElement(cursor, arrayEnd, value)
      cursor.at = arrayEnd
    } else readScalar(cursor, tag, end, value)
  }
}

function readFirstElement(cursor: Cursor, end: number, value: AttributeValue): void {
  value.kind = ValueKind.none
  while (cursor.at < end) {
    const tag = cursor.tag(end)
    if (tag !== ELEMENT) {
      cursor.skip(tag, arrayShape, end)
      continue
    }
    const elementEnd = cursor.length(end)
    while (cursor.at < elementEnd) readScalar(cursor, cursor.tag(elementEnd), elementEnd, value)
    if (value.kind === ValueKind.number) value.kind = ValueKind.none
    return
  }
}

function readScalar(cursor: Cursor, tag: number, end: number, value: AttributeValue): void {
  switch (tag) {
    case STRING:
      value.end = cursor.length(end)
      value.start = cursor.at
      value.kind = ValueKind.text
      cursor.at = value.end
      return
    case INT:
      value.number = cursor.int64(end)
      value.kind = ValueKind.number
      return
    case DOUBLE:
      value.number = cursor.double(end)
      value.kind = ValueKind.number
      return
    case BOOL:
      cursor.varint(end)
      value.kind = ValueKind.none
      return
    default:
      // Maps and bytes say nothing here, and the last value of a oneof is the one that counts.
      if (tag >>> 3 < anyValueFields) value.kind = ValueKind.none
      cursor.skip(tag, anyValueShape, end)
  }
}

export const resourceShape = messageShape({ 1: bytes, 2: varint })
const resourceRange = createKeyValueRange()
const resourceValue = createAttributeValue()
export const RESOURCE_ATTRIBUTE = (1 << 3) | bytes

/** Hands the attributes of a Resource to `sender`, which was begun before: a resource may come in several pieces. */
export function readResource(cursor: Cursor, end: number, sender: SenderReader): void {
  while (cursor.at < end) {
    const tag = cursor.tag(end)
    if (tag !== RESOURCE_ATTRIBUTE) {
      cursor.skip(tag, resourceShape, end)
      continue
    }
    readKeyValue(cursor, cursor.length(end), resourceRange)
    const key = sender.keys.find(cursor.view, resourceRange.keyStart, resourceRange.keyEnd)
    if (key === UNKNOWN_KEY) continue
    readRange(cursor, resourceRange, resourceValue)
    sender.attribute(key, resourceValue, cursor)
  }
}
