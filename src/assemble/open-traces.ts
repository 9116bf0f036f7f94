import { createIdIndex, hashTraceId, type IdIndex, insertId, removeId, seek, valueAt } from './id-index.ts'
import { EVIDENCE_WORDS, SPAN_WORDS } from './span-slab.ts'
import { createPages, giveRow, PAGE_MASK, PAGE_SHIFT, type Pages, takeRow } from './pages.ts'

/** Words of an open trace: two cache lines, the first of which is all that a span needs. The doubles are read at half the word's index. */
export const TRACE_WORDS = 32
export const TraceWord = {
  traceId: 0,
  /** Unix ns in two words; the times of its spans are relative to it. */
  base: 4,
  /** Doubles: bounds of its spans' times, ns after base. */
  earliest: 6,
  latest: 8,
  /** Double: when its last span came, in ms. */
  touchedMs: 10,
  /** Row of the span that came last. */
  lastSpan: 12,
  spans: 13,
  flags: 14,
  evidenceRows: 15,
  /** Double: when its first span came, in ms. */
  bornMs: 16,
  hash: 18,
  touchedBefore: 19,
  touchedAfter: 20,
  bornBefore: 21,
  bornAfter: 22,
  /** When the span came that moved it last. */
  order: 23,
  /** Doubles: sequences of the first and the last request with a span of it. */
  firstSequence: 24,
  lastSequence: 26
} as const

export const TraceFlag = {
  rooted: 1,
  /** Its root is one by experience: a parent that never comes. */
  rootedByHabit: 2,
  truncated: 4,
  /** It reached spans_per_trace_max. */
  full: 8,
  /** Spans of a trace that has closed before. */
  continuation: 16
} as const

/** A chain of traces, oldest first, through two words of their rows. */
export interface Order {
  first: number
  last: number
  readonly before: number
  readonly after: number
}

/**
 * The traces that wait. Three orders say which is next without looking at the others: by last span, those with a root
 * and those without; and by first span, all of them.
 */
export interface OpenTraces {
  readonly rows: Pages
  readonly index: IdIndex
  readonly seed: number
  readonly rooted: Order
  readonly rootless: Order
  readonly born: Order
  /** Of the request whose spans are being added. */
  sequence: number
  /** While a log is read again: up to which sequence a trace's spans were settled by an earlier process; -1 = none. */
  settledThrough: ((ids: Uint32Array, at: number) => number) | undefined
}

export function createOpenTraces(tracesMax: number, seed: number): OpenTraces {
  const touched = { before: TraceWord.touchedBefore, after: TraceWord.touchedAfter }
  const born = { before: TraceWord.bornBefore, after: TraceWord.bornAfter }
  return {
    rows: createPages(TRACE_WORDS, tracesMax),
    index: createIdIndex(),
    seed,
    rooted: { first: 0, last: 0, ...touched },
    rootless: { first: 0, last: 0, ...touched },
    born: { first: 0, last: 0, ...born },
    sequence: 0,
    settledThrough: undefined
  }
}

export function traceWords(open: OpenTraces, row: number): Uint32Array {
  return open.rows.words[row >>> PAGE_SHIFT] as Uint32Array
}

export function traceDoubles(open: OpenTraces, row: number): Float64Array {
  return open.rows.doubles[row >>> PAGE_SHIFT] as Float64Array
}

/** First word of a trace in its page. */
export function traceAt(row: number): number {
  return (row & PAGE_MASK) * TRACE_WORDS
}

/** The row of the trace whose id is at ids[at], or 0. */
export function findTrace(open: OpenTraces, ids: Uint32Array, at: number): number {
  const hash = hashTraceId(ids, at, open.seed)
  for (let slot = seek(open.index, hash, hash); slot >= 0; slot = seek(open.index, hash, slot + 1)) {
    const row = valueAt(open.index, slot)
    const words = traceWords(open, row)
    const id = traceAt(row)
    if (
      words[id] === ids[at] &&
      words[id + 1] === ids[at + 1] &&
      words[id + 2] === ids[at + 2] &&
      words[id + 3] === ids[at + 3]
    ) {
      return row
    }
  }
  return 0
}

/** A trace without spans and in no order yet, for the id at ids[at]; there must be room. */
export function openTrace(open: OpenTraces, ids: Uint32Array, at: number): number {
  const row = takeRow(open.rows)
  const words = traceWords(open, row)
  const id = traceAt(row)
  const hash = hashTraceId(ids, at, open.seed)
  for (let word = 0; word < 4; word++) words[id + word] = ids[at + word] as number
  words.fill(0, id + 4, id + TRACE_WORDS)
  words[id + TraceWord.hash] = hash
  insertId(open.index, hash, row)
  return row
}

