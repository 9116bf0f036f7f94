import { type TraceColumns, Unplaced } from '../model/spans.ts'
import { hashSpanId } from './id-index.ts'
import { type AssembleNext } from './next.ts'
import { type OpenTraces, traceAt, traceDoubles, traceWords, TraceWord } from './open-traces.ts'
import { giveRow, PAGE_MASK, PAGE_SHIFT } from './pages.ts'
import {
  EVIDENCE_WORDS,
  EvidenceWord,
  KIND_SHIFT,
  OUTCOME_MASK,
  OUTCOME_SHIFT,
  SPAN_WORDS,
  type SpanSlab,
  SpanWord
} from './span-slab.ts'
import {
  COLUMN_ROW_BYTES,
  columnBytes,
  createTraceColumns,
  moveBase,
  moveTimes,
  release,
  reserve,
  roomFor
} from './trace-columns.ts'

/** Scratch for more spans than this is given back when a smaller trace follows. */
export const SCRATCH_ROWS_KEPT = 65_536

/** Moving a row's times costs this much less than copying a span. */
const REBASED_PER_COPIED = 16

/** A trace on its way from the slab to columns. A giant takes several goes. */
export interface Gather {
  /** The trace, complete once `advance` has returned and nothing is pending. */
  readonly columns: TraceColumns
  /** Hash of each row's span id. */
  fingerprints: Int32Array
  /** Spans dropped because their id had come before. */
  duplicates: number
  readonly pending: () => boolean
  /** Takes the spans off an open trace. */
  readonly begin: (open: OpenTraces, trace: number) => void
  /** Copies up to this many spans, frees their rows, and says how many it was. */
  readonly advance: (spansMax: number) => number
  /** The row of a span id, or -1. */
  readonly find: (high: number, low: number) => number
  /** Sets the mark of every row whose id hashes to this. */
  readonly markRows: (fingerprint: number, marks: Uint8Array) => void
  readonly bytes: () => number
  /** What of them was never written to. */
  readonly untouchedBytes: () => number
}

