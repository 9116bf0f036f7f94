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

/**
 * Words of a row, as many as half a cache line has: rows are gone through by scope, and all of one is needed at once. The next
 * row of the same scope; 0 at the end, where no row begins.
 */
const Row = { handle: 0, at: 1, length: 2, envelope: 3, addedFrom: 4, addedTo: 5, next: 6 } as const
const ROW_WORDS = 8
const FIRST_ROWS = 1024
/** Spans that lie far apart, and whose memory is waited for at once: it halves the time of copying them. */
const NEAR_SPANS = 16
/** What most spans get is no longer; a loop copies it for less than a call. */
const SHORT_BYTES = 192

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
  let words = new Uint32Array(FIRST_ROWS * ROW_WORDS)
  let end = ROW_WORDS
  let size = 0

  const spans = (): number => end / ROW_WORDS - 1

  /** Of a span with what is added. */
  function lengthOf(row: number): number {
    const added = (words[row + Row.addedTo] as number) - (words[row + Row.addedFrom] as number)
    return (words[row + Row.length] as number) + added
  }

  /** Chains the spans by what they came in. */
  function group(): ResourceGroup[] {
    const resources: ResourceGroup[] = []
    const scopes: ScopeGroup[] = []
    for (let row = ROW_WORDS; row < end; row += ROW_WORDS) {
      const envelope = envelopes.of(words[row + Row.envelope] as number)
      if (envelope.place < 0) envelope.place = scopes.push(beginScope(resources, envelope, row)) - 1
      const scope = scopes[envelope.place] as ScopeGroup
      scope.spansBytes += fieldBytes(lengthOf(row))
      scope.spans += 1
      words[scope.last + Row.next] = row
      words[row + Row.next] = 0
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
        for (let row = scope.first; row !== 0;) {
          const far = bringNear(row)
          while (row !== far) {
            const last = lastOfRun(row, far)
            at = writeRun(bytes, at, row, last)
            at = writeAdded(to, at, additions, last)
            row = words[last + Row.next] as number
          }
        }
        envelopes.release(scope.envelope.number, scope.spans)
      }
    }
    return bytes
  }

  /** Some spans from this row on; gives the row after them. */
  function bringNear(row: number): number {
    for (let i = 0; i < NEAR_SPANS && row !== 0; i++) {
      const at = words[row + Row.at] as number
      store.bringNear(words[row + Row.handle] as number, at, words[row + Row.length] as number)
      row = words[row + Row.next] as number
    }
    return row
  }

  const isUnchanged = (row: number): boolean => words[row + Row.addedFrom] === words[row + Row.addedTo]

  /** Spans that came one after the other, and to which nothing is added, are one copy: up to this row. */
  function lastOfRun(row: number, far: number): number {
    for (;;) {
      const after = words[row + Row.next] as number
      if (after === far || words[after + Row.handle] !== (words[row + Row.handle] as number) + 1) return row
      if (!isUnchanged(row) || !isUnchanged(after)) return row
      row = after
    }
  }

  function writeRun(to: Buffer, at: number, first: number, last: number): number {
    const from = words[first + Row.at] as number
    const runEnd = (words[last + Row.at] as number) + (words[last + Row.length] as number)
    at = writeHead(to, at, SPAN, lengthOf(first))
    store.pageOf(words[first + Row.handle] as number).copy(to, at, from, runEnd)
    for (let row = first; ; row = words[row + Row.next] as number) {
      store.copied(words[row + Row.handle] as number)
      if (row === last) return at + runEnd - from
    }
  }

  function writeAdded(to: Viewed, at: number, additions: Viewed, row: number): number {
    let from = words[row + Row.addedFrom] as number
    const addedEnd = words[row + Row.addedTo] as number
    if (addedEnd - from > SHORT_BYTES) return at + additions.bytes.copy(to.bytes, at, from, addedEnd)
    for (; from + 8 <= addedEnd; from += 8, at += 8) {
      to.view.setBigUint64(at, additions.view.getBigUint64(from, true), true)
    }
    for (; from < addedEnd; from++, at++) to.bytes[at] = additions.bytes[from] as number
    return at
  }

  return {
    add(handle, from, to) {
      if (end === words.length) words = doubled(words)
      const { at, length, envelope } = store.found
      words[end + Row.handle] = handle
      words[end + Row.at] = at
      words[end + Row.length] = length
      words[end + Row.envelope] = envelope
      words[end + Row.addedFrom] = from
      words[end + Row.addedTo] = to
      size += length + to - from
      end += ROW_WORDS
    },
    spans,
    size: () => size,
    flush(additions) {
      const resources = group()
      const chunk = { bytes: write(resources, measure(resources), additions), spans: spans() }
      end = ROW_WORDS
      size = 0
      return chunk
    },
    bytes: () => words.byteLength
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
