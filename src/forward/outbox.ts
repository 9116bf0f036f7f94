import { type ChunkBuffers } from './chunk-buffers.ts'
import { type Envelopes, type ResourceEnvelope, type ScopeEnvelope } from './envelopes.ts'
import { type SpanStore } from './span-store.ts'
import { RESOURCE_SPANS, SCOPE_SPANS, SPAN, varintLength, writeVarint } from './wire.ts'

/** An export request, and how many spans are in it. */
export interface Chunk {
  /** Alone in its ArrayBuffer, which may be larger. */
  readonly bytes: Buffer
  readonly spans: number
}

const FIRST_ROWS = 1024
/** Spans that lie far apart, and whose memory is waited for at once: it halves the time of copying them. */
const NEAR_SPANS = 16

/**
 * Spans on their way out, until there are enough for one request. They stay where they are stored, in order of arrival; when
 * the request is written they are put together by sender and scope, and each is followed by what is added to it: fields of a
 * protobuf message may come in any order, so the bytes of the sender's are copied as they are.
 */
export interface Outbox {
  /** Takes over one waiting of the span that was looked at last in the store; what is added to it are bytes of the additions. */
  readonly add: (handle: number, addedFrom: number, addedTo: number) => void
  readonly spans: () => number
  /** About as many bytes as the request will have. */
  readonly size: () => number
  /** Writes the request, given what the additions are bytes of, and lets go of the spans. */
  readonly flush: (additions: Buffer) => Chunk
  readonly bytes: () => number
}

export interface OutboxParts {
  readonly store: SpanStore
  readonly envelopes: Envelopes
  readonly buffers: ChunkBuffers
}

interface ScopeGroup {
  readonly envelope: ScopeEnvelope
  spansBytes: number
  first: number
  last: number
}

interface ResourceGroup {
  readonly envelope: ResourceEnvelope
  readonly scopes: ScopeGroup[]
  length: number
}

export function createOutbox({ store, envelopes, buffers }: OutboxParts): Outbox {
  let handles = new Uint32Array(FIRST_ROWS)
  let lengths = new Uint32Array(FIRST_ROWS)
  let envelopeOf = new Uint32Array(FIRST_ROWS)
  let addedFrom = new Uint32Array(FIRST_ROWS)
  let addedTo = new Uint32Array(FIRST_ROWS)
  /** The next span of the same scope; -1 at the end. */
  let next = new Int32Array(FIRST_ROWS)
  let n = 0
  let size = 0

  function growRows(): void {
    handles = doubled(handles)
    lengths = doubled(lengths)
    envelopeOf = doubled(envelopeOf)
    addedFrom = doubled(addedFrom)
    addedTo = doubled(addedTo)
    next = new Int32Array(2 * next.length)
  }

  /** Of a span with what is added. */
  function lengthOf(row: number): number {
    return (lengths[row] as number) + (addedTo[row] as number) - (addedFrom[row] as number)
  }

  /** Chains the spans by what they came in. */
  function group(): ResourceGroup[] {
    const resources: ResourceGroup[] = []
    const scopes: ScopeGroup[] = []
    for (let row = 0; row < n; row++) {
      const envelope = envelopes.of(envelopeOf[row] as number)
      if (envelope.place < 0) envelope.place = scopes.push(beginScope(resources, envelope, row)) - 1
      const scope = scopes[envelope.place] as ScopeGroup
      const spanBytes = lengthOf(row)
      scope.spansBytes += 1 + varintLength(spanBytes) + spanBytes
      next[scope.last] = row
      next[row] = -1
      scope.last = row
    }
    for (const { envelope } of resources) envelope.place = -1
    for (const { envelope } of scopes) envelope.place = -1
    return resources
  }

  function beginScope(resources: ResourceGroup[], envelope: ScopeEnvelope, row: number): ScopeGroup {
    const { resource } = envelope
    if (resource.place < 0) {
      resource.place = resources.push({ envelope: resource, scopes: [], length: resource.bytes.length }) - 1
    }
    const scope: ScopeGroup = { envelope, spansBytes: envelope.bytes.length, first: row, last: row }
    resources[resource.place]?.scopes.push(scope)
    return scope
  }

  function measure(resources: readonly ResourceGroup[]): number {
    let total = 0
    for (const resource of resources) {
      for (const { spansBytes } of resource.scopes) resource.length += 1 + varintLength(spansBytes) + spansBytes
      total += 1 + varintLength(resource.length) + resource.length
    }
    return total
  }

  function write(resources: readonly ResourceGroup[], total: number, additions: Buffer): Buffer {
    const to = buffers.take(total)
    let at = 0
    for (const { envelope, scopes, length } of resources) {
      to[at] = RESOURCE_SPANS
      at = writeVarint(to, at + 1, length)
      at += envelope.bytes.copy(to, at)
      for (const scope of scopes) {
        to[at] = SCOPE_SPANS
        at = writeVarint(to, at + 1, scope.spansBytes)
        at += scope.envelope.bytes.copy(to, at)
        for (let row = scope.first; row >= 0;) {
          const end = bringNear(row)
          for (; row !== end; row = next[row] as number) at = writeSpan(to, at, row, additions)
        }
      }
    }
    return to
  }

  /** Some spans from this row on; gives the row after them. */
  function bringNear(row: number): number {
    for (let i = 0; i < NEAR_SPANS && row >= 0; i++) {
      store.bringNear(handles[row] as number, lengths[row] as number)
      row = next[row] as number
    }
    return row
  }

  function writeSpan(to: Buffer, at: number, row: number, additions: Buffer): number {
    const handle = handles[row] as number
    store.look(handle)
    const { bytes, at: from, length } = store.found
    to[at] = SPAN
    at = writeVarint(to, at + 1, lengthOf(row))
    bytes.copy(to, at, from, from + length)
    at += length
    store.release(handle)
    const added = addedFrom[row] as number
    const end = addedTo[row] as number
    return added === end ? at : at + additions.copy(to, at, added, end)
  }

  return {
    add(handle, from, to) {
      if (n === handles.length) growRows()
      const { length, envelope } = store.found
      handles[n] = handle
      lengths[n] = length
      envelopeOf[n] = envelope
      addedFrom[n] = from
      addedTo[n] = to
      size += length + to - from
      n += 1
    },
    spans: () => n,
    size: () => size,
    flush(additions) {
      const resources = group()
      const chunk = { bytes: write(resources, measure(resources), additions), spans: n }
      n = 0
      size = 0
      return chunk
    },
    bytes: () => handles.byteLength * 6
  }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(2 * from.length)
  to.set(from)
  return to
}
