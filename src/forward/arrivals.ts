import { type Envelopes, type ScopeEnvelope } from './envelopes.ts'
import { RESOURCE_SPANS, SCOPE_SPANS, SPAN, TrustedReader } from './wire.ts'

/** Spans that came in one ScopeSpans. */
export interface SpansOfScope {
  readonly source: Buffer
  readonly envelope: ScopeEnvelope
  /** Where each begins and ends. */
  readonly places: Uint32Array
  readonly count: number
}

/** Walks an export request that accept has taken and tells of all spans, in order, and what they came in. */
export interface Arrivals {
  readonly walk: (request: Buffer, onSpans: (spans: SpansOfScope) => void) => void
  readonly bytes: () => number
}

/** Scratch for more than this is given back. */
const SCRATCH_KEPT = 65_536

export function createArrivals(envelopes: Pick<Envelopes, 'find' | 'release'>): Arrivals {
  const reader = new TrustedReader()
  let scopes = new Uint32Array(64)
  let spans = new Uint32Array(1024)

  /** Tells the fields of a message apart: those with the tag are noted from..to in `parts`, the bytes of the others come back. */
  function split(from: number, end: number, tag: number, notePart: (from: number, to: number) => void): Buffer {
    const { bytes } = reader
    const others: Buffer[] = []
    let othersFrom = from
    for (let at = from; at < end;) {
      const field = reader.varint(at)
      const fieldEnd = reader.fieldEnd(field, reader.next)
      if (field === tag) {
        if (othersFrom < at) others.push(bytes.subarray(othersFrom, at))
        notePart(reader.next, fieldEnd)
        othersFrom = fieldEnd
      }
      at = fieldEnd
    }
    if (othersFrom < end) others.push(bytes.subarray(othersFrom, end))
    return others.length === 1 ? (others[0] as Buffer) : Buffer.concat(others)
  }

  let scopeCount = 0
  function noteScope(from: number, to: number): void {
    if (2 * scopeCount === scopes.length) scopes = larger(scopes)
    scopes[2 * scopeCount] = from
    scopes[2 * scopeCount + 1] = to
    scopeCount += 1
  }

  let spanCount = 0
  function noteSpan(from: number, to: number): void {
    if (2 * spanCount === spans.length) spans = larger(spans)
    spans[2 * spanCount] = from
    spans[2 * spanCount + 1] = to
    spanCount += 1
  }

  function walkResource(from: number, end: number, onSpans: (spans: SpansOfScope) => void): void {
    scopeCount = 0
    const resource = split(from, end, SCOPE_SPANS, noteScope)
    for (let i = 0; i < scopeCount; i++) {
      spanCount = 0
      const scope = split(scopes[2 * i] as number, scopes[2 * i + 1] as number, SPAN, noteSpan)
      if (spanCount === 0) continue
      const envelope = envelopes.find(resource, scope)
      onSpans({ source: reader.bytes, envelope, places: spans, count: spanCount })
      envelopes.release(envelope.number, 1)
    }
  }

  return {
    walk(request, onSpans) {
      reader.bytes = request
      for (let at = 0; at < request.length;) {
        const tag = reader.varint(at)
        const end = reader.fieldEnd(tag, reader.next)
        if (tag === RESOURCE_SPANS) walkResource(reader.next, end, onSpans)
        at = end
      }
      reader.bytes = Buffer.alloc(0)
      if (scopes.length > SCRATCH_KEPT) scopes = new Uint32Array(64)
      if (spans.length > SCRATCH_KEPT) spans = new Uint32Array(1024)
    },
    bytes: () => scopes.byteLength + spans.byteLength
  }
}

function larger(cells: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(2 * cells.length)
  grown.set(cells)
  return grown
}
