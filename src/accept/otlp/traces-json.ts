import { SpanFlag, type SpanBatch } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import { type JsonKeyValue, JsonReader, readResourceJson } from './json-reader.ts'
import { parseJson } from './json-text.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { Role, RPC_PREFIX } from './known-keys.ts'
import { type RefusalTally } from './refusals.ts'
import { type SenderReader } from './sender-reader.ts'
import { ACCEPTED, type SpanWriter } from './span-writer.ts'
import { TracesJsonPlain } from './traces-json-plain.ts'
import { type TraceReaderParts } from './traces-protobuf.ts'

/** Every field may be missing, null, or of the wrong type. */
interface JsonResourceSpans {
  readonly resource?: unknown
  readonly scopeSpans?: unknown
}
interface JsonScopeSpans {
  readonly scope?: unknown
  readonly spans?: unknown
}
interface JsonScope {
  readonly name?: unknown
  readonly attributes?: unknown
}
interface JsonSpan {
  readonly traceId?: unknown
  readonly spanId?: unknown
  readonly traceState?: unknown
  readonly parentSpanId?: unknown
  readonly flags?: unknown
  readonly name?: unknown
  readonly kind?: unknown
  readonly startTimeUnixNano?: unknown
  readonly endTimeUnixNano?: unknown
  readonly attributes?: unknown
  readonly droppedAttributesCount?: unknown
  readonly events?: unknown
  readonly links?: unknown
  readonly status?: unknown
}
interface JsonEvent {
  readonly timeUnixNano?: unknown
  readonly name?: unknown
  readonly attributes?: unknown
}
interface JsonLink {
  readonly traceId?: unknown
  readonly spanId?: unknown
  readonly attributes?: unknown
}
interface JsonStatus {
  readonly code?: unknown
  readonly message?: unknown
}

