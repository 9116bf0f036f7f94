import { SpanFlag, type SpanBatch } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import { createAttributeValue } from './attribute-value.ts'
import { Cursor, messageShape, Wire } from './cursor.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { Role } from './known-keys.ts'
import { createKeyValueRange, readAnyValue, readKeyValue, readResource } from './protobuf-attributes.ts'
import { type RefusalTally } from './refusals.ts'
import { type SenderReader } from './sender-reader.ts'
import { ACCEPTED, type SpanWriter } from './span-writer.ts'

const { varint, fixed64, bytes, fixed32 } = Wire

const requestShape = messageShape({ 1: bytes })
const resourceSpansShape = messageShape({ 1: bytes, 2: bytes, 3: bytes })
const scopeSpansShape = messageShape({ 1: bytes, 2: bytes, 3: bytes })
const scopeShape = messageShape({ 1: bytes, 2: bytes, 3: bytes, 4: varint })
const spanShape = messageShape({
  ...{ 1: bytes, 2: bytes, 3: bytes, 4: bytes, 5: bytes, 6: varint, 7: fixed64, 8: fixed64, 9: bytes, 10: varint },
  ...{ 11: bytes, 12: varint, 13: bytes, 14: varint, 15: bytes, 16: fixed32 }
})
const eventShape = messageShape({ 1: fixed64, 2: bytes, 3: bytes, 4: varint })
const linkShape = messageShape({ 1: bytes, 2: bytes, 3: bytes, 4: bytes, 5: varint, 6: fixed32 })
const statusShape = messageShape({ 2: bytes, 3: varint })

/** Tags: field number and wire type. */
const RESOURCE_SPANS = (1 << 3) | bytes
const RESOURCE = (1 << 3) | bytes
const SCOPE_SPANS = (2 << 3) | bytes
const SCOPE = (1 << 3) | bytes
const SPAN = (2 << 3) | bytes
const SCOPE_NAME = (1 << 3) | bytes
const SCOPE_ATTRIBUTE = (3 << 3) | bytes
const TRACE_ID = (1 << 3) | bytes
const SPAN_ID = (2 << 3) | bytes
const TRACE_STATE = (3 << 3) | bytes
const PARENT_ID = (4 << 3) | bytes
const NAME = (5 << 3) | bytes
const KIND = (6 << 3) | varint
const START = (7 << 3) | fixed64
const END = (8 << 3) | fixed64
const ATTRIBUTE = (9 << 3) | bytes
const DROPPED_ATTRIBUTES = (10 << 3) | varint
const EVENT = (11 << 3) | bytes
const LINK = (13 << 3) | bytes
const STATUS = (15 << 3) | bytes
const FLAGS = (16 << 3) | fixed32
const EVENT_TIME = (1 << 3) | fixed64
const EVENT_NAME = (2 << 3) | bytes
const EVENT_ATTRIBUTE = (3 << 3) | bytes
const LINK_TRACE_ID = (1 << 3) | bytes
const LINK_SPAN_ID = (2 << 3) | bytes
const STATUS_MESSAGE = (2 << 3) | bytes
const STATUS_CODE = (3 << 3) | varint

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

export interface TraceReaderParts {
  readonly batch: SpanBatch
  readonly writer: SpanWriter
  readonly sender: SenderReader
  readonly strings: Strings
  readonly tally: RefusalTally
}

/** Walks one ExportTraceServiceRequest (or TracesData: the same bytes) and hands what it finds to the writer. */
export class TracesProtobuf {
  readonly #cursor = new Cursor()
  readonly #range = createKeyValueRange()
  readonly #value = createAttributeValue()
  readonly #linkTraceId = new Uint32Array(4)
  readonly #linkSpanId = new Uint32Array(2)
  readonly #batch: SpanBatch
  readonly #writer: SpanWriter
  readonly #sender: SenderReader
  readonly #strings: Strings
  readonly #tally: RefusalTally

