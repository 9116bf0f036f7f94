import { type SpanBatch } from '../model/spans.ts'
import { type Marks } from '../runtime/stage.ts'
import { createPages, giveRow, PAGE_MASK, PAGE_SHIFT, type Pages, takeRow } from './pages.ts'

/** Words of a waiting span: one cache line. */
export const SPAN_WORDS = 16
export const SpanWord = {
  /** A double: ns after the base of its trace. The first word also chains free rows. */
  start: 0,
  end: 2,
  spanId: 4,
  parentId: 6,
  name: 8,
  operation: 9,
  scope: 10,
  resource: 11,
  /** LIVE, outcome, kind and flags. */
  meta: 12,
  /** The span of the same trace that came before it, 0 = none. */
  previous: 13,
  evidence: 14,
  evidenceRows: 15
} as const

/** Words of an evidence row: two doubles, the code and the next row of the same span. */
export const EVIDENCE_WORDS = 6
export const EvidenceWord = { a: 0, b: 2, code: 4, next: 5 } as const

/** Set in `meta` and `code` of rows in use, so that marking can go through the pages in order. */
const LIVE = 0x80000000
export const KIND_SHIFT = 16
export const OUTCOME_SHIFT = 24
export const OUTCOME_MASK = 0x7f

/** 128 attributes and 128 events: what SDKs allow. */
export const EVIDENCE_PER_SPAN_MAX = 256
const EVIDENCE_PER_SPAN_MEAN = 4

/** Where spans wait. Whoever knows the trace knows its last span; the others follow from `previous`. */
export interface SpanSlab {
  readonly spans: Pages
  readonly evidence: Pages
}

export function createSpanSlab(spansMax: number): SpanSlab {
  const evidenceMax = Math.max(EVIDENCE_PER_SPAN_MAX, spansMax * EVIDENCE_PER_SPAN_MEAN)
  return { spans: createPages(SPAN_WORDS, spansMax), evidence: createPages(EVIDENCE_WORDS, evidenceMax) }
}

/** Evidence rows of a span that are kept. */
export function evidenceRowsOf(batch: SpanBatch, i: number): number {
  const first = i === 0 ? 0 : (batch.evidenceEnd[i - 1] as number)
  return Math.min((batch.evidenceEnd[i] as number) - first, EVIDENCE_PER_SPAN_MAX)
}

export function hasRoom(slab: SpanSlab, evidenceRows: number): boolean {
  const { spans, evidence } = slab
  return spans.used < spans.rowsMax && evidence.used + evidenceRows <= evidence.rowsMax
}

/** Copies row i of the batch and returns its row; there must be room. The caller sets its times and chains it. */
export function storeSpan(slab: SpanSlab, batch: SpanBatch, i: number): number {
  const row = takeRow(slab.spans)
  const words = slab.spans.words[row >>> PAGE_SHIFT] as Uint32Array
  const at = (row & PAGE_MASK) * SPAN_WORDS
  words[at + SpanWord.spanId] = batch.spanId[2 * i] as number
  words[at + SpanWord.spanId + 1] = batch.spanId[2 * i + 1] as number
  words[at + SpanWord.parentId] = batch.parentId[2 * i] as number
  words[at + SpanWord.parentId + 1] = batch.parentId[2 * i + 1] as number
  words[at + SpanWord.name] = batch.name[i] as number
  words[at + SpanWord.operation] = batch.operation[i] as number
  words[at + SpanWord.scope] = batch.scope[i] as number
  words[at + SpanWord.resource] = batch.resource[i] as number
  words[at + SpanWord.meta] =
    LIVE |
    ((batch.outcome[i] as number) << OUTCOME_SHIFT) |
    ((batch.kind[i] as number) << KIND_SHIFT) |
    (batch.flags[i] as number)
  const rows = evidenceRowsOf(batch, i)
  words[at + SpanWord.evidenceRows] = rows
  words[at + SpanWord.evidence] = rows === 0 ? 0 : storeEvidence(slab.evidence, batch, i, rows)
  return row
}

function storeEvidence(evidence: Pages, batch: SpanBatch, i: number, rows: number): number {
  const first = i === 0 ? 0 : (batch.evidenceEnd[i - 1] as number)
  let next = 0
  for (let from = first + rows - 1; from >= first; from--) {
    const row = takeRow(evidence)
    const words = evidence.words[row >>> PAGE_SHIFT] as Uint32Array
    const doubles = evidence.doubles[row >>> PAGE_SHIFT] as Float64Array
    const at = (row & PAGE_MASK) * EVIDENCE_WORDS
    doubles[(at + EvidenceWord.a) >> 1] = batch.evidence.a[from] as number
    doubles[(at + EvidenceWord.b) >> 1] = batch.evidence.b[from] as number
    words[at + EvidenceWord.code] = LIVE | (batch.evidence.code[from] as number)
    words[at + EvidenceWord.next] = next
    next = row
  }
  return next
}

/** Frees a span's row; its evidence rows are freed by whoever reads them. */
export function freeSpan(slab: SpanSlab, row: number): void {
  const words = slab.spans.words[row >>> PAGE_SHIFT] as Uint32Array
  words[(row & PAGE_MASK) * SPAN_WORDS + SpanWord.meta] = 0
  giveRow(slab.spans, row)
}

export function freeEvidence(evidence: Pages, row: number): void {
  const words = evidence.words[row >>> PAGE_SHIFT] as Uint32Array
  words[(row & PAGE_MASK) * EVIDENCE_WORDS + EvidenceWord.code] = 0
  giveRow(evidence, row)
}

/** Names what waiting spans refer to: page by page, because following the chains would miss the cache at every span. */
export function markSlab(slab: SpanSlab, marks: Marks): void {
  for (const words of slab.spans.words) {
    for (let at = 0; at < words.length; at += SPAN_WORDS) {
      if (words[at + SpanWord.meta] === 0) continue
      marks.strings[words[at + SpanWord.name] as number] = 1
      marks.strings[words[at + SpanWord.operation] as number] = 1
      marks.strings[words[at + SpanWord.scope] as number] = 1
      marks.resources[words[at + SpanWord.resource] as number] = 1
    }
  }
  slab.evidence.words.forEach((words, page) => {
    const doubles = slab.evidence.doubles[page] as Float64Array
    for (let at = 0; at < words.length; at += EVIDENCE_WORDS) {
      if (words[at + EvidenceWord.code] !== 0) markValue(doubles[(at + EvidenceWord.a) >> 1] as number, marks)
    }
  })
}

/**
 * An evidence value may be an interned id: which codes hold strings is the decoder's knowledge. A number that looks
 * like an id keeps one string too many, which harms nobody.
 */
export function markValue(value: number, marks: Marks): void {
  if (value >= 0 && value < marks.strings.length && Number.isInteger(value)) marks.strings[value] = 1
}
