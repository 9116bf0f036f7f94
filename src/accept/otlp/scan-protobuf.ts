import { createAttributeValue, ValueKind } from './attribute-value.ts'
import { Cursor, type MessageShape } from './cursor.ts'
import {
  EVENT_ATTRIBUTE,
  eventShape,
  LINK_ATTRIBUTE,
  linkShape,
  SPAN_ID_BYTES,
  TRACE_ID_BYTES
} from './extras-protobuf.ts'
import { type DecoderLimits } from './limits.ts'
import {
  createKeyValueRange,
  INT,
  readAnyValue,
  readKeyValue,
  readRange,
  RESOURCE_ATTRIBUTE,
  resourceShape,
  STRING,
  VALUE
} from './protobuf-attributes.ts'
import {
  ATTRIBUTE,
  END,
  EVENT,
  KIND,
  LINK,
  NAME,
  PARENT_ID,
  PLAIN_ATTRIBUTE,
  SPAN_ID,
  spanShape,
  START,
  STATUS,
  statusShape,
  TRACE_ID
} from './span-protobuf.ts'
import { ACCEPTED, refusalOfEnd, refusalOfTimes } from './span-writer.ts'
import {
  requestShape,
  RESOURCE,
  RESOURCE_SPANS,
  resourceSpansShape,
  SCOPE,
  SCOPE_ATTRIBUTE,
  SCOPE_SPANS,
  scopeShape,
  scopeSpansShape,
  SPAN
} from './traces-protobuf.ts'

/** A body with more groups than this is nothing that an SDK or a collector writes. */
const GROUPS_MAX = 16_384
const FIRST_SPANS = 1024
const FIRST_GROUPS = 16
/** A resource that has it says its language itself; of another one the decoder asks all its spans, so they must stay together. */
const languageKey = new TextEncoder().encode('telemetry.sdk.language')
/** The head of an attribute's value of `left` bytes, itself included, that is a text: PLAIN_TEXT + left * PLAIN_TEXT_PER_BYTE. */
const PLAIN_TEXT_PER_BYTE = (1 << 8) | (1 << 24)
const PLAIN_TEXT = VALUE + (STRING << 16) - (2 << 8) - (4 << 24)
const VARINT_BYTES_MAX = 10
/** Room for so many spans is kept between bodies. */
const IDLE_SPANS_MAX = 32_768

/**
 * Where one ResourceSpans or ScopeSpans lies in the body: its other fields stand before its parts (scopes, spans) or after.
 *
 *     at | fields | partsAt | parts | partsEnd | fields | end
 */
export const GroupWord = { at: 0, partsAt: 1, partsEnd: 2, end: 3, firstPart: 4, parts: 5 } as const
export const GROUP_WORDS = 6

/** What a body holds and where; overwritten by the next scan. */
export interface ScannedBody {
  spans: number
  /** Where each span's field begins, tag included. It ends where the next of its scope begins, or at the scope's partsEnd. */
  spanAt: Uint32Array
  /** Shard of each span. */
  shard: Uint8Array
  /** Bytes of spans, by shard. */
  readonly shardBytes: Float64Array
  /** Only resources and scopes with spans. GROUP_WORDS each; parts of a resource are scopes, of a scope spans. */
  resources: number
  resourceWords: Uint32Array
  scopes: number
  scopeWords: Uint32Array
}

/**
 * Reads where the spans of an ExportTraceServiceRequest lie and to which shard each belongs, and decodes nothing. A body is
 * `plain` when the decoder would take every span of it; whatever is not certain here is left to the decoder to judge.
 */
export interface ProtobufScan {
  /** False where only the decoder can say what the sender is to be told. */
  readonly isPlain: (body: Uint8Array, nowMs: number) => boolean
  readonly found: ScannedBody
}

export interface ScanOptions {
  readonly shards: number
  /** Random, so that nobody can choose ids that all go to one shard. */
  readonly seed: number
  readonly limits: Pick<DecoderLimits, 'futureMaxMs' | 'spanAgeMaxMs'>
}