export function forgetTrace(open: OpenTraces, row: number): void {
  leave(open, touchOrder(open, row), row)
  leave(open, open.born, row)
  // Free rows are told from open traces by it.
  traceWords(open, row)[traceAt(row) + TraceWord.spans] = 0
  removeId(open.index, (traceWords(open, row)[traceAt(row) + TraceWord.hash] as number) | 0, row)
  giveRow(open.rows, row)
}

/** Its spans have been taken off; what still comes is a trace of its own, with these flags. */
export function restartTrace(open: OpenTraces, row: number, flags: number, nowMs: number): void {
  const words = traceWords(open, row)
  const at = traceAt(row)
  leave(open, touchOrder(open, row), row)
  leave(open, open.born, row)
  words[at + TraceWord.lastSpan] = 0
  words[at + TraceWord.spans] = 0
  words[at + TraceWord.evidenceRows] = 0
  startTrace(open, row, flags, nowMs)
}

/** Starts a trace's life, at the end of its orders. */
export function startTrace(open: OpenTraces, row: number, flags: number, nowMs: number): void {
  const doubles = traceDoubles(open, row)
  const at = traceAt(row)
  traceWords(open, row)[at + TraceWord.flags] = flags
  doubles[(at + TraceWord.bornMs) >> 1] = nowMs
  doubles[(at + TraceWord.touchedMs) >> 1] = nowMs
  doubles[(at + TraceWord.firstSequence) >> 1] = open.sequence
  doubles[(at + TraceWord.lastSequence) >> 1] = open.sequence
  enterLast(open, touchOrder(open, row), row)
  enterLast(open, open.born, row)
}

/** The request at hand has a span of this trace. */
export function noteSequence(open: OpenTraces, row: number): void {
  traceDoubles(open, row)[(traceAt(row) + TraceWord.lastSequence) >> 1] = open.sequence
}

export function firstSequence(open: OpenTraces, row: number): number {
  return traceDoubles(open, row)[(traceAt(row) + TraceWord.firstSequence) >> 1] as number
}

export function spansOf(open: OpenTraces, row: number): number {
  return traceWords(open, row)[traceAt(row) + TraceWord.spans] as number
}

/** Bytes that closing a trace frees. */
export function traceBytes(open: OpenTraces, row: number): number {
  const words = traceWords(open, row)
  const evidenceRows = words[traceAt(row) + TraceWord.evidenceRows] as number
  return 4 * (TRACE_WORDS + spansOf(open, row) * SPAN_WORDS + evidenceRows * EVIDENCE_WORDS)
}

/** The order by last span that a trace is in. */
export function touchOrder(open: OpenTraces, row: number): Order {
  const flags = traceWords(open, row)[traceAt(row) + TraceWord.flags] as number
  return (flags & TraceFlag.rooted) === 0 ? open.rootless : open.rooted
}

export function enterLast(open: OpenTraces, order: Order, row: number): void {
  const words = traceWords(open, row)
  const at = traceAt(row)
  words[at + order.before] = order.last
  words[at + order.after] = 0
  if (order.last === 0) order.first = row
  else traceWords(open, order.last)[traceAt(order.last) + order.after] = row
  order.last = row
}

export function enterFirst(open: OpenTraces, order: Order, row: number): void {
  const words = traceWords(open, row)
  const at = traceAt(row)
  words[at + order.before] = 0
  words[at + order.after] = order.first
  if (order.first === 0) order.last = row
  else traceWords(open, order.first)[traceAt(order.first) + order.before] = row
  order.first = row
}

export function leave(open: OpenTraces, order: Order, row: number): void {
  const words = traceWords(open, row)
  const at = traceAt(row)
  const before = words[at + order.before] as number
  const after = words[at + order.after] as number
  if (before === 0) order.first = after
  else traceWords(open, before)[traceAt(before) + order.after] = after
  if (after === 0) order.last = before
  else traceWords(open, after)[traceAt(after) + order.before] = before
}

export function bornMs(open: OpenTraces, row: number): number {
  return traceDoubles(open, row)[(traceAt(row) + TraceWord.bornMs) >> 1] as number
}

export function touchedMs(open: OpenTraces, row: number): number {
  return traceDoubles(open, row)[(traceAt(row) + TraceWord.touchedMs) >> 1] as number
}

/** The trace that was quiet for longest, or 0. */
export function quietest(open: OpenTraces): number {
  const { rooted, rootless } = open
  if (rooted.first === 0) return rootless.first
  if (rootless.first === 0) return rooted.first
  return touchedMs(open, rootless.first) < touchedMs(open, rooted.first) ? rootless.first : rooted.first
}

/** The trace with the most spans, or 0. Looks at every row, in the order of memory. */
export function largest(open: OpenTraces): number {
  let row = 0
  let most = 0
  open.rows.words.forEach((words, page) => {
    for (let at = TraceWord.spans; at < words.length; at += TRACE_WORDS) {
      const spans = words[at] as number
      if (spans <= most) continue
      most = spans
      row = (page << PAGE_SHIFT) + (at - TraceWord.spans) / TRACE_WORDS
    }
  })
  return row
}
