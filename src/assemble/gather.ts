import { type TraceColumns } from '../model/spans.ts'
import { hashSpanId } from './id-index.ts'
import { type OpenTraces, traceAt, traceWords, TraceWord } from './open-traces.ts'
import { PAGE_MASK, PAGE_SHIFT } from './pages.ts'
import {
  EVIDENCE_WORDS,
  EvidenceWord,
  freeEvidence,
  freeSpan,
  KIND_SHIFT,
  OUTCOME_MASK,
  OUTCOME_SHIFT,
  SPAN_WORDS,
  type SpanSlab,
  SpanWord
} from './span-slab.ts'
import { columnBytes, createTraceColumns, rebase, release, reserve, roomFor } from './trace-columns.ts'

/** Scratch for more spans than this is given back when a smaller trace follows. */
export const SCRATCH_ROWS_KEPT = 65_536

/** A trace on its way from the slab to columns. A giant takes several goes. */
export interface Gather {
  /** The trace, complete once `advance` has returned and nothing is pending. */
  readonly columns: TraceColumns
  /** Hash of each row's span id. */
  fingerprints: Uint32Array
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
}

export function createGather(slab: SpanSlab, seed: number): Gather {
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
  let pending = false
  let baseHi = 0
  let baseLo = 0

  function begin(open: OpenTraces, trace: number): void {
    const words = traceWords(open, trace)
    const at = traceAt(trace)
    spans = words[at + TraceWord.spans] as number
    uncollected = spans
    collectAt = words[at + TraceWord.lastSpan] as number
    copied = 0
    baseHi = words[at + TraceWord.base] as number
    baseLo = words[at + TraceWord.base + 1] as number
    if (rows.length > SCRATCH_ROWS_KEPT && spans <= SCRATCH_ROWS_KEPT) releaseScratch()
    reserve(columns, spans, words[at + TraceWord.evidenceRows] as number)
    for (let word = 0; word < 4; word++) columns.traceId[word] = words[at + TraceWord.traceId + word] as number
    columns.n = 0
    if (rows.length < spans) rows = new Uint32Array(roomFor(spans))
    if (gather.fingerprints.length < spans) gather.fingerprints = new Uint32Array(roomFor(spans))
    if (slots.length < 2 * spans) slots = new Uint32Array(2 * roomFor(spans))
    mask = 15
    while (mask + 1 < 2 * spans) mask = mask * 2 + 1
    slots.fill(0, 0, mask + 1)
    gather.duplicates = 0
    pending = true
  }

  function releaseScratch(): void {
    release(columns)
    rows = new Uint32Array(64)
    slots = new Uint32Array(128)
    gather.fingerprints = new Uint32Array(64)
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
    const stop = Math.min(spans, copied + spansMax)
    const worked = stop - copied
    for (; copied < stop; copied++) {
      const row = rows[copied] as number
      if (takeId(row)) copySpan(row)
      else gather.duplicates += 1
      freeEvidenceOf(row)
      freeSpan(slab, row)
    }
    if (copied === spans) {
      pending = false
      rebase(columns, baseHi, baseLo)
    }
    return worked
  }

  /** Enters the id of the next row; false if it is there already. */
  function takeId(row: number): boolean {
    const words = slab.spans.words[row >>> PAGE_SHIFT] as Uint32Array
    const at = (row & PAGE_MASK) * SPAN_WORDS + SpanWord.spanId
    const high = words[at] as number
    const low = words[at + 1] as number
    const { spanId, n } = columns
    const hash = hashSpanId(high, low, seed)
    let slot = (hash & mask) >>> 0
    for (let known = slots[slot] as number; known !== 0; known = slots[slot] as number) {
      if (spanId[2 * known - 2] === high && spanId[2 * known - 1] === low) return false
      slot = (slot + 1) & mask
    }
    slots[slot] = n + 1
    gather.fingerprints[n] = hash
    spanId[2 * n] = high
    spanId[2 * n + 1] = low
    return true
  }

  function copySpan(row: number): void {
    const words = slab.spans.words[row >>> PAGE_SHIFT] as Uint32Array
    const doubles = slab.spans.doubles[row >>> PAGE_SHIFT] as Float64Array
    const at = (row & PAGE_MASK) * SPAN_WORDS
    const n = columns.n
    columns.parentId[2 * n] = words[at + SpanWord.parentId] as number
    columns.parentId[2 * n + 1] = words[at + SpanWord.parentId + 1] as number
    columns.startNs[n] = doubles[(at + SpanWord.start) >> 1] as number
    columns.endNs[n] = doubles[(at + SpanWord.end) >> 1] as number
    columns.name[n] = words[at + SpanWord.name] as number
    columns.operation[n] = words[at + SpanWord.operation] as number
    columns.scope[n] = words[at + SpanWord.scope] as number
    columns.resource[n] = words[at + SpanWord.resource] as number
    const meta = words[at + SpanWord.meta] as number
    columns.kind[n] = (meta >>> KIND_SHIFT) & 0xff
    columns.outcome[n] = (meta >>> OUTCOME_SHIFT) & OUTCOME_MASK
    columns.flags[n] = meta & 0xffff
    let to = n === 0 ? 0 : (columns.evidenceEnd[n - 1] as number)
    if (words[at + SpanWord.evidence] !== 0) to = copyEvidence(words[at + SpanWord.evidence] as number, to)
    columns.evidenceEnd[n] = to
    columns.n = n + 1
  }

  function copyEvidence(first: number, to: number): number {
    const { words, doubles } = slab.evidence
    for (let row = first; row !== 0; to++) {
      const page = words[row >>> PAGE_SHIFT] as Uint32Array
      const numbers = doubles[row >>> PAGE_SHIFT] as Float64Array
      const at = (row & PAGE_MASK) * EVIDENCE_WORDS
      columns.evidence.code[to] = (page[at + EvidenceWord.code] as number) & 0xffff
      columns.evidence.a[to] = numbers[(at + EvidenceWord.a) >> 1] as number
      columns.evidence.b[to] = numbers[(at + EvidenceWord.b) >> 1] as number
      row = page[at + EvidenceWord.next] as number
    }
    return to
  }

  function freeEvidenceOf(span: number): void {
    const words = slab.spans.words[span >>> PAGE_SHIFT] as Uint32Array
    let row = words[(span & PAGE_MASK) * SPAN_WORDS + SpanWord.evidence] as number
    while (row !== 0) {
      const page = slab.evidence.words[row >>> PAGE_SHIFT] as Uint32Array
      const after = page[(row & PAGE_MASK) * EVIDENCE_WORDS + EvidenceWord.next] as number
      freeEvidence(slab.evidence, row)
      row = after
    }
  }

  function find(high: number, low: number): number {
    const { spanId } = columns
    let slot = (hashSpanId(high, low, seed) & mask) >>> 0
    for (let known = slots[slot] as number; known !== 0; known = slots[slot] as number) {
      if (spanId[2 * known - 2] === high && spanId[2 * known - 1] === low) return known - 1
      slot = (slot + 1) & mask
    }
    return -1
  }

  function markRows(fingerprint: number, marks: Uint8Array): void {
    let slot = (fingerprint & mask) >>> 0
    for (let known = slots[slot] as number; known !== 0; known = slots[slot] as number) {
      if (gather.fingerprints[known - 1] === fingerprint) marks[known - 1] = 1
      slot = (slot + 1) & mask
    }
  }

  const gather: Gather = {
    columns,
    fingerprints: new Uint32Array(64),
    duplicates: 0,
    pending: () => pending,
    begin,
    advance,
    find,
    markRows,
    bytes: () => columnBytes(columns) + rows.byteLength + slots.byteLength + gather.fingerprints.byteLength
  }
  return gather
}