/**
 * The shard of a trace by the last eight bytes of its id: those are random even where the first carry a time (X-Ray), and in
 * W3C level 1 ids of 64 bits.
 */
export function shardOf(hi: number, lo: number, options: Pick<ScanOptions, 'shards' | 'seed'>): number {
  let h = Math.imul(hi ^ options.seed, 0x9e3779b1) ^ Math.imul(lo, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39)
  return Math.floor(((h ^ (h >>> 15)) >>> 0) * (options.shards / 2 ** 32))
}

export function createProtobufScan(options: ScanOptions): ProtobufScan {
  const scan = new Scan(options)
  return { isPlain: (body, nowMs) => scan.isPlain(body, nowMs), found: scan.found }
}

class Scan {
  readonly found: ScannedBody
  readonly #options: ScanOptions
  readonly #cursor = new Cursor()
  readonly #range = createKeyValueRange()
  readonly #value = createAttributeValue()
  #nowMs = NaN
  #saysLanguage = false
  #mustStayWhole = false

  constructor(options: ScanOptions) {
    this.#options = options
    this.found = {
      spans: 0,
      spanAt: new Uint32Array(FIRST_SPANS),
      shard: new Uint8Array(FIRST_SPANS),
      shardBytes: new Float64Array(options.shards),
      resources: 0,
      resourceWords: new Uint32Array(FIRST_GROUPS * GROUP_WORDS),
      scopes: 0,
      scopeWords: new Uint32Array(FIRST_GROUPS * GROUP_WORDS)
    }
  }

  isPlain(body: Uint8Array, nowMs: number): boolean {
    const { found } = this
    const cursor = this.#cursor
    found.spans = found.resources = found.scopes = 0
    found.shardBytes.fill(0)
    if (found.spanAt.length > IDLE_SPANS_MAX) this.#room(FIRST_SPANS)
    this.#nowMs = nowMs
    this.#mustStayWhole = false
    const end = body.length
    cursor.load(body)
    try {
      while (cursor.at < end) {
        const tag = cursor.tag(end)
        if (tag !== RESOURCE_SPANS) cursor.skip(tag, requestShape, end)
        else if (!this.#resourceSpans(cursor.length(end))) return false
      }
      return this.#maySplit() || onlyShardOf(found) >= 0
    } catch {
      // The decoder says in its own words what is wrong.
      return false
    } finally {
      cursor.unload()
    }
  }

  #maySplit(): boolean {
    return !this.#mustStayWhole
  }

  #resourceSpans(end: number): boolean {
    const cursor = this.#cursor
    const { found } = this
    const at = cursor.at
    const firstScope = found.scopes
    this.#saysLanguage = false
    let partsAt = 0
    let partsEnd = 0
    while (cursor.at < end) {
      const fieldAt = cursor.at
      const tag = cursor.tag(end)
      if (tag === SCOPE_SPANS) {
        if (partsAt === 0) partsAt = fieldAt
        else if (partsEnd !== fieldAt) return false
        if (!this.#scopeSpans(cursor.length(end))) return false
        partsEnd = cursor.at
      } else if (tag === RESOURCE) this.#resource(cursor.length(end))
      else cursor.skip(tag, resourceSpansShape, end)
    }
    if (found.scopes === firstScope) return true
    this.#mustStayWhole ||= !this.#saysLanguage
    if (found.resources === GROUPS_MAX) return false
    found.resourceWords = withGroup(found.resourceWords, found.resources)
    const to = found.resources++ * GROUP_WORDS
    found.resourceWords[to + GroupWord.at] = at
    found.resourceWords[to + GroupWord.partsAt] = partsAt
    found.resourceWords[to + GroupWord.partsEnd] = partsEnd
    found.resourceWords[to + GroupWord.end] = end
    found.resourceWords[to + GroupWord.firstPart] = firstScope
    found.resourceWords[to + GroupWord.parts] = found.scopes - firstScope
    return true
  }

