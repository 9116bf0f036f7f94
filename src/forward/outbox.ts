import { type ChunkBuffers } from './chunk-buffers.ts'
import { type Envelopes, type ResourceEnvelope, type ScopeEnvelope } from './envelopes.ts'
import { type SpanStore } from './span-store.ts'
import { fieldBytes, RESOURCE_SPANS, SCOPE_SPANS, SPAN, writeHead } from './wire.ts'

/** An export request, and how many spans are in it. */
export interface Chunk {
  /** Alone in its ArrayBuffer, which may be larger. */
  readonly bytes: Buffer
  readonly spans: number
}

const FIRST_ROWS = 1024
/** Spans that lie far apart, and whose memory is waited for at once: it halves the time of copying them. */
const NEAR_SPANS = 16
/** What most spans get is no longer; a loop copies it for less than a call. */
const SHORT_BYTES = 64

/**
 * Spans on their way out, until there are enough for one request. They stay where they are stored, in order of arrival; when
 * the request is written they are put together by sender and scope, and each is followed by what is added to it: fields of a
 * protobuf message may come in any order, so the bytes of the sender's are copied as they are.
 */
export interface Outbox {
  /** Takes a span that was handed on, the one that was looked at last in the store; what is added to it are bytes of the additions. */
  readonly add: (handle: number, addedFrom: number, addedTo: number) => void
  readonly spans: () => number
  /** About as many bytes as the request will have. */
  readonly size: () => number
  /** Writes the request, given what the additions are bytes of: the spans are copied. */
  readonly flush: (additions: Buffer) => Chunk
  readonly bytes: () => number
}

export interface OutboxParts {
  readonly store: SpanStore
  readonly envelopes: Envelopes
  readonly buffers: ChunkBuffers
}

/** Bytes that are read and written as words too. */
interface Viewed {
  readonly bytes: Buffer
  readonly view: DataView
}

interface ScopeGroup {
  readonly envelope: ScopeEnvelope
  spansBytes: number
  spans: number
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
  let places = new Uint32Array(FIRST_ROWS)
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
    places = doubled(places)
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
      scope.spansBytes += fieldBytes(lengthOf(row))
      scope.spans += 1
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
    const scope: ScopeGroup = { envelope, spansBytes: envelope.bytes.length, spans: 0, first: row, last: row }
    resources[resource.place]?.scopes.push(scope)
    return scope
  }

  function measure(resources: readonly ResourceGroup[]): number {
    let total = 0
    for (const resource of resources) {
      for (const { spansBytes } of resource.scopes) resource.length += fieldBytes(spansBytes)
      total += fieldBytes(resource.length)
    }
    return total
  }

  function write(resources: readonly ResourceGroup[], total: number, added: Buffer): Buffer {
    const bytes = buffers.take(total)
    const [to, additions] = [withView(bytes), withView(added)]
    let at = 0
    for (const { envelope, scopes, length } of resources) {
      at = writeHead(bytes, at, RESOURCE_SPANS, length)
      at += envelope.bytes.copy(bytes, at)
      for (const scope of scopes) {
        at = writeHead(bytes, at, SCOPE_SPANS, scope.spansBytes)
        at += scope.envelope.bytes.copy(bytes, at)
        for (let row = scope.first; row >= 0;) {
          const end = bringNear(row)
          while (row !== end) {
            const last = lastOfRun(row, end)
            at = writeRun(bytes, at, row, last)
            at = writeAdded(to, at, additions, last)
            row = next[last] as number
          }
        }
        envelopes.release(scope.envelope.number, scope.spans)
      }
    }
    return bytes
  }

  /** Some spans from this row on; gives the row after them. */
  function bringNear(row: number): number {
    for (let i = 0; i < NEAR_SPANS && row >= 0; i++) {
      store.bringNear(handles[row] as number, places[row] as number, lengths[row] as number)
      row = next[row] as number
    }
    return row
  }

  const isUnchanged = (row: number): boolean => addedFrom[row] === addedTo[row]

  /** Spans that came one after the other, and to which nothing is added, are one copy: up to this row. */
  function lastOfRun(row: number, end: number): number {
    for (;;) {
      const after = next[row] as number
      if (after === end || handles[after] !== (handles[row] as number) + 1) return row
      if (!isUnchanged(row) || !isUnchanged(after)) return row
      row = after
    }
  }

  function writeRun(to: Buffer, at: number, first: number, last: number): number {
    const from = places[first] as number
    const end = (places[last] as number) + (lengths[last] as number)
    at = writeHead(to, at, SPAN, lengthOf(first))
    store.pageOf(handles[first] as number).copy(to, at, from, end)
    for (let row = first; ; row = next[row] as number) {
      store.copied(handles[row] as number)
      if (row === last) return at + end - from
    }
  }

  function writeAdded(to: Viewed, at: number, additions: Viewed, row: number): number {
    let from = addedFrom[row] as number
    const end = addedTo[row] as number
    if (end - from > SHORT_BYTES) return at + additions.bytes.copy(to.bytes, at, from, end)
    for (; from + 4 <= end; from += 4, at += 4) to.view.setUint32(at, additions.view.getUint32(from, true), true)
    for (; from < end; from++, at++) to.bytes[at] = additions.bytes[from] as number
    return at
  }

  return {
    add(handle, from, to) {
      if (n === handles.length) growRows()
      const { at, length, envelope } = store.found
      handles[n] = handle
      places[n] = at
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
    bytes: () => handles.byteLength * 7
  }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(2 * from.length)
  to.set(from)
  return to
}

function withView(bytes: Buffer): Viewed {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
}
