import { type SpanBatch } from '../model/spans.ts'

/** Rows of a batch on their way to a shard: columns one behind the other, the widest cells first so that each is aligned. */
export interface PackedRows {
  readonly buffer: ArrayBuffer
  readonly n: number
  readonly evidenceRows: number
}

const ROW_BYTES = 4 * (4 + 2 + 2 + 4 + 4 + 1 + 1 + 1) + 2 + 2
const EVIDENCE_BYTES = 8 + 8 + 2

/** The batch over packed rows. */
export function viewRows({ buffer, n, evidenceRows }: PackedRows): SpanBatch {
  let top = 0
  const next = (bytes: number): number => {
    top += bytes
    return top - bytes
  }
  const float64 = (cells: number): Float64Array => new Float64Array(buffer, next(cells * 8), cells)
  const uint32 = (cells: number): Uint32Array => new Uint32Array(buffer, next(cells * 4), cells)
  const uint16 = (cells: number): Uint16Array => new Uint16Array(buffer, next(cells * 2), cells)
  const uint8 = (cells: number): Uint8Array => new Uint8Array(buffer, next(cells), cells)
  const [a, b] = [float64(evidenceRows), float64(evidenceRows)]
  const [traceId, spanId, parentId] = [uint32(4 * n), uint32(2 * n), uint32(2 * n)]
  const [startHi, startLo, endHi, endLo] = [uint32(n), uint32(n), uint32(n), uint32(n)]
  const [name, operation, scope, resource] = [uint32(n), uint32(n), uint32(n), uint32(n)]
  const [held, evidenceEnd, order] = [uint32(n), uint32(n), uint32(n)]
  const [flags, code] = [uint16(n), uint16(evidenceRows)]
  const [kind, outcome] = [uint8(n), uint8(n)]
  const times = { startHi, startLo, endHi, endLo }
  const names = { name, operation, scope, resource }
  const evidence = { code, a, b }
  return { n, traceId, spanId, parentId, ...times, ...names, kind, outcome, flags, held, evidenceEnd, evidence, order }
}

/** Of rows, with the spans themselves where they go on. */
export function bytesOfRows({ buffer }: PackedRows, request: ArrayBuffer | undefined): number {
  return buffer.byteLength + (request?.byteLength ?? 0)
}

/** Copies the rows of a batch that `chosen` lists, with their number in the order in which all spans came. */
export function packRows(batch: SpanBatch, chosen: readonly number[], firstOrder: number): PackedRows {
  const evidenceFrom = (row: number): number => (row === 0 ? 0 : (batch.evidenceEnd[row - 1] as number))
  const evidenceOf = (row: number): number => (batch.evidenceEnd[row] as number) - evidenceFrom(row)
  const n = chosen.length
  const evidenceRows = chosen.reduce((sum, row) => sum + evidenceOf(row), 0)
  const buffer = new ArrayBuffer(n * ROW_BYTES + evidenceRows * EVIDENCE_BYTES)
  const packed = { buffer, n, evidenceRows }
  const to = viewRows(packed)
  let top = 0
  chosen.forEach((row, i) => {
    to.traceId.set(batch.traceId.subarray(4 * row, 4 * row + 4), 4 * i)
    for (const key of ['spanId', 'parentId'] as const) to[key].set(batch[key].subarray(2 * row, 2 * row + 2), 2 * i)
    for (const key of single) to[key][i] = batch[key][row] as number
    for (let from = evidenceFrom(row); from < (batch.evidenceEnd[row] as number); from++) {
      to.evidence.code[top] = batch.evidence.code[from] as number
      to.evidence.a[top] = batch.evidence.a[from] as number
      to.evidence.b[top++] = batch.evidence.b[from] as number
    }
    to.evidenceEnd[i] = top
    if (to.order !== undefined) to.order[i] = firstOrder + row
  })
  return packed
}

const single = [
  ...(['startHi', 'startLo', 'endHi', 'endLo'] as const),
  ...(['name', 'operation', 'scope', 'resource', 'kind', 'outcome', 'flags'] as const)
]
