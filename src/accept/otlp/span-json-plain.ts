import { SpanFlag, type SpanBatch } from '../../model/spans.ts'
import { createAttributeValue } from './attribute-value.ts'
import { CLOSE_LIST, CLOSE_OBJECT, OPEN_LIST, OPEN_OBJECT } from './json-bytes.ts'
import { type JsonValues } from './json-values.ts'
import { KeyTable, UNKNOWN_KEY } from './key-table.ts'
import { type RefusalTally } from './refusals.ts'
import { type SpanReaderParts } from './span-protobuf.ts'
import { ACCEPTED, type SpanWriter } from './span-writer.ts'

const Span = {
  traceId: 0,
  spanId: 1,
  parentSpanId: 2,
  name: 3,
  kind: 4,
  startTimeUnixNano: 5,
  endTimeUnixNano: 6,
  attributes: 7,
  status: 8,
  flags: 9,
  traceState: 10,
  droppedAttributesCount: 11,
  events: 12,
  links: 13
} as const
const spanFields = new KeyTable(Object.keys(Span))
const Status = { code: 0, message: 1 } as const
const statusFields = new KeyTable(Object.keys(Status))
const Event = { timeUnixNano: 0, name: 1, attributes: 2 } as const
const eventFields = new KeyTable(Object.keys(Event))
const Link = { traceId: 0, spanId: 1, attributes: 2 } as const
const linkFields = new KeyTable(Object.keys(Link))

const TRACE_ID_WORDS = 4
const SPAN_ID_WORDS = 2

/** Reads one span after the other, each from its opening brace, as TracesJson does. */
export class SpanJsonPlain {
  readonly #json: JsonValues
  readonly #value = createAttributeValue()
  readonly #linkTraceId = new Uint32Array(TRACE_ID_WORDS)
  readonly #linkSpanId = new Uint32Array(SPAN_ID_WORDS)
  readonly #batch: SpanBatch
  readonly #writer: SpanWriter
  readonly #tally: RefusalTally
  #eventsAt = 0
  #linksAt = 0

  constructor(json: JsonValues, { batch, writer, tally }: SpanReaderParts) {
    this.#json = json
    this.#batch = batch
    this.#writer = writer
    this.#tally = tally
  }

  read(): void {
    const json = this.#json
    const writer = this.#writer
    writer.begin(json)
    this.#eventsAt = this.#linksAt = 0
    if (json.opens(OPEN_OBJECT)) {
      let seen = 0
      do {
        const field = json.field(spanFields, seen)
        seen |= 1 << field
        this.#field(field)
      } while (json.goesOn(CLOSE_OBJECT))
    }
    // Read last, because they need the span's id and start, which may come after them.
    const resumeAt = json.at
    if (this.#eventsAt > 0) this.#events()
    if (this.#linksAt > 0) this.#links()
    json.at = resumeAt
    const refusal = writer.finish()
    if (refusal !== ACCEPTED) this.#tally.add(refusal, this.#batch.n)
  }

  #field(field: number): void {
    const json = this.#json
    const writer = this.#writer
    const batch = this.#batch
    const row = batch.n
    switch (field) {
      case Span.traceId:
        writer.traceIdOk = json.id(batch.traceId, 4 * row, TRACE_ID_WORDS)
        return
      case Span.spanId:
        writer.spanIdOk = json.id(batch.spanId, 2 * row, SPAN_ID_WORDS)
        return
      case Span.parentSpanId:
        this.#parentId(row)
        return
      case Span.name:
        json.text()
        writer.name(json.start, json.end)
        return
      case Span.kind:
        writer.kind = json.integer()
        return
      case Span.startTimeUnixNano:
        json.uint64()
        batch.startHi[row] = json.hi
        batch.startLo[row] = json.lo
        return
      case Span.endTimeUnixNano:
        json.uint64()
        batch.endHi[row] = json.hi
        batch.endLo[row] = json.lo
        return
      case Span.attributes:
        this.#attributes()
        return
      default:
        this.#rareField(field)
    }
  }

  #rareField(field: number): void {
    const json = this.#json
    const writer = this.#writer
    switch (field) {
      case Span.status:
        this.#status()
        return
      case Span.flags:
        writer.otlpFlags(json.integer())
        return
      case Span.traceState:
        json.text()
        writer.traceState(json.start, json.end)
        return
      case Span.droppedAttributesCount:
        if (json.integer() > 0) writer.facts.flags |= SpanFlag.droppedAttributes
        return
      case Span.events:
        this.#eventsAt = json.at
        json.skip()
        return
      case Span.links:
        this.#linksAt = json.at
        json.skip()
        return
      default:
        json.skip()
    }
  }

