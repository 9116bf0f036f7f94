import { isUtf8 } from 'node:buffer'
import { type SpanBatch } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import { createAttributeValue } from './attribute-value.ts'
import { CLOSE_LIST, CLOSE_OBJECT, notPlain, OPEN_LIST, OPEN_OBJECT } from './json-bytes.ts'
import { JsonValues } from './json-values.ts'
import { KeyTable, UNKNOWN_KEY } from './key-table.ts'
import { Role } from './known-keys.ts'
import { type SenderReader } from './sender-reader.ts'
import { SpanJsonPlain } from './span-json-plain.ts'
import { type SpanWriter } from './span-writer.ts'
import { type TraceReaderParts } from './traces-protobuf.ts'

const requestFields = new KeyTable(['resourceSpans'])
const ResourceSpans = { resource: 0, scopeSpans: 1 } as const
const resourceSpansFields = new KeyTable(Object.keys(ResourceSpans))
const ScopeSpans = { scope: 0, spans: 1 } as const
const scopeSpansFields = new KeyTable(Object.keys(ScopeSpans))
const Scope = { name: 0, attributes: 1 } as const
const scopeFields = new KeyTable(Object.keys(Scope))
const resourceFields = new KeyTable(['attributes'])

/** Reads a request in OTLP/JSON as SDKs write it, in place. What is not plain is for TracesJson, from the start. */
export class TracesJsonPlain {
  readonly #json = new JsonValues()
  readonly #value = createAttributeValue()
  readonly #batch: SpanBatch
  readonly #writer: SpanWriter
  readonly #sender: SenderReader
  readonly #strings: Strings
  readonly #span: SpanJsonPlain
  #scope = 0
  #tailSampled = false

  constructor(parts: TraceReaderParts) {
    this.#batch = parts.batch
    this.#writer = parts.writer
    this.#sender = parts.sender
    this.#strings = parts.strings
    this.#span = new SpanJsonPlain(this.#json, parts)
  }

  /** False when the request is not plain; then what was written of it is void. */
  read(request: Uint8Array): boolean {
    if (!isUtf8(request)) return false
    const json = this.#json
    json.load(request)
    try {
      let seen = 0
      if (json.opens(OPEN_OBJECT)) {
        do {
          const field = json.field(requestFields, seen)
          seen |= 1 << field
          if (field === UNKNOWN_KEY) json.skip()
          else this.#allResourceSpans()
        } while (json.goesOn(CLOSE_OBJECT))
      }
      return json.isAtEnd()
    } catch (error) {
      if (error === notPlain) return false
      throw error
    } finally {
      json.unload()
    }
  }

  #allResourceSpans(): void {
    const json = this.#json
    if (!json.opens(OPEN_LIST)) return
    do this.#resourceSpans()
    while (json.goesOn(CLOSE_LIST))
  }

  #resourceSpans(): void {
    const json = this.#json
    const firstRow = this.#batch.n
    this.#sender.begin()
    let seen = 0
    if (!json.opens(OPEN_OBJECT)) return
    do {
      const field = json.field(resourceSpansFields, seen)
      seen |= 1 << field
      if (field === ResourceSpans.resource) this.#resource()
      else if (field === UNKNOWN_KEY) json.skip()
      else if (json.opens(OPEN_LIST)) {
        do this.#scopeSpans()
        while (json.goesOn(CLOSE_LIST))
      }
    } while (json.goesOn(CLOSE_OBJECT))
    if (this.#batch.n > firstRow) this.#writer.endResource(firstRow, this.#sender.row(this.#writer.languageHint))
  }

  #resource(): void {
    const json = this.#json
    let seen = 0
    if (!json.opens(OPEN_OBJECT)) return
    do {
      const field = json.field(resourceFields, seen)
      seen |= 1 << field
      if (field === UNKNOWN_KEY) json.skip()
      if (field === UNKNOWN_KEY || !json.opens(OPEN_LIST)) continue
      do {
        json.keyValue()
        const key = this.#sender.keys.find(json.view, json.keyStart, json.keyEnd)
        if (key === UNKNOWN_KEY) continue
        json.anyValue(this.#value)
        this.#sender.attribute(key, this.#value, json)
      } while (json.goesOn(CLOSE_LIST))
    } while (json.goesOn(CLOSE_OBJECT))
  }

  #scopeSpans(): void {
    const json = this.#json
    const firstRow = this.#batch.n
    this.#scope = 0
    this.#tailSampled = false
    let seen = 0
    if (!json.opens(OPEN_OBJECT)) return
    do {
      const field = json.field(scopeSpansFields, seen)
      seen |= 1 << field
      if (field === ScopeSpans.scope) this.#readScope()
      else if (field === UNKNOWN_KEY) json.skip()
      else if (json.opens(OPEN_LIST)) {
        do this.#span.read()
        while (json.goesOn(CLOSE_LIST))
      }
    } while (json.goesOn(CLOSE_OBJECT))
    this.#writer.endScope(firstRow, this.#scope, this.#tailSampled)
  }

  #readScope(): void {
    const json = this.#json
    let seen = 0
    if (!json.opens(OPEN_OBJECT)) return
    do {
      const field = json.field(scopeFields, seen)
      seen |= 1 << field
      if (field === Scope.name) {
        json.text()
        this.#scope = this.#strings.intern(json.bytes, json.start, json.end)
      } else if (field === Scope.attributes) this.#readScopeAttributes()
      else json.skip()
    } while (json.goesOn(CLOSE_OBJECT))
  }

  #readScopeAttributes(): void {
    const json = this.#json
    const { table, roles } = this.#writer.keys
    if (!json.opens(OPEN_LIST)) return
    do {
      json.keyValue()
      const key = table.find(json.view, json.keyStart, json.keyEnd)
      if (key !== UNKNOWN_KEY && roles[key] === Role.tailSampler) this.#tailSampled = true
    } while (json.goesOn(CLOSE_LIST))
  }
}
