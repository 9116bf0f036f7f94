import { ValueKind } from './attribute-value.ts'
import { Cursor } from './cursor.ts'
import { SPAN_ID_BYTES, TRACE_ID_BYTES } from './extras-protobuf.ts'
import { RESOURCE_ATTRIBUTE, resourceShape } from './protobuf-attributes.ts'
import { AttributeScan } from './scan-attributes.ts'
import { SpanScan, type TimeLimits } from './scan-span.ts'
import {
  addGroup,
  clearScannedBody,
  createScannedBody,
  ensureSpan,
  onlyShardOf,
  type ScannedBody
} from './scanned-body.ts'
import { SPAN_ID, TRACE_ID } from './span-protobuf.ts'
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

/** A resource that has it says its language itself; of another one the decoder asks all its spans, so they must stay together. */
const languageKey = new TextEncoder().encode('telemetry.sdk.language')

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
  readonly limits: TimeLimits
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
  readonly #attributes = new AttributeScan(this.#cursor)
  readonly #spans: SpanScan
  #nowMs = NaN
  #saysLanguage = false
  #mustStayWhole = false

  constructor(options: ScanOptions) {
    this.#options = options
    this.#spans = new SpanScan(this.#cursor, this.#attributes, options.limits)
    this.found = createScannedBody(options.shards)
  }

  isPlain(body: Uint8Array, nowMs: number): boolean {
    const cursor = this.#cursor
    clearScannedBody(this.found)
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
      return this.#maySplit() || onlyShardOf(this.found) >= 0
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
    const { resources, scopes } = this.found
    const at = cursor.at
    const firstScope = scopes.n
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
    if (scopes.n === firstScope) return true
    this.#mustStayWhole ||= !this.#saysLanguage
    return addGroup(resources, { at, partsAt, partsEnd, end, firstPart: firstScope, parts: scopes.n - firstScope })
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
        ensureSpan(found)
        partsEnd = cursor.length(end)
        found.spanAt[found.spans] = fieldAt
        if (!this.#span(partsEnd)) return false
        const shard = found.shard[found.spans++] as number
        found.shardBytes[shard] = (found.shardBytes[shard] as number) + partsEnd - fieldAt
      } else if (tag === SCOPE) this.#attributes.message(cursor.length(end), SCOPE_ATTRIBUTE, scopeShape)
      else cursor.skip(tag, scopeSpansShape, end)
    }
    if (found.spans === firstSpan) return true
    return addGroup(found.scopes, { at, partsAt, partsEnd, end, firstPart: firstSpan, parts: found.spans - firstSpan })
  }

  /** The span with ids where every SDK writes them. */
  #span(end: number): boolean {
    const { bytes, view, at: from } = this.#cursor
    if (from + 28 > end || bytes[from] !== TRACE_ID || bytes[from + 1] !== TRACE_ID_BYTES) return false
    if (bytes[from + 18] !== SPAN_ID || bytes[from + 19] !== SPAN_ID_BYTES) return false
    const hi = view.getUint32(from + 10)
    const lo = view.getUint32(from + 14)
    if ((hi | lo | view.getUint32(from + 2) | view.getUint32(from + 6)) === 0) return false
    if ((view.getUint32(from + 20) | view.getUint32(from + 24)) === 0) return false
    this.found.shard[this.found.spans] = shardOf(hi, lo, this.#options)
    return this.#spans.isPlain(from + 28, end, this.#nowMs)
  }

  #resource(end: number): void {
    const cursor = this.#cursor
    const { range, value } = this.#attributes
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === RESOURCE_ATTRIBUTE) {
        this.#attributes.keyValue(cursor.length(end))
        if (isKey(cursor.bytes, range.keyStart, range.keyEnd, languageKey)) {
          this.#saysLanguage = value.kind === ValueKind.text && value.end > value.start
        }
      } else cursor.skip(tag, resourceShape, end)
    }
  }
}

function isKey(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  if (end - start !== key.length) return false
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false
  return true
}