  /** Empty and all zero mean that there is none. */
  #parentId(row: number): void {
    const json = this.#json
    const { parentId } = this.#batch
    const ok = json.id(parentId, 2 * row, SPAN_ID_WORDS)
    this.#writer.parentIdOk = ok || json.end === json.start || json.isZeros()
    if (!ok) parentId[2 * row] = parentId[2 * row + 1] = 0
  }

  #attributes(): void {
    const json = this.#json
    const writer = this.#writer
    const { table } = writer.keys
    if (!json.opens(OPEN_LIST)) return
    do {
      json.keyValue()
      const key = table.find(json.view, json.keyStart, json.keyEnd)
      if (key === UNKNOWN_KEY) writer.otherKey(json.bytes, json.keyStart, json.keyEnd)
      else {
        json.anyValue(this.#value)
        writer.attribute(key, this.#value)
      }
    } while (json.goesOn(CLOSE_LIST))
  }

  #status(): void {
    const json = this.#json
    const { facts } = this.#writer
    let seen = 0
    if (!json.opens(OPEN_OBJECT)) return
    do {
      const field = json.field(statusFields, seen)
      seen |= 1 << field
      if (field === Status.code) facts.statusCode = json.integer()
      else if (field === Status.message) {
        json.text()
        facts.statusStart = json.start
        facts.statusEnd = json.end
      } else json.skip()
    } while (json.goesOn(CLOSE_OBJECT))
  }

  #events(): void {
    const json = this.#json
    json.at = this.#eventsAt
    if (!json.opens(OPEN_LIST)) return
    do this.#event()
    while (json.goesOn(CLOSE_LIST))
  }

  #event(): void {
    const json = this.#json
    const { events } = this.#writer
    let hi = 0
    let lo = 0
    let seen = 0
    events.begin(json)
    if (json.opens(OPEN_OBJECT)) {
      do {
        const field = json.field(eventFields, seen)
        seen |= 1 << field
        if (field === Event.timeUnixNano) {
          json.uint64()
          ;({ hi, lo } = json)
        } else if (field === Event.name) {
          json.text()
          events.name(json.start, json.end)
        } else if (field === Event.attributes) this.#eventAttributes()
        else json.skip()
      } while (json.goesOn(CLOSE_OBJECT))
    }
    this.#writer.endEvent(hi, lo)
  }

  #eventAttributes(): void {
    const json = this.#json
    const { events } = this.#writer
    if (!json.opens(OPEN_LIST)) return
    do {
      json.keyValue()
      const key = events.keys.find(json.view, json.keyStart, json.keyEnd)
      if (key === UNKNOWN_KEY) continue
      json.anyValue(this.#value)
      events.note(key, this.#value)
    } while (json.goesOn(CLOSE_LIST))
  }

  #links(): void {
    const json = this.#json
    json.at = this.#linksAt
    if (!json.opens(OPEN_LIST)) return
    do this.#link()
    while (json.goesOn(CLOSE_LIST))
  }

  #link(): void {
    const json = this.#json
    let traceIdOk = false
    let spanIdOk = false
    let seen = 0
    if (!json.opens(OPEN_OBJECT)) return
    do {
      const field = json.field(linkFields, seen)
      seen |= 1 << field
      if (field === Link.traceId) traceIdOk = json.id(this.#linkTraceId, 0, TRACE_ID_WORDS)
      else if (field === Link.spanId) spanIdOk = json.id(this.#linkSpanId, 0, SPAN_ID_WORDS)
      else if (field === Link.attributes) this.#linkAttributes()
      else json.skip()
    } while (json.goesOn(CLOSE_OBJECT))
    if (traceIdOk && spanIdOk) this.#writer.link(this.#linkTraceId, this.#linkSpanId)
  }

  /** Messages of a batch say when they were queued on their links. */
  #linkAttributes(): void {
    const json = this.#json
    const { table, epochCodes } = this.#writer.keys
    if (!json.opens(OPEN_LIST)) return
    do {
      json.keyValue()
      const key = table.find(json.view, json.keyStart, json.keyEnd)
      if (key === UNKNOWN_KEY || epochCodes[key]?.length === 0) continue
      json.anyValue(this.#value)
      this.#writer.epoch(key, this.#value)
    } while (json.goesOn(CLOSE_LIST))
  }
}
