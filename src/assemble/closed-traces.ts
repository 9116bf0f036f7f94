import { type Marks } from '../runtime/stage.ts'
import {
  createIdIndex,
  hashTraceId,
  indexBytes,
  indexBytesWithOneMore,
  insertId,
  removeId,
  seek,
  setValueAt,
  valueAt
} from './id-index.ts'

/** Words of a record: this head, the fingerprints of its spans, its producers, its orphan. */
export const ClosedWord = { traceId: 0, closedMs: 4, words: 5, fingerprints: 6, content: 7 } as const
const HEAD_WORDS = 8

/** In `content`, below the flags: how many producers. */
const PRODUCERS_MASK = 0xff
export const ClosedFlag = {
  /** Closed for spans_per_trace_max: nothing more is taken. */
  full: 0x100,
  /** It closed with its root and after its quiet time. */
  whole: 0x200,
  orphan: 0x400
} as const

/** A PRODUCER span that a consumer may still name as its parent. Times are Unix ns in two words. */
export const PRODUCER_WORDS = 12
export const ProducerWord = {
  spanId: 0,
  parentId: 2,
  start: 4,
  end: 6,
  name: 8,
  operation: 9,
  scope: 10,
  resource: 11
} as const
export const PRODUCERS_MAX = 4

/** The span that counted as the root by habit: its parent's id, its service and operation. */
export const ORPHAN_WORDS = 4
export const OrphanWord = { parentId: 0, service: 2, operation: 3 } as const

/** Spans of a trace beyond this many are not recognised when they come twice. */
export const FINGERPRINTS_MAX = 16_384

const BLOCK_WORDS = 65_536
const BLOCK_BYTES = BLOCK_WORDS * 4
const BLOCKS_MIN = 2
/** The rest is for the index. */
const BLOCKS_SHARE = 2 / 3

/** What is to be remembered of a trace; filled afresh for each. */
export interface ClosedDraft {
  /** The trace was not to be found when it opened, so there is nothing to replace. */
  isFirst: boolean
  flags: number
  fingerprints: Int32Array
  fingerprintCount: number
  readonly producers: Uint32Array
  producerCount: number
  readonly orphan: Uint32Array
}

export function createClosedDraft(): ClosedDraft {
  return {
    isFirst: true,
    flags: 0,
    fingerprints: new Int32Array(0),
    fingerprintCount: 0,
    producers: new Uint32Array(PRODUCERS_MAX * PRODUCER_WORDS),
    producerCount: 0,
    orphan: new Uint32Array(ORPHAN_WORDS)
  }
}

/** One record, as it lies in its block: read it before the next `remember`. */
export interface ClosedRecord {
  words: Uint32Array
  at: number
}

