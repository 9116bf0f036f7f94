import { createAttributeValue } from './attribute-value.ts'
import { type Cursor, messageShape, Wire } from './cursor.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { createKeyValueRange, readKeyValue, readRange } from './protobuf-attributes.ts'
import { type SpanWriter } from './span-writer.ts'

const { varint, fixed64, bytes, fixed32 } = Wire

export const eventShape = messageShape({ 1: fixed64, 2: bytes, 3: bytes, 4: varint })
export const linkShape = messageShape({ 1: bytes, 2: bytes, 3: bytes, 4: bytes, 5: varint, 6: fixed32 })

/** Tags: field number and wire type. */
const EVENT_TIME = (1 << 3) | fixed64
const EVENT_NAME = (2 << 3) | bytes
export const EVENT_ATTRIBUTE = (3 << 3) | bytes
export const LINK_TRACE_ID = (1 << 3) | bytes
export const LINK_SPAN_ID = (2 << 3) | bytes
export const LINK_ATTRIBUTE = (4 << 3) | bytes

export const TRACE_ID_BYTES = 16
export const SPAN_ID_BYTES = 8

/** Reads an id's words; false when it has another length or is all zero. */
export function readId(cursor: Cursor, words: Uint32Array, at: number, size: number, end: number): boolean {
  const idEnd = cursor.length(end)
  const start = cursor.at
  cursor.at = idEnd
  if (idEnd - start !== size) return false
  let any = 0
  for (let i = 0; i < size; i += 4) {
    const word = cursor.view.getUint32(start + i)
    words[at + (i >>> 2)] = word
    any |= word
  }
  return any !== 0
}

/** Reads the events and links of a span whose id and start are known. */
export class ExtrasProtobuf {
  readonly #cursor: Cursor
  readonly #writer: SpanWriter
  readonly #range = createKeyValueRange()
  readonly #value = createAttributeValue()
  readonly #linkTraceId = new Uint32Array(4)
  readonly #linkSpanId = new Uint32Array(2)

  constructor(cursor: Cursor, writer: SpanWriter) {
    this.#cursor = cursor
    this.#writer = writer
  }

  event(end: number): void {
    const cursor = this.#cursor
    const { events } = this.#writer
    let timeHi = 0
    let timeLo = 0
    events.begin(cursor)
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === EVENT_TIME) {
        const from = cursor.fixed(8, end)
        timeLo = cursor.view.getUint32(from, true)
        timeHi = cursor.view.getUint32(from + 4, true)
      } else if (tag === EVENT_NAME) {
        const nameEnd = cursor.length(end)
        events.name(cursor.at, nameEnd)
        cursor.at = nameEnd
      } else if (tag === EVENT_ATTRIBUTE) {
        readKeyValue(cursor, cursor.length(end), this.#range)
        const key = events.keys.find(cursor.view, this.#range.keyStart, this.#range.keyEnd)
        if (key === UNKNOWN_KEY) continue
        readRange(cursor, this.#range, this.#value)
        events.note(key, this.#value)
      } else cursor.skip(tag, eventShape, end)
    }
    this.#writer.endEvent(timeHi, timeLo)
  }

  link(end: number): void {
    const cursor = this.#cursor
    let traceIdOk = false
    let spanIdOk = false
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === LINK_TRACE_ID) traceIdOk = readId(cursor, this.#linkTraceId, 0, TRACE_ID_BYTES, end)
      else if (tag === LINK_SPAN_ID) spanIdOk = readId(cursor, this.#linkSpanId, 0, SPAN_ID_BYTES, end)
      else if (tag === LINK_ATTRIBUTE) this.#linkAttribute(cursor.length(end))
      else cursor.skip(tag, linkShape, end)
    }
    if (traceIdOk && spanIdOk) this.#writer.link(this.#linkTraceId, this.#linkSpanId)
  }

  /** Messages of a batch say when they were queued on their links. */
  #linkAttribute(end: number): void {
    const cursor = this.#cursor
    const { table, epochCodes } = this.#writer.keys
    readKeyValue(cursor, end, this.#range)
    const key = table.find(cursor.view, this.#range.keyStart, this.#range.keyEnd)
    if (key === UNKNOWN_KEY || epochCodes[key]?.length === 0) return
    readRange(cursor, this.#range, this.#value)
    this.#writer.epoch(key, this.#value)
  }
}