  #scopeSpans(end: number): boolean {
    const cursor = this.#cursor
    const { found } = this
    const at = cursor.at
    const firstSpan = found.spans
    let partsAt = 0
    let partsEnd = 0
    while (cursor.at < end) {
      const fieldAt = cursor.at
      const tag = cursor.tag(end)
      if (tag === SPAN) {
        if (partsAt === 0) partsAt = fieldAt
        else if (partsEnd !== fieldAt) return false
        if (found.spans === found.spanAt.length) this.#room(found.spans * 2)
        partsEnd = cursor.length(end)
        found.spanAt[found.spans] = fieldAt
        if (!this.#span(partsEnd)) return false
        const shard = found.shard[found.spans++] as number
        found.shardBytes[shard] = (found.shardBytes[shard] as number) + partsEnd - fieldAt
      } else if (tag === SCOPE) this.#attributes(cursor.length(end), SCOPE_ATTRIBUTE, scopeShape)
      else cursor.skip(tag, scopeSpansShape, end)
    }
    if (found.spans === firstSpan) return true
    if (found.scopes === GROUPS_MAX) return false
    found.scopeWords = withGroup(found.scopeWords, found.scopes)
    const to = found.scopes++ * GROUP_WORDS
    found.scopeWords[to + GroupWord.at] = at
    found.scopeWords[to + GroupWord.partsAt] = partsAt
    found.scopeWords[to + GroupWord.partsEnd] = partsEnd
    found.scopeWords[to + GroupWord.end] = end
    found.scopeWords[to + GroupWord.firstPart] = firstSpan
    found.scopeWords[to + GroupWord.parts] = found.spans - firstSpan
    return true
  }

