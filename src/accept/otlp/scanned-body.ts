/** A body with more groups than this is nothing that an SDK or a collector writes. */
const GROUPS_MAX = 16_384
const FIRST_SPANS = 1024
const FIRST_GROUPS = 16
/** Room for so many spans is kept between bodies. */
const IDLE_SPANS_MAX = 32_768

/**
 * Where one ResourceSpans or ScopeSpans lies in the body: its other fields stand before its parts (scopes, spans) or after.
 *
 *     at | fields | partsAt | parts | partsEnd | fields | end
 */
export const GroupWord = { at: 0, partsAt: 1, partsEnd: 2, end: 3, firstPart: 4, parts: 5 } as const
export const GROUP_WORDS = 6

/** One kind of group of a body, GROUP_WORDS each. */
export interface Groups {
  n: number
  words: Uint32Array
}

/** What a body holds and where; overwritten by the next scan. */
export interface ScannedBody {
  spans: number
  /** Where each span's field begins, tag included. It ends where the next of its scope begins, or at the scope's partsEnd. */
  spanAt: Uint32Array
  /** Shard of each span. */
  shard: Uint8Array
  /** Bytes of spans, by shard. */
  readonly shardBytes: Float64Array
  /** Only those with spans; their parts are scopes. */
  readonly resources: Groups
  /** Only those with spans; their parts are spans. */
  readonly scopes: Groups
}

export function createScannedBody(shards: number): ScannedBody {
  const groups = (): Groups => ({ n: 0, words: new Uint32Array(FIRST_GROUPS * GROUP_WORDS) })
  return {
    spans: 0,
    spanAt: new Uint32Array(FIRST_SPANS),
    shard: new Uint8Array(FIRST_SPANS),
    shardBytes: new Float64Array(shards),
    resources: groups(),
    scopes: groups()
  }
}

export function clearScannedBody(found: ScannedBody): void {
  found.spans = found.resources.n = found.scopes.n = 0
  found.shardBytes.fill(0)
  if (found.spanAt.length > IDLE_SPANS_MAX) ensureSpans(found, FIRST_SPANS)
}

/** Room for another span. */
export function ensureSpan(found: ScannedBody): void {
  if (found.spans === found.spanAt.length) ensureSpans(found, found.spans * 2)
}

function ensureSpans(found: ScannedBody, spans: number): void {
  const spanAt = new Uint32Array(spans)
  const shard = new Uint8Array(spans)
  spanAt.set(found.spanAt.subarray(0, found.spans))
  shard.set(found.shard.subarray(0, found.spans))
  found.spanAt = spanAt
  found.shard = shard
}

/** False when there are too many groups. */
export function addGroup(groups: Groups, group: Readonly<Record<keyof typeof GroupWord, number>>): boolean {
  if (groups.n === GROUPS_MAX) return false
  const to = groups.n++ * GROUP_WORDS
  if (to === groups.words.length) {
    const larger = new Uint32Array(groups.words.length * 2)
    larger.set(groups.words)
    groups.words = larger
  }
  const { words } = groups
  words[to + GroupWord.at] = group.at
  words[to + GroupWord.partsAt] = group.partsAt
  words[to + GroupWord.partsEnd] = group.partsEnd
  words[to + GroupWord.end] = group.end
  words[to + GroupWord.firstPart] = group.firstPart
  words[to + GroupWord.parts] = group.parts
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