  constructor(parts: TraceReaderParts) {
    this.#batch = parts.batch
    this.#writer = parts.writer
    this.#sender = parts.sender
    this.#strings = parts.strings
    this.#tally = parts.tally
  }

  read(request: Uint8Array): void {
    const cursor = this.#cursor
    const end = request.length
    cursor.load(request)
    try {
      while (cursor.at < end) {
        const tag = cursor.tag(end)
        if (tag === RESOURCE_SPANS) this.#resourceSpans(cursor.length(end))
        else cursor.skip(tag, requestShape, end)
      }
    } finally {
      // The body belongs to whoever called: it must not be kept alive from here.
      cursor.unload()
    }
  }

  #resourceSpans(end: number): void {
    const cursor = this.#cursor
    const firstRow = this.#batch.n
    this.#sender.begin()
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === RESOURCE) readResource(cursor, cursor.length(end), this.#sender)
      else if (tag === SCOPE_SPANS) this.#scopeSpans(cursor.length(end))
      else cursor.skip(tag, resourceSpansShape, end)
    }
    if (this.#batch.n > firstRow) this.#writer.endResource(firstRow, this.#sender.row())
  }

  #scopeSpans(end: number): void {
    const cursor = this.#cursor
    const firstRow = this.#batch.n
    let scope = 0
    let tailSampled = false
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === SPAN) this.#span(cursor.length(end))
      else if (tag === SCOPE) {
        const scopeEnd = cursor.length(end)
        while (cursor.at < scopeEnd) {
          const field = cursor.tag(scopeEnd)
          if (field === SCOPE_NAME) {
            const nameEnd = cursor.length(scopeEnd)
            scope = this.#strings.intern(cursor.bytes, cursor.at, nameEnd)
            cursor.at = nameEnd
          } else if (field === SCOPE_ATTRIBUTE) {
            if (this.#isTailSamplerMark(cursor.length(scopeEnd))) tailSampled = true
          } else cursor.skip(field, scopeShape, scopeEnd)
        }
      } else cursor.skip(tag, scopeSpansShape, end)
    }
    this.#writer.endScope(firstRow, scope, tailSampled)
  }

  #isTailSamplerMark(end: number): boolean {
    const cursor = this.#cursor
    const { table, roles } = this.#writer.keys
    readKeyValue(cursor, end, this.#range)
    const key = table.find(cursor.bytes, this.#range.keyStart, this.#range.keyEnd)
    return key !== UNKNOWN_KEY && roles[key] === Role.tailSampler
  }

  #span(end: number): void {
    const cursor = this.#cursor
    const writer = this.#writer
    writer.begin(cursor)
    const batch = this.#batch
    const row = batch.n
    let extrasAt = -1
    while (cursor.at < end) {
      const at = cursor.at
      const tag = cursor.tag(end)
      switch (tag) {
        case TRACE_ID:
          writer.traceIdOk = this.#id(batch.traceId, 4 * row, TRACE_ID_BYTES, end)
          break
        case SPAN_ID:
          writer.spanIdOk = this.#id(batch.spanId, 2 * row, SPAN_ID_BYTES, end)
          break
        case PARENT_ID: {
          const size = cursor.length(end) - cursor.at
          writer.parentIdOk = size === SPAN_ID_BYTES || size === 0
          if (size === SPAN_ID_BYTES) {
            batch.parentId[2 * row] = cursor.view.getUint32(cursor.at)
            batch.parentId[2 * row + 1] = cursor.view.getUint32(cursor.at + 4)
          }
          cursor.at += size
          break
        }
        case START: {
          const from = cursor.fixed(8, end)
          batch.startLo[row] = cursor.view.getUint32(from, true)
          batch.startHi[row] = cursor.view.getUint32(from + 4, true)
          break
        }
        case END: {
          const from = cursor.fixed(8, end)
          batch.endLo[row] = cursor.view.getUint32(from, true)
          batch.endHi[row] = cursor.view.getUint32(from + 4, true)
          break
        }
        case ATTRIBUTE:
          this.#attribute(cursor.length(end))
          break
        case EVENT:
        case LINK:
          // Read last, because they need the span's id and start, which may legally come after them.
          if (extrasAt === -1) extrasAt = at
          cursor.at = cursor.length(end)
          break
        default:
          this.#rareField(tag, end)
      }
    }
    if (extrasAt !== -1) this.#extras(extrasAt, end)
    const refusal = writer.finish()
    if (refusal !== ACCEPTED) this.#tally.add(refusal)
  }

  #rareField(tag: number, end: number): void {
    const cursor = this.#cursor
    const writer = this.#writer
    switch (tag) {
      case NAME: {
        const nameEnd = cursor.length(end)
        writer.name(cursor.at, nameEnd)
        cursor.at = nameEnd
        return
      }
      case KIND:
        writer.kind = cursor.varint(end)
        return
      case STATUS:
        this.#status(cursor.length(end))
        return
      case FLAGS:
        writer.otlpFlags(cursor.view.getUint32(cursor.fixed(4, end), true))
        return
      case TRACE_STATE: {
        const stateEnd = cursor.length(end)
        writer.traceState(cursor.at, stateEnd)
        cursor.at = stateEnd
        return
      }
      case DROPPED_ATTRIBUTES:
        if (cursor.varint(end) > 0) writer.facts.flags |= SpanFlag.droppedAttributes
        return
      default:
        cursor.skip(tag, spanShape, end)
    }
  }

  /** Reads an id's words; false when it has another length or is all zero. */
  #id(words: Uint32Array, at: number, size: number, end: number): boolean {
    const cursor = this.#cursor
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

  #attribute(end: number): void {
    const cursor = this.#cursor
    const writer = this.#writer
    const range = this.#range
    readKeyValue(cursor, end, range)
    const key = writer.keys.table.find(cursor.bytes, range.keyStart, range.keyEnd)
    if (key === UNKNOWN_KEY) {
      writer.otherKey(cursor.bytes, range.keyStart, range.keyEnd)
      return
    }
    readAnyValue(cursor, range, this.#value)
    writer.attribute(key, this.#value)
  }

  #status(end: number): void {
    const cursor = this.#cursor
    const { facts } = this.#writer
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === STATUS_CODE) facts.statusCode = cursor.varint(end)
      else if (tag === STATUS_MESSAGE) {
        facts.statusEnd = cursor.length(end)
        facts.statusStart = cursor.at
        cursor.at = facts.statusEnd
      } else cursor.skip(tag, statusShape, end)
    }
  }

  #extras(from: number, end: number): void {
    const cursor = this.#cursor
    cursor.at = from
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === EVENT) this.#event(cursor.length(end))
      else if (tag === LINK) this.#link(cursor.length(end))
      else cursor.skip(tag, spanShape, end)
    }
  }

  #event(end: number): void {
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
        const key = events.keys.find(cursor.bytes, this.#range.keyStart, this.#range.keyEnd)
        if (key === UNKNOWN_KEY) continue
        readAnyValue(cursor, this.#range, this.#value)
        events.note(key, this.#value)
      } else cursor.skip(tag, eventShape, end)
    }
    this.#writer.endEvent(timeHi, timeLo)
  }

  #link(end: number): void {
    const cursor = this.#cursor
    let traceIdOk = false
    let spanIdOk = false
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === LINK_TRACE_ID) traceIdOk = this.#id(this.#linkTraceId, 0, TRACE_ID_BYTES, end)
      else if (tag === LINK_SPAN_ID) spanIdOk = this.#id(this.#linkSpanId, 0, SPAN_ID_BYTES, end)
      else cursor.skip(tag, linkShape, end)
    }
    if (traceIdOk && spanIdOk) this.#writer.link(this.#linkTraceId, this.#linkSpanId)
  }
}
