import { type Custody, type TraceColumns } from './spans.ts'

/** A trace's columns in one piece of memory: 60 bytes a span, 18 a row of evidence. */
export interface TraceCopy {
  readonly traceId: Uint32Array
  readonly custody: Custody
  readonly baseHi: number
  readonly baseLo: number
  readonly closedBy: number
  readonly truncated: boolean
  readonly n: number
  readonly evidenceRows: number
  readonly buffer: ArrayBuffer
}

const SPAN_BYTES = 60
const EVIDENCE_BYTES = 18

export function evidenceRowsOf(trace: TraceColumns): number {
  return trace.n === 0 ? 0 : (trace.evidenceEnd[trace.n - 1] as number)
}

export function copyBytes(spans: number, evidenceRows: number): number {
  return spans * SPAN_BYTES + evidenceRows * EVIDENCE_BYTES
}

/** Columns over the copy's memory, widest cells first so that each is aligned. */
export function viewTrace(copy: TraceCopy): TraceColumns {
  const { n, evidenceRows, buffer } = copy
  let top = 0
  const next = (bytes: number): number => {
    top += bytes
    return top - bytes
  }
  const float64 = (cells: number): Float64Array => new Float64Array(buffer, next(cells * 8), cells)
  const uint32 = (cells: number): Uint32Array => new Uint32Array(buffer, next(cells * 4), cells)
  const uint16 = (cells: number): Uint16Array => new Uint16Array(buffer, next(cells * 2), cells)
  const uint8 = (cells: number): Uint8Array => new Uint8Array(buffer, next(cells), cells)

  const [startNs, endNs, a, b] = [float64(n), float64(n), float64(evidenceRows), float64(evidenceRows)]
  const [spanId, parentId] = [uint32(n * 2), uint32(n * 2)]
  const [name, operation, scope, resource] = [uint32(n), uint32(n), uint32(n), uint32(n)]
  const [held, evidenceEnd] = [uint32(n), uint32(n)]
  const [flags, code] = [uint16(n), uint16(evidenceRows)]
  const [kind, outcome] = [uint8(n), uint8(n)]
  const { traceId, custody, baseHi, baseLo, closedBy, truncated } = copy
  const head = { n, traceId, custody, baseHi, baseLo, closedBy, truncated }
  const spans = { spanId, parentId, startNs, endNs, name, operation, scope, resource, kind, outcome, flags, held }
  return { ...head, ...spans, evidenceEnd, evidence: { code, a, b } }
}

/** Copies rows of `from` to `to`, from row `row` and evidence row `evidenceRow` on, with times moved by `shiftNs`. */
function write(to: TraceColumns, row: number, from: TraceColumns, shiftNs: number): void {
  const { n } = from
  const evidenceRow = row === 0 ? 0 : (to.evidenceEnd[row - 1] as number)
  for (let i = 0; i < n; i++) {
    to.startNs[row + i] = (from.startNs[i] as number) + shiftNs
    to.endNs[row + i] = (from.endNs[i] as number) + shiftNs
    to.evidenceEnd[row + i] = (from.evidenceEnd[i] as number) + evidenceRow
  }
  to.spanId.set(from.spanId.subarray(0, n * 2), row * 2)
  to.parentId.set(from.parentId.subarray(0, n * 2), row * 2)
  to.name.set(from.name.subarray(0, n), row)
  to.operation.set(from.operation.subarray(0, n), row)
  to.scope.set(from.scope.subarray(0, n), row)
  to.resource.set(from.resource.subarray(0, n), row)
  to.flags.set(from.flags.subarray(0, n), row)
  to.held.set(from.held.subarray(0, n), row)
  to.kind.set(from.kind.subarray(0, n), row)
  to.outcome.set(from.outcome.subarray(0, n), row)
  const rows = evidenceRowsOf(from)
  to.evidence.code.set(from.evidence.code.subarray(0, rows), evidenceRow)
  to.evidence.a.set(from.evidence.a.subarray(0, rows), evidenceRow)
  to.evidence.b.set(from.evidence.b.subarray(0, rows), evidenceRow)
}

export function copyTrace(trace: TraceColumns): TraceCopy {
  const evidenceRows = evidenceRowsOf(trace)
  const copy: TraceCopy = {
    traceId: trace.traceId.slice(0, 4),
    custody: { ...trace.custody },
    baseHi: trace.baseHi,
    baseLo: trace.baseLo,
    closedBy: trace.closedBy,
    truncated: trace.truncated,
    n: trace.n,
    evidenceRows,
    buffer: new ArrayBuffer(copyBytes(trace.n, evidenceRows))
  }
  write(viewTrace(copy), 0, trace, 0)
  return copy
}

/** The copy with late rows after its own, both counted from the earlier base. */
export function joinLate(copy: TraceCopy, late: TraceColumns): TraceCopy {
  const laterNs = (late.baseHi - copy.baseHi) * 2 ** 32 + (late.baseLo - copy.baseLo)
  const base = laterNs < 0 ? late : copy
  const evidenceRows = copy.evidenceRows + evidenceRowsOf(late)
  const joined: TraceCopy = {
    ...copy,
    baseHi: base.baseHi,
    baseLo: base.baseLo,
    truncated: copy.truncated || late.truncated,
    n: copy.n + late.n,
    evidenceRows,
    buffer: new ArrayBuffer(copyBytes(copy.n + late.n, evidenceRows))
  }
  const columns = viewTrace(joined)
  write(columns, 0, viewTrace(copy), Math.max(0, -laterNs))
  write(columns, copy.n, late, Math.max(0, laterNs))
  return joined
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** 32 hex digits of a trace id in four big-endian words. */
export function hexOfTraceId(words: Uint32Array): string {
  let hex = ''
  for (let i = 0; i < 4; i++) {
    const word = words[i] as number
    for (let shift = 24; shift >= 0; shift -= 8) hex += hexOfByte[(word >>> shift) & 0xff] as string
  }
  return hex
}

/** Marks every string and resource row that a trace names; of evidence, whatever may be a string's id. */
export function markTrace(trace: TraceColumns, marks: { strings: Uint8Array; resources: Uint8Array }): void {
  for (let row = 0; row < trace.n; row++) {
    marks.strings[trace.name[row] as number] = 1
    marks.strings[trace.operation[row] as number] = 1
    marks.strings[trace.scope[row] as number] = 1
    marks.resources[trace.resource[row] as number] = 1
  }
  for (let i = evidenceRowsOf(trace) - 1; i >= 0; i--) {
    const value = trace.evidence.a[i] as number
    if (Number.isInteger(value) && value >= 0 && value < marks.strings.length) marks.strings[value] = 1
  }
}
