import { type SpanBatch } from '../../model/spans.ts'

const FIRST_ROWS = 1024

type RowColumns = Omit<SpanBatch, 'n' | 'evidence' | 'order'>
const rowBytes = 4 * (4 + 2 + 2 + 4 + 3 + 1 + 1 + 1) + 2 + 2
const evidenceRowBytes = 2 + 8 + 8

export function createSpanBatch(): SpanBatch {
  return { n: 0, ...rowColumns(FIRST_ROWS), evidence: evidenceColumns(FIRST_ROWS), order: undefined }
}

/** Twice the rows, the old ones kept. */
export function growRows(batch: SpanBatch): void {
  const from = batch.kind.length
  const grown = rowColumns(from * 2)
  for (const key of Object.keys(grown) as (keyof RowColumns)[]) grown[key].set(batch[key])
  Object.assign(batch, grown)
}

export function growEvidence(batch: SpanBatch): void {
  const grown = evidenceColumns(batch.evidence.code.length * 2)
  grown.code.set(batch.evidence.code)
  grown.a.set(batch.evidence.a)
  grown.b.set(batch.evidence.b)
  batch.evidence = grown
}

/** Empties it, and gives back what a giant request made it grow to. */
export function emptyBatch(batch: SpanBatch, idleRowsMax: number): void {
  batch.n = 0
  if (batch.kind.length > Math.max(idleRowsMax, FIRST_ROWS)) Object.assign(batch, rowColumns(FIRST_ROWS))
  if (batch.evidence.code.length > Math.max(idleRowsMax, FIRST_ROWS)) batch.evidence = evidenceColumns(FIRST_ROWS)
}

export function batchBytes(batch: SpanBatch): number {
  return batch.kind.length * rowBytes + batch.evidence.code.length * evidenceRowBytes
}

function rowColumns(rows: number): RowColumns {
  return {
    traceId: new Uint32Array(4 * rows),
    spanId: new Uint32Array(2 * rows),
    parentId: new Uint32Array(2 * rows),
    startHi: new Uint32Array(rows),
    startLo: new Uint32Array(rows),
    endHi: new Uint32Array(rows),
    endLo: new Uint32Array(rows),
    name: new Uint32Array(rows),
    operation: new Uint32Array(rows),
    scope: new Uint32Array(rows),
    resource: new Uint32Array(rows),
    kind: new Uint8Array(rows),
    outcome: new Uint8Array(rows),
    flags: new Uint16Array(rows),
    held: new Uint32Array(rows),
    evidenceEnd: new Uint32Array(rows)
  }
}

function evidenceColumns(rows: number): SpanBatch['evidence'] {
  return { code: new Uint16Array(rows), a: new Float64Array(rows), b: new Float64Array(rows) }
}