  #room(spans: number): void {
    const { found } = this
    const spanAt = new Uint32Array(spans)
    const shard = new Uint8Array(spans)
    spanAt.set(found.spanAt.subarray(0, found.spans))
    shard.set(found.shard.subarray(0, found.spans))
    found.spanAt = spanAt
    found.shard = shard
  }

  /** The span with ids where every SDK writes them; each field as the decoder will read it. */
  #span(end: number): boolean {
    const cursor = this.#cursor
    const { bytes, view, at: from } = cursor
    if (from + 28 > end || bytes[from] !== TRACE_ID || bytes[from + 1] !== TRACE_ID_BYTES) return false
    if (bytes[from + 18] !== SPAN_ID || bytes[from + 19] !== SPAN_ID_BYTES) return false
    const hi = view.getUint32(from + 10)
    const lo = view.getUint32(from + 14)
    if ((hi | lo | view.getUint32(from + 2) | view.getUint32(from + 6)) === 0) return false
    if ((view.getUint32(from + 20) | view.getUint32(from + 24)) === 0) return false
    this.found.shard[this.found.spans] = shardOf(hi, lo, this.#options)
    return this.#rest(from + 28, end)
  }

  #rest(from: number, end: number): boolean {
    const cursor = this.#cursor
    const { bytes, view } = cursor
    let startHi = 0
    let startLo = 0
    let endHi = 0
    let endLo = 0
    // Most spans have these, in this order: passed over without a call for each. What is left is read field by field.
    let next = from
    if (next + 10 <= end && bytes[next] === PARENT_ID && bytes[next + 1] === SPAN_ID_BYTES) next += 10
    if (next + 2 <= end && bytes[next] === NAME && (bytes[next + 1] as number) < 0x80) {
      next += 2 + (bytes[next + 1] as number)
    }
    if (next + 2 <= end && bytes[next] === KIND && (bytes[next + 1] as number) < 0x80) next += 2
    if (next + 18 <= end && bytes[next] === START && bytes[next + 9] === END) {
      startLo = view.getUint32(next + 1, true)
      startHi = view.getUint32(next + 5, true)
      endLo = view.getUint32(next + 10, true)
      endHi = view.getUint32(next + 14, true)
      next += 18
    }
    if (next > end) return false
    next = this.#plainAttributes(next, end)
    // Of a span without a mistake.
    if (next + 2 <= end && bytes[next] === STATUS && bytes[next + 1] === 0) next += 2
    cursor.at = next
    while (cursor.at < end) {
      const at = cursor.at
      const tag = cursor.tag(end)
      switch (tag) {
        case ATTRIBUTE: {
          const attributesEnd = this.#plainAttributes(at, end)
          if (attributesEnd > at) cursor.at = attributesEnd
          else this.#keyValue(cursor.length(end))
          break
        }
        case NAME:
          cursor.at = cursor.length(end)
          break
        case KIND:
          cursor.varint(end)
          break
        case START: {
          const from = cursor.fixed(8, end)
          startLo = view.getUint32(from, true)
          startHi = view.getUint32(from + 4, true)
          break
        }
        case END: {
          const from = cursor.fixed(8, end)
          endLo = view.getUint32(from, true)
          endHi = view.getUint32(from + 4, true)
          break
        }
        case PARENT_ID: {
          const parentEnd = cursor.length(end)
          if (parentEnd !== cursor.at && parentEnd !== cursor.at + SPAN_ID_BYTES) return false
          cursor.at = parentEnd
          break
        }
        case STATUS:
          this.#fields(cursor.length(end), statusShape)
          break
        case EVENT:
          this.#attributes(cursor.length(end), EVENT_ATTRIBUTE, eventShape)
          break
        case LINK:
          this.#attributes(cursor.length(end), LINK_ATTRIBUTE, linkShape)
          break
        case TRACE_ID:
        case SPAN_ID:
          // Of an id given twice the last counts.
          return false
        default:
          cursor.skip(tag, spanShape, end)
      }
    }
    const { limits } = this.#options
    if (refusalOfTimes(startHi, startLo, endHi, endLo) !== ACCEPTED) return false
    return refusalOfEnd(endHi, endLo, this.#nowMs, limits) === ACCEPTED
  }

  /** Passes over attributes as every SDK writes them, as many as follow each other, and returns where they end. */
  #plainAttributes(from: number, end: number): number {
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
    readAnyValue(this.#cursor, end, this.#value)
  }

  #keyValue(end: number): void {
    readKeyValue(this.#cursor, end, this.#range)
    readRange(this.#cursor, this.#range, this.#value)
  }

  #resource(end: number): void {
    const cursor = this.#cursor
    const range = this.#range
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === RESOURCE_ATTRIBUTE) {
        this.#keyValue(cursor.length(end))
        if (isKey(cursor.bytes, range.keyStart, range.keyEnd, languageKey)) {
          this.#saysLanguage = this.#value.kind === ValueKind.text && this.#value.end > this.#value.start
        }
      } else cursor.skip(tag, resourceShape, end)
    }
  }

  /** A message whose attributes alone are entered; its other fields are held to its shape. */
  #attributes(end: number, attribute: number, shape: MessageShape): void {
    const cursor = this.#cursor
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === attribute) this.#keyValue(cursor.length(end))
      else cursor.skip(tag, shape, end)
    }
  }

  #fields(end: number, shape: MessageShape): void {
    const cursor = this.#cursor
    while (cursor.at < end) cursor.skip(cursor.tag(end), shape, end)
  }
}

function withGroup(words: Uint32Array, groups: number): Uint32Array {
  if ((groups + 1) * GROUP_WORDS <= words.length) return words
  const larger = new Uint32Array(words.length * 2)
  larger.set(words)
  return larger
}

function isKey(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  if (end - start !== key.length) return false
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false
  return true
}

/** The shard that all spans of a body belong to, -1 when there are several, 0 of a body without any. */
export function onlyShardOf(found: ScannedBody): number {
  const first = found.spans === 0 ? 0 : (found.shard[0] as number)
  for (let shard = 0; shard < found.shardBytes.length; shard++) {
    if (shard !== first && found.shardBytes[shard] !== 0) return -1
  }
  return first
}
