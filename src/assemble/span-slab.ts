import { type SpanBatch } from '../model/spans.ts'
import { type Marks } from '../runtime/stage.ts'
import { createPages, PAGE_MASK, PAGE_SHIFT, type Pages, takeRow } from './pages.ts'

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
  held: 15
} as const

/** Words of an evidence row: two doubles, the code and the next row of the same span. */
export const EVIDENCE_WORDS = 6
export const EvidenceWord = { a: 0, b: 2, code: 4, next: 5 } as const

/** Set in `meta` and `code` of rows in use, so that marking can go through the pages in order. */
export const LIVE = 0x80000000
export const KIND_SHIFT = 16
export const OUTCOME_SHIFT = 24
export const OUTCOME_MASK = 0x7f

/** 128 attributes and 128 events: what SDKs allow. */
const EVIDENCE_PER_SPAN_MAX = 256
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

/** Evidence rows that a span came with. */
export function evidenceRowsOf(batch: SpanBatch, i: number): number {
  return (batch.evidenceEnd[i] as number) - (i === 0 ? 0 : (batch.evidenceEnd[i - 1] as number))
}

/** The end of the rows from `from` on, at most `rowsMax`, that there is room for. */
export function lastWithRoom(slab: SpanSlab, batch: SpanBatch, from: number, rowsMax: number): number {
  const to = Math.min(batch.n, from + rowsMax, from + slab.spans.rowsMax - slab.spans.used)
  let room = slab.evidence.rowsMax - slab.evidence.used
  const before = from === 0 ? 0 : (batch.evidenceEnd[from - 1] as number)
  if (to === from || (batch.evidenceEnd[to - 1] as number) - before <= room) return to
  for (let i = from; i < to; i++) {
    room -= Math.min(evidenceRowsOf(batch, i), EVIDENCE_PER_SPAN_MAX)
    if (room < 0) return i
  }
  return to
}

/** Copies the evidence of row i of the batch to the span in `row`, and returns how many rows were kept. */
export function storeEvidence(slab: SpanSlab, row: number, batch: SpanBatch, i: number): number {
  const { code, a, b } = batch.evidence
  const { evidence } = slab
  const kept = Math.min(evidenceRowsOf(batch, i), EVIDENCE_PER_SPAN_MAX)
  const first = i === 0 ? 0 : (batch.evidenceEnd[i - 1] as number)
  let next = 0
  for (let from = first + kept - 1; from >= first; from--) {
    const taken = takeRow(evidence)
    const words = evidence.words[taken >>> PAGE_SHIFT] as Uint32Array
    const doubles = evidence.doubles[taken >>> PAGE_SHIFT] as Float64Array
    const at = (taken & PAGE_MASK) * EVIDENCE_WORDS
    doubles[(at + EvidenceWord.a) >> 1] = a[from] as number
    doubles[(at + EvidenceWord.b) >> 1] = b[from] as number
    words[at + EvidenceWord.code] = LIVE | (code[from] as number)
    words[at + EvidenceWord.next] = next
    next = taken
  }
  const words = slab.spans.words[row >>> PAGE_SHIFT] as Uint32Array
  words[(row & PAGE_MASK) * SPAN_WORDS + SpanWord.evidence] = next
  return kept
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
