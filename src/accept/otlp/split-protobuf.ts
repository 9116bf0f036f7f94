import { GROUP_WORDS, type Groups, GroupWord, type ScannedBody } from './scanned-body.ts'
import { RESOURCE_SPANS, SCOPE_SPANS } from './traces-protobuf.ts'

/** Spans on their way to one shard: the bytes are an ExportTraceServiceRequest of their own, with room for more. */
export interface Cargo {
  bytes: Uint8Array<ArrayBuffer>
  length: number
  /** The number of each span in the order in which all spans came. */
  order: Uint32Array<ArrayBuffer>
  spans: number
}

/** A tag, and a length in a varint that is always as long as the longest: it is written when what it measures is there. */
const LENGTH_BYTES = 5
const HEAD_BYTES = 1 + LENGTH_BYTES

/** Bytes that a shard's part of the body takes at most, its spans aside: a head and the fields of each group. */
export function groupBytes(found: ScannedBody): number {
  return headBytes(found.resources) + headBytes(found.scopes)
}

function headBytes({ n, words }: Groups): number {
  let bytes = n * HEAD_BYTES
  for (let at = 0; at < n * GROUP_WORDS; at += GROUP_WORDS) {
    const parts = (words[at + GroupWord.partsEnd] as number) - (words[at + GroupWord.partsAt] as number)
    bytes += (words[at + GroupWord.end] as number) - (words[at + GroupWord.at] as number) - parts
  }
  return bytes
}

/** Adds a body to the cargo of the only shard that it concerns. */
export function addWhole(cargo: Cargo, body: Uint8Array, spans: number, firstOrder: number): void {
  cargo.bytes.set(body, cargo.length)
  cargo.length += body.length
  addOrder(cargo, firstOrder, spans)
}

function addOrder(cargo: Cargo, first: number, count: number): void {
  const { order, spans } = cargo
  for (let i = 0; i < count; i++) order[spans + i] = first + i
  cargo.spans = spans + count
}

/** Shares a scanned body out: each span is copied, with its resource and scope, to the cargo of its shard. */
export interface Splitter {
  /** Each cargo must have room for its shard's bytes and for `groupBytes`. */
  readonly split: (body: Uint8Array, found: ScannedBody, cargos: readonly Cargo[], firstOrder: number) => void
}

export function createSplitter(shards: number): Splitter {
  // Where the group that is being copied has its head in each cargo; -1 = the shard had nothing of it yet.
  const resourceHead = new Float64Array(shards).fill(-1)
  const scopeHead = new Float64Array(shards).fill(-1)

  function begin(cargo: Cargo, tag: number): number {
    const head = cargo.length
    cargo.bytes[head] = tag
    cargo.length = head + HEAD_BYTES
    return head
  }

  function end(cargo: Cargo, head: number): void {
    let length = cargo.length - head - HEAD_BYTES
    for (let i = 1; i < LENGTH_BYTES; i++) {
      cargo.bytes[head + i] = (length & 0x7f) | 0x80
      length >>>= 7
    }
    cargo.bytes[head + LENGTH_BYTES] = length
  }

  function copy(cargo: Cargo, body: Uint8Array, from: number, to: number): void {
    if (from === to) return
    cargo.bytes.set(body.subarray(from, to), cargo.length)
    cargo.length += to - from
  }

  function copySpans(body: Uint8Array, found: ScannedBody, groups: { resource: number; scope: number }, to: Sharing) {
    const { spanAt, shard: shardOfSpan } = found
    const scopeWords = found.scopes.words
    const { scope, resource } = groups
    const last = (scopeWords[scope + GroupWord.firstPart] as number) + (scopeWords[scope + GroupWord.parts] as number)
    for (let span = scopeWords[scope + GroupWord.firstPart] as number; span < last;) {
      const shard = shardOfSpan[span] as number
      const first = span
      // Spans of one trace often follow each other.
      do span += 1
      while (span < last && shardOfSpan[span] === shard)
      const cargo = to.cargos[shard] as Cargo
      if ((resourceHead[shard] as number) < 0) {
        resourceHead[shard] = begin(cargo, RESOURCE_SPANS)
        copyFields(cargo, body, found.resources.words, resource)
      }
      if ((scopeHead[shard] as number) < 0) {
        scopeHead[shard] = begin(cargo, SCOPE_SPANS)
        copyFields(cargo, body, scopeWords, scope)
      }
      const end = span < last ? (spanAt[span] as number) : (scopeWords[scope + GroupWord.partsEnd] as number)
      copy(cargo, body, spanAt[first] as number, end)
      addOrder(cargo, to.firstOrder + first, span - first)
    }
  }

  function copyFields(cargo: Cargo, body: Uint8Array, words: Uint32Array, group: number): void {
    copy(cargo, body, words[group + GroupWord.at] as number, words[group + GroupWord.partsAt] as number)
    copy(cargo, body, words[group + GroupWord.partsEnd] as number, words[group + GroupWord.end] as number)
  }

  function endAll(heads: Float64Array, cargos: readonly Cargo[]): void {
    for (let shard = 0; shard < shards; shard++) {
      if ((heads[shard] as number) >= 0) end(cargos[shard] as Cargo, heads[shard] as number)
      heads[shard] = -1
    }
  }

  return {
    split(body, found, cargos, firstOrder) {
      const { n, words } = found.resources
      for (let resource = 0; resource < n * GROUP_WORDS; resource += GROUP_WORDS) {
        const first = words[resource + GroupWord.firstPart] as number
        const scopes = words[resource + GroupWord.parts] as number
        for (let scope = first * GROUP_WORDS; scope < (first + scopes) * GROUP_WORDS; scope += GROUP_WORDS) {
          copySpans(body, found, { resource, scope }, { cargos, firstOrder })
          endAll(scopeHead, cargos)
        }
        endAll(resourceHead, cargos)
      }
    }
  }
}

interface Sharing {
  readonly cargos: readonly Cargo[]
  readonly firstOrder: number
}