export function createGather(slab: SpanSlab, seed: number, unplaced: AssembleNext['unplaced']): Gather {
  const columns = createTraceColumns()
  /** Slab rows in order of arrival. */
  let rows = new Uint32Array(64)
  /** Row + 1 by span id, open addressing. */
  let slots = new Uint32Array(128)
  let mask = 127
  let spans = 0
  let uncollected = 0
  let collectAt = 0
  let copied = 0
  let rebased = 0
  let pending = false
  /** Rows of the columns written since they were made: pages of the others are not in memory. */
  let touched = 0
  /** Of the rows copied: their earliest start. An array, because a variable would be allocated anew at each change. */
  const earliest = new Float64Array(1)

  function begin(open: OpenTraces, trace: number): void {
    const words = traceWords(open, trace)
    const at = traceAt(trace)
    spans = words[at + TraceWord.spans] as number
    uncollected = spans
    collectAt = words[at + TraceWord.lastSpan] as number
    copied = 0
    rebased = 0
    earliest[0] = Infinity
    columns.baseHi = words[at + TraceWord.base] as number
    columns.baseLo = words[at + TraceWord.base + 1] as number
    if (rows.length > SCRATCH_ROWS_KEPT && spans <= SCRATCH_ROWS_KEPT) releaseScratch()
    if (columns.name.length < spans) touched = 0
    reserve(columns, spans, words[at + TraceWord.evidenceRows] as number)
    for (let word = 0; word < 4; word++) columns.traceId[word] = words[at + TraceWord.traceId + word] as number
    const doubles = traceDoubles(open, trace)
    columns.custody.first = doubles[(at + TraceWord.firstSequence) >> 1] as number
    columns.custody.last = doubles[(at + TraceWord.lastSequence) >> 1] as number
    columns.n = 0
    if (rows.length < spans) rows = new Uint32Array(roomFor(spans))
    if (gather.fingerprints.length < spans) gather.fingerprints = new Int32Array(roomFor(spans))
    if (slots.length < 2 * spans) slots = new Uint32Array(2 * roomFor(spans))
    mask = 15
    while (mask + 1 < 2 * spans) mask = mask * 2 + 1
    slots.fill(0, 0, mask + 1)
    gather.duplicates = 0
    pending = true
  }

  function releaseScratch(): void {
    touched = 0
    release(columns)
    rows = new Uint32Array(64)
    slots = new Uint32Array(128)
    gather.fingerprints = new Int32Array(64)
  }

  /** Spans are chained backwards. */
  function collect(spansMax: number): void {
    const stop = Math.max(0, uncollected - spansMax)
    while (uncollected > stop) {
      uncollected -= 1
      rows[uncollected] = collectAt
      const words = slab.spans.words[collectAt >>> PAGE_SHIFT] as Uint32Array
      collectAt = words[(collectAt & PAGE_MASK) * SPAN_WORDS + SpanWord.previous] as number
    }
  }

  function advance(spansMax: number): number {
    if (uncollected > 0) collect(spansMax)
    if (uncollected > 0) return spansMax
    const from = copied
    copied = Math.min(spans, copied + spansMax)
    copySpans(from, copied)
    // The last rows of a giant leave no time to go over all of them once more.
    if (copied < spans || (spans > spansMax && from < spans)) return copied - from
    const rebasedFrom = rebased
    rebased = Math.min(columns.n, rebased + REBASED_PER_COPIED * spansMax)
    moveTimes(columns, rebasedFrom, rebased, earliest[0] as number)
    if (rebased === columns.n) {
      pending = false
      moveBase(columns, earliest[0] as number)
    }
    return copied - from + Math.ceil((rebased - rebasedFrom) / REBASED_PER_COPIED)
  }

  function copySpans(from: number, to: number): void {
    const { spanId, parentId, startNs, endNs, name, operation, scope, resource, kind, outcome, flags, held } = columns
    const { evidenceEnd } = columns
    const { fingerprints } = gather
    const { spans: slabSpans } = slab
    let n = columns.n
    let first = earliest[0] as number
    let evidenceTo = n === 0 ? 0 : (evidenceEnd[n - 1] as number)
    for (let i = from; i < to; i++) {
      const row = rows[i] as number
      const words = slabSpans.words[row >>> PAGE_SHIFT] as Uint32Array
      const at = (row & PAGE_MASK) * SPAN_WORDS
      const evidence = words[at + SpanWord.evidence] as number
      const high = words[at + SpanWord.spanId] as number
      const low = words[at + SpanWord.spanId + 1] as number
      const hash = hashSpanId(high, low, seed)
      let slot = hash & mask
      let known = slots[slot] as number
      while (known !== 0 && (spanId[2 * known - 1] !== low || spanId[2 * known - 2] !== high)) {
        slot = (slot + 1) & mask
        known = slots[slot] as number
      }
      if (known !== 0) {
        gather.duplicates += 1
        unplaced?.(words[at + SpanWord.held] as number, high, low, Unplaced.duplicate)
      } else {
        const doubles = slabSpans.doubles[row >>> PAGE_SHIFT] as Float64Array
        const meta = words[at + SpanWord.meta] as number
        slots[slot] = n + 1
        fingerprints[n] = hash
        spanId[2 * n] = high
        spanId[2 * n + 1] = low
        parentId[2 * n] = words[at + SpanWord.parentId] as number
        parentId[2 * n + 1] = words[at + SpanWord.parentId + 1] as number
        const start = doubles[(at + SpanWord.start) >> 1] as number
        if (start < first) first = start
        startNs[n] = start
        endNs[n] = doubles[(at + SpanWord.end) >> 1] as number
        name[n] = words[at + SpanWord.name] as number
        operation[n] = words[at + SpanWord.operation] as number
        scope[n] = words[at + SpanWord.scope] as number
        resource[n] = words[at + SpanWord.resource] as number
        kind[n] = (meta >>> KIND_SHIFT) & 0xff
        outcome[n] = (meta >>> OUTCOME_SHIFT) & OUTCOME_MASK
        flags[n] = meta & 0xffff
        held[n] = words[at + SpanWord.held] as number
        if (evidence !== 0) evidenceTo = copyEvidence(evidence, evidenceTo)
        evidenceEnd[n] = evidenceTo
        n += 1
      }
      if (evidence !== 0) freeEvidence(evidence)
      words[at + SpanWord.meta] = 0
      giveRow(slabSpans, row)
    }
    columns.n = n
    touched = Math.max(touched, n)
    earliest[0] = first
  }

  function copyEvidence(first: number, to: number): number {
    const { words, doubles } = slab.evidence
    const { code, a, b } = columns.evidence
    for (let row = first; row !== 0; to++) {
      const page = words[row >>> PAGE_SHIFT] as Uint32Array
      const numbers = doubles[row >>> PAGE_SHIFT] as Float64Array
      const at = (row & PAGE_MASK) * EVIDENCE_WORDS
      code[to] = (page[at + EvidenceWord.code] as number) & 0xffff
      a[to] = numbers[(at + EvidenceWord.a) >> 1] as number
      b[to] = numbers[(at + EvidenceWord.b) >> 1] as number
      row = page[at + EvidenceWord.next] as number
    }
    return to
  }

  function freeEvidence(first: number): void {
    const { evidence } = slab
    for (let row = first; row !== 0;) {
      const page = evidence.words[row >>> PAGE_SHIFT] as Uint32Array
      const at = (row & PAGE_MASK) * EVIDENCE_WORDS
      const after = page[at + EvidenceWord.next] as number
      page[at + EvidenceWord.code] = 0
      giveRow(evidence, row)
      row = after
    }
  }

  function find(high: number, low: number): number {
    const { spanId } = columns
    let slot = hashSpanId(high, low, seed) & mask
    for (let known = slots[slot] as number; known !== 0; known = slots[slot] as number) {
      if (spanId[2 * known - 2] === high && spanId[2 * known - 1] === low) return known - 1
      slot = (slot + 1) & mask
    }
    return -1
  }

  function markRows(fingerprint: number, marks: Uint8Array): void {
    let slot = fingerprint & mask
    for (let known = slots[slot] as number; known !== 0; known = slots[slot] as number) {
      if (gather.fingerprints[known - 1] === fingerprint) marks[known - 1] = 1
      slot = (slot + 1) & mask
    }
  }

  const gather: Gather = {
    columns,
    fingerprints: new Int32Array(64),
    duplicates: 0,
    pending: () => pending,
    begin,
    advance,
    find,
    markRows,
    bytes: () => columnBytes(columns) + rows.byteLength + slots.byteLength + gather.fingerprints.byteLength,
    untouchedBytes: () => (columns.name.length - touched) * COLUMN_ROW_BYTES
  }
  return gather
}