/** What is left of closed traces for a while: records in a ring of blocks, the oldest forgotten first. */
export interface ClosedTraces {
  /** The record of the trace whose id is at ids[at], while its window lasts. */
  readonly find: (ids: Uint32Array, at: number, nowMs: number) => ClosedRecord | undefined
  /** Replaces what was remembered of this trace. */
  readonly remember: (ids: Uint32Array, draft: ClosedDraft, nowMs: number) => void
  /** Forgets up to this many records whose window is over. */
  readonly expire: (nowMs: number, recordsMax: number) => void
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

export interface ClosedTracesOptions {
  readonly windowMs: number
  readonly bytesMax: number
  readonly seed: number
  /** Told of each record that had to go before its window was over. */
  readonly forgotten: () => void
}

export function createClosedTraces(options: ClosedTracesOptions): ClosedTraces {
  const { bytesMax, seed } = options
  const windowMs = Math.min(options.windowMs, 2 ** 31)
  const index = createIdIndex()
  /** Blocks are numbered without end; block b is in ring[b % blocksMax]. Positions in the index are ring slots. */
  const blocksMax = Math.max(BLOCKS_MIN, Math.floor((bytesMax * BLOCKS_SHARE) / BLOCK_BYTES))
  const ring: (Uint32Array | undefined)[] = [new Uint32Array(BLOCK_WORDS)]
  const filled = new Uint32Array(blocksMax)
  let oldest = 0
  let newest = 0
  /** Words of the oldest block before this are forgotten. */
  let oldestAt = 0
  /** One emptied block is kept for the next. */
  let spare: Uint32Array | undefined
  const record: ClosedRecord = { words: blockOf(0), at: 0 }

  function blockOf(number: number): Uint32Array {
    return ring[number % blocksMax] as Uint32Array
  }

  function bytes(): number {
    return (newest - oldest + (spare === undefined ? 1 : 2)) * BLOCK_BYTES + indexBytes(index)
  }

  /** The index slot of a trace, or -1; `record` then shows what is remembered. */
  function seekTrace(ids: Uint32Array, at: number): number {
    const hash = hashTraceId(ids, at, seed)
    for (let slot = seek(index, hash, hash); slot >= 0; slot = seek(index, hash, slot + 1)) {
      const position = valueAt(index, slot)
      record.words = blockOf(Math.floor(position / BLOCK_WORDS))
      record.at = position % BLOCK_WORDS
      let word = 0
      while (word < 4 && record.words[record.at + word] === ids[at + word]) word += 1
      if (word === 4) return slot
    }
    return -1
  }

  function isOver(words: Uint32Array, at: number, nowMs: number): boolean {
    return (nowMs - (words[at + ClosedWord.closedMs] as number)) >>> 0 >= windowMs
  }

  /** Leaves emptied blocks behind; false when nothing is remembered. */
  function standOnOldest(): boolean {
    while (oldestAt === filled[oldest % blocksMax]) {
      filled[oldest % blocksMax] = 0
      oldestAt = 0
      if (oldest === newest) return false
      spare = blockOf(oldest)
      ring[oldest % blocksMax] = undefined
      oldest += 1
    }
    return true
  }

  function forgetOldest(nowMs: number): void {
    const words = blockOf(oldest)
    const position = (oldest % blocksMax) * BLOCK_WORDS + oldestAt
    // A record that a later one of the same trace has replaced is no longer in the index.
    const wasThere = removeId(index, hashTraceId(words, oldestAt, seed), position)
    if (wasThere && !isOver(words, oldestAt, nowMs)) options.forgotten()
    oldestAt += words[oldestAt + ClosedWord.words] as number
  }

  /** Makes room for one record at the end of the newest block. */
  function makeRoom(words: number, nowMs: number): void {
    const growth = indexBytesWithOneMore(index) - indexBytes(index)
    if (growth > 0 && bytes() + growth > bytesMax && standOnOldest()) forgetOldest(nowMs)
    if ((filled[newest % blocksMax] as number) + words <= BLOCK_WORDS) return
    if (newest - oldest + 1 === blocksMax) {
      for (const full = oldest; standOnOldest() && oldest === full;) forgetOldest(nowMs)
    }
    newest += 1
    ring[newest % blocksMax] = spare ?? new Uint32Array(BLOCK_WORDS)
    spare = undefined
  }

  function remember(ids: Uint32Array, draft: ClosedDraft, nowMs: number): void {
    const orphanWords = (draft.flags & ClosedFlag.orphan) === 0 ? 0 : ORPHAN_WORDS
    const size = HEAD_WORDS + draft.fingerprintCount + draft.producerCount * PRODUCER_WORDS + orphanWords
    makeRoom(size, nowMs)
    const words = blockOf(newest)
    const at = filled[newest % blocksMax] as number
    for (let word = 0; word < 4; word++) words[at + word] = ids[word] as number
    words[at + ClosedWord.closedMs] = nowMs
    words[at + ClosedWord.words] = size
    words[at + ClosedWord.fingerprints] = draft.fingerprintCount
    words[at + ClosedWord.content] = draft.flags | draft.producerCount
    let to = at + HEAD_WORDS
    for (let i = 0; i < draft.fingerprintCount; i++) words[to++] = draft.fingerprints[i] as number
    for (let i = 0; i < draft.producerCount * PRODUCER_WORDS; i++) words[to++] = draft.producers[i] as number
    for (let i = 0; i < orphanWords; i++) words[to++] = draft.orphan[i] as number
    filled[newest % blocksMax] = to
    const position = (newest % blocksMax) * BLOCK_WORDS + at
    const slot = draft.isFirst ? -1 : seekTrace(ids, 0)
    if (slot >= 0) setValueAt(index, slot, position)
    else insertId(index, hashTraceId(ids, 0, seed), position)
  }

  function find(ids: Uint32Array, at: number, nowMs: number): ClosedRecord | undefined {
    const slot = seekTrace(ids, at)
    if (slot < 0) return undefined
    if (!isOver(record.words, record.at, nowMs)) return record
    // What is not to be found may be remembered again as if it were the first time.
    removeId(index, hashTraceId(ids, at, seed), valueAt(index, slot))
    return undefined
  }

  function mark(marks: Marks): void {
    for (let number = oldest; number <= newest; number++) {
      const words = blockOf(number)
      const end = filled[number % blocksMax] as number
      for (let at = number === oldest ? oldestAt : 0; at < end; at += words[at + ClosedWord.words] as number) {
        markRecord(words, at, marks)
      }
    }
  }

  return {
    find,
    remember,
    expire(nowMs, recordsMax) {
      for (let i = 0; i < recordsMax && standOnOldest() && isOver(blockOf(oldest), oldestAt, nowMs); i++) {
        forgetOldest(nowMs)
      }
    },
    mark,
    bytes
  }
}

export function fingerprintCount(record: ClosedRecord): number {
  return record.words[record.at + ClosedWord.fingerprints] as number
}

/** First word of the fingerprints. */
export function fingerprintsAt(record: ClosedRecord): number {
  return record.at + HEAD_WORDS
}

export function producerCount(record: ClosedRecord): number {
  return (record.words[record.at + ClosedWord.content] as number) & PRODUCERS_MASK
}

/** First word of the i-th producer. */
export function producerAt(record: ClosedRecord, i: number): number {
  return fingerprintsAt(record) + fingerprintCount(record) + i * PRODUCER_WORDS
}

export function closedFlags(record: ClosedRecord): number {
  return (record.words[record.at + ClosedWord.content] as number) & ~PRODUCERS_MASK
}

/** First word of the orphan, where the flag says that there is one. */
export function orphanAt(record: ClosedRecord): number {
  return producerAt(record, producerCount(record))
}

function markRecord(words: Uint32Array, at: number, marks: Marks): void {
  if (words[at + ClosedWord.content] === ClosedFlag.whole) return
  const record = { words, at }
  for (let i = 0; i < producerCount(record); i++) {
    const producer = producerAt(record, i)
    marks.strings[words[producer + ProducerWord.name] as number] = 1
    marks.strings[words[producer + ProducerWord.operation] as number] = 1
    marks.strings[words[producer + ProducerWord.scope] as number] = 1
    marks.resources[words[producer + ProducerWord.resource] as number] = 1
  }
  if ((closedFlags(record) & ClosedFlag.orphan) === 0) return
  marks.strings[words[orphanAt(record) + OrphanWord.service] as number] = 1
  marks.strings[words[orphanAt(record) + OrphanWord.operation] as number] = 1
}