/** Walks one ExportTraceServiceRequest in OTLP/JSON and hands what it finds to the writer, as TracesProtobuf does. */
export class TracesJson {
  readonly #plain: TracesJsonPlain
  readonly #json = new JsonReader()
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
    this.#plain = new TracesJsonPlain(parts)
  }

  read(request: Uint8Array): void {
    if (this.#plain.read(request)) return
    this.#tally.reset()
    this.#writer.startOver()
    this.#readDocument(request)
  }

  #readDocument(request: Uint8Array): void {
    const json = this.#json
    json.reset()
    const document = parseJson(request)
    if (document === null) throw json.fault('', 'an object')
    const { resourceSpans } = json.object(document) as { readonly resourceSpans?: unknown }
    const list = json.enter(resourceSpans, 'resourceSpans')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      this.#resourceSpans(json.object(list[i]))
    }
    json.leave()
  }

  #resourceSpans({ resource, scopeSpans }: JsonResourceSpans): void {
    const json = this.#json
    const firstRow = this.#batch.n
    readResourceJson(json, resource, this.#sender)
    const list = json.enter(scopeSpans, 'scopeSpans')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      this.#scopeSpans(json.object(list[i]))
    }
    json.leave()
    if (this.#batch.n > firstRow) this.#writer.endResource(firstRow, this.#sender.row(this.#writer.languageHint))
  }

  #scopeSpans({ scope, spans }: JsonScopeSpans): void {
    const json = this.#json
    const firstRow = this.#batch.n
    const list = json.enter(spans, 'spans')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      this.#span(json.object(list[i]))
    }
    json.leave()
    const { name, attributes } = json.object(scope, 'scope') as JsonScope
    const start = json.scratch.put(json.text(name, 'scope.name'))
    const id = this.#strings.intern(json.scratch.bytes, start, json.scratch.at)
    this.#writer.endScope(firstRow, id, this.#hasTailSamplerMark(attributes))
  }

  #hasTailSamplerMark(attributes: unknown): boolean {
    const json = this.#json
    const { table, roles } = this.#writer.keys
    let found = false
    const list = json.enter(attributes, 'scope.attributes')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { key } = json.object(list[i]) as JsonKeyValue
      const known = table.findText(json.text(key, 'key'))
      if (known !== UNKNOWN_KEY && roles[known] === Role.tailSampler) found = true
    }
    json.leave()
    return found
  }

  #span(span: JsonSpan): void {
    const json = this.#json
    const writer = this.#writer
    const batch = this.#batch
    json.scratch.clear()
    writer.begin(json.scratch)
    const row = batch.n
    writer.traceIdOk = json.id(json.text(span.traceId, 'traceId'), batch.traceId, 4 * row, 4)
    writer.spanIdOk = json.id(json.text(span.spanId, 'spanId'), batch.spanId, 2 * row, 2)
    this.#parent(json.text(span.parentSpanId, 'parentSpanId'), row)
    json.uint64(span.startTimeUnixNano, 'startTimeUnixNano')
    batch.startHi[row] = json.hi
    batch.startLo[row] = json.lo
    json.uint64(span.endTimeUnixNano, 'endTimeUnixNano')
    batch.endHi[row] = json.hi
    batch.endLo[row] = json.lo
    const nameStart = json.scratch.put(json.text(span.name, 'name'))
    writer.name(nameStart, json.scratch.at)
    const stateStart = json.scratch.put(json.text(span.traceState, 'traceState'))
    writer.traceState(stateStart, json.scratch.at)
    writer.kind = json.integer(span.kind, 'kind')
    writer.otlpFlags(json.integer(span.flags, 'flags'))
    if (json.integer(span.droppedAttributesCount, 'droppedAttributesCount') > 0) {
      writer.facts.flags |= SpanFlag.droppedAttributes
    }
    this.#status(json.object(span.status, 'status'))
    this.#attributes(span.attributes)
    this.#events(span.events)
    this.#links(span.links)
    const refusal = writer.finish()
    if (refusal !== ACCEPTED) this.#tally.add(refusal, this.#batch.n)
  }

  #parent(text: string, row: number): void {
    const { parentId } = this.#batch
    if (text === '' || /^0{16}$/.test(text)) return
    this.#writer.parentIdOk = this.#json.id(text, parentId, 2 * row, 2)
  }

  #status({ code, message }: JsonStatus): void {
    const json = this.#json
    const { facts } = this.#writer
    facts.statusCode = json.integer(code, 'status.code')
    facts.statusStart = json.scratch.put(json.text(message, 'status.message'))
    facts.statusEnd = json.scratch.at
  }

  #attributes(attributes: unknown): void {
    const json = this.#json
    const writer = this.#writer
    const list = json.enter(attributes, 'attributes')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { key, value } = json.object(list[i]) as JsonKeyValue
      const text = json.text(key, 'key')
      const known = writer.keys.table.findText(text)
      if (known !== UNKNOWN_KEY) {
        json.anyValue(value)
        writer.attribute(known, json.value)
      } else if (text.startsWith(RPC_PREFIX)) writer.facts.flags |= SpanFlag.requestLike
    }
    json.leave()
  }

  #events(events: unknown): void {
    const json = this.#json
    const list = json.enter(events, 'events')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      this.#event(json.object(list[i]))
    }
    json.leave()
  }

  #event({ timeUnixNano, name, attributes }: JsonEvent): void {
    const json = this.#json
    const { events } = this.#writer
    events.begin(json.scratch)
    json.uint64(timeUnixNano, 'timeUnixNano')
    const { hi, lo } = json
    const nameStart = json.scratch.put(json.text(name, 'name'))
    events.name(nameStart, json.scratch.at)
    const list = json.enter(attributes, 'attributes')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { key, value } = json.object(list[i]) as JsonKeyValue
      const known = events.keys.findText(json.text(key, 'key'))
      if (known === UNKNOWN_KEY) continue
      json.anyValue(value)
      events.note(known, json.value)
    }
    json.leave()
    this.#writer.endEvent(hi, lo)
  }

  #links(links: unknown): void {
    const json = this.#json
    const list = json.enter(links, 'links')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { traceId, spanId, attributes } = json.object(list[i]) as JsonLink
      this.#linkAttributes(attributes)
      const traceIdOk = json.id(json.text(traceId, 'traceId'), this.#linkTraceId, 0, 4)
      const spanIdOk = json.id(json.text(spanId, 'spanId'), this.#linkSpanId, 0, 2)
      if (traceIdOk && spanIdOk) this.#writer.link(this.#linkTraceId, this.#linkSpanId)
    }
    json.leave()
  }

  /** Messages of a batch say when they were queued on their links. */
  #linkAttributes(attributes: unknown): void {
    const json = this.#json
    const { keys } = this.#writer
    const list = json.enter(attributes, 'attributes')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { key, value } = json.object(list[i]) as JsonKeyValue
      const known = keys.table.findText(json.text(key, 'key'))
      if (known === UNKNOWN_KEY || keys.epochCodes[known]?.length === 0) continue
      json.anyValue(value)
      this.#writer.epoch(known, json.value)
    }
    json.leave()
  }
}
