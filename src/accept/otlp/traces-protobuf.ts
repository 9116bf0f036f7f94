import { type SpanBatch } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import { Cursor, messageShape, Wire } from './cursor.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { Role } from './known-keys.ts'
import { createKeyValueRange, readKeyValue, readResource } from './protobuf-attributes.ts'
import { type SenderReader } from './sender-reader.ts'
import { SpanProtobuf, type SpanReaderParts } from './span-protobuf.ts'
import { type SpanWriter } from './span-writer.ts'

const { varint, bytes } = Wire

export const requestShape = messageShape({ 1: bytes })
export const resourceSpansShape = messageShape({ 1: bytes, 2: bytes, 3: bytes })
export const scopeSpansShape = messageShape({ 1: bytes, 2: bytes, 3: bytes })
export const scopeShape = messageShape({ 1: bytes, 2: bytes, 3: bytes, 4: varint })

/** Tags: field number and wire type. */
export const RESOURCE_SPANS = (1 << 3) | bytes
export const RESOURCE = (1 << 3) | bytes
export const SCOPE_SPANS = (2 << 3) | bytes
export const SCOPE = (1 << 3) | bytes
export const SPAN = (2 << 3) | bytes
const SCOPE_NAME = (1 << 3) | bytes
export const SCOPE_ATTRIBUTE = (3 << 3) | bytes

export interface TraceReaderParts extends SpanReaderParts {
  readonly sender: SenderReader
  readonly strings: Strings
}

/** Walks one ExportTraceServiceRequest (or TracesData: the same bytes) and hands what it finds to the writer. */
export class TracesProtobuf {
  readonly #cursor = new Cursor()
  readonly #range = createKeyValueRange()
  readonly #span: SpanProtobuf
  readonly #batch: SpanBatch
  readonly #writer: SpanWriter
  readonly #sender: SenderReader
  readonly #strings: Strings

  constructor(parts: TraceReaderParts) {
    this.#batch = parts.batch
    this.#writer = parts.writer
    this.#sender = parts.sender
    this.#strings = parts.strings
    this.#span = new SpanProtobuf(this.#cursor, parts)
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
    if (this.#batch.n > firstRow) this.#writer.endResource(firstRow, this.#sender.row(this.#writer.languageHint))
  }

  #scopeSpans(end: number): void {
    const cursor = this.#cursor
    const firstRow = this.#batch.n
    let scope = 0
    let tailSampled = false
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === SPAN) this.#span.read(cursor.length(end))
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
    const key = table.find(cursor.view, this.#range.keyStart, this.#range.keyEnd)
    return key !== UNKNOWN_KEY && roles[key] === Role.tailSampler
  }
}
