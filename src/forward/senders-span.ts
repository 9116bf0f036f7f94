import { ADDED_PREFIX, addedAttributes } from '../model/added-attributes.ts'
import { TrustedReader } from './wire.ts'

/** Tags: Span.trace_id, span_id, parent_span_id and attributes; KeyValue.key. */
const TRACE_ID = 0x0a
const SPAN_ID = 0x12
const PARENT_ID = 0x22
const ATTRIBUTE = 0x4a
const KEY = 0x0a

const prefix = Buffer.from(ADDED_PREFIX)
const [FIRST] = prefix
const bits = new Map(addedAttributes.map((name, index) => [name, 1 << index]))

const reader = new TrustedReader()

/** Which of the names that we may add a span has already, a bit each. */
export function namesTaken(bytes: Buffer, from: number, end: number): number {
  reader.bytes = bytes
  let taken = 0
  for (let at = from; at < end;) {
    const tag = reader.varint(at)
    const fieldEnd = reader.fieldEnd(tag, reader.next)
    if (tag === ATTRIBUTE) taken |= keyBit(bytes, reader.next, fieldEnd)
    at = fieldEnd
  }
  return taken
}

function keyBit(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end;) {
    const tag = reader.varint(at)
    const fieldEnd = reader.fieldEnd(tag, reader.next)
    if (tag === KEY) {
      const start = reader.next
      if (
        bytes[start] === FIRST &&
        bytes.compare(prefix, 0, prefix.length, start, Math.min(start + prefix.length, fieldEnd)) === 0
      )
        return bits.get(bytes.toString('latin1', start, fieldEnd)) ?? 0
      return 0
    }
    at = fieldEnd
  }
  return 0
}

/** Whether a span has a trace id and a span id, and a parent's or none: else a backend may refuse everything that comes with it. */
export function hasValidIds(bytes: Buffer, from: number, end: number): boolean {
  reader.bytes = bytes
  let traceId = false
  let spanId = false
  let parentId = true
  for (let at = from; at < end;) {
    const tag = reader.varint(at)
    const fieldEnd = reader.fieldEnd(tag, reader.next)
    if (tag === TRACE_ID) traceId = isId(bytes, reader.next, fieldEnd, 16)
    else if (tag === SPAN_ID) spanId = isId(bytes, reader.next, fieldEnd, 8)
    else if (tag === PARENT_ID) parentId = reader.next === fieldEnd || fieldEnd - reader.next === 8
    at = fieldEnd
  }
  return traceId && spanId && parentId
}

function isId(bytes: Buffer, from: number, end: number, length: number): boolean {
  if (end - from !== length) return false
  for (let at = from; at < end; at++) if (bytes[at] !== 0) return true
  return false
}
