import { type TraceColumns } from '../model/spans.ts'
import { type Marks } from '../runtime/stage.ts'
import { markValue } from './span-slab.ts'

const WORD = 2 ** 32

export function createTraceColumns(): TraceColumns {
  const custody = { first: 0, last: 0, parts: 1 }
  const columns = { n: 0, traceId: new Uint32Array(4), custody, baseHi: 0, baseLo: 0, closedBy: 0, truncated: false }
  return Object.assign(columns, rowColumns(0), { evidence: evidenceColumns(0) })
}

function rowColumns(rows: number) {
  return {
    spanId: new Uint32Array(2 * rows),
    parentId: new Uint32Array(2 * rows),
    startNs: new Float64Array(rows),
    endNs: new Float64Array(rows),
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

function evidenceColumns(rows: number) {
  return { code: new Uint16Array(rows), a: new Float64Array(rows), b: new Float64Array(rows) }
}

/** Makes room; what was in the columns is lost when they grow. */
export function reserve(columns: TraceColumns, rows: number, evidenceRows: number): void {
  if (rows > columns.name.length) Object.assign(columns, rowColumns(roomFor(rows)))
  if (evidenceRows > columns.evidence.code.length) columns.evidence = evidenceColumns(roomFor(evidenceRows))
}

/** Doubled, so that growing is rare. */
export function roomFor(rows: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(rows)))
}

export function release(columns: TraceColumns): void {
  Object.assign(columns, rowColumns(0), { evidence: evidenceColumns(0) })
  columns.n = 0
}

export const COLUMN_ROW_BYTES = 60

export function columnBytes(columns: TraceColumns): number {
  return columns.name.length * COLUMN_ROW_BYTES + columns.evidence.code.length * 18
}

/** High word of the time `ns` (of less than 2^53) after the one given in two words. */
export function laterHigh(high: number, low: number, ns: number): number {
  const highNs = Math.floor(ns / WORD)
  return high + highNs + (low + (ns - highNs * WORD) >= WORD ? 1 : 0)
}

export function laterLow(low: number, ns: number): number {
  return (low + (ns - Math.floor(ns / WORD) * WORD)) % WORD
}

/** ns from a base to a time, both in two words; exact while it is less than 2^53. */
export function nsBetween(baseHigh: number, baseLow: number, high: number, low: number): number {
  return (high - baseHigh) * WORD + (low - baseLow)
}

/** Copies row `from` of one trace to the end of another; times as they are. */
export function appendRow(to: TraceColumns, source: TraceColumns, from: number): void {
  const row = to.n
  to.spanId[2 * row] = source.spanId[2 * from] as number
  to.spanId[2 * row + 1] = source.spanId[2 * from + 1] as number
  to.parentId[2 * row] = source.parentId[2 * from] as number
  to.parentId[2 * row + 1] = source.parentId[2 * from + 1] as number
  to.startNs[row] = source.startNs[from] as number
  to.endNs[row] = source.endNs[from] as number
  to.name[row] = source.name[from] as number
  to.operation[row] = source.operation[from] as number
  to.scope[row] = source.scope[from] as number
  to.resource[row] = source.resource[from] as number
  to.kind[row] = source.kind[from] as number
  to.outcome[row] = source.outcome[from] as number
  to.flags[row] = source.flags[from] as number
  to.held[row] = source.held[from] as number
  let at = row === 0 ? 0 : (to.evidenceEnd[row - 1] as number)
  const end = source.evidenceEnd[from] as number
  for (let i = from === 0 ? 0 : (source.evidenceEnd[from - 1] as number); i < end; i++) {
    to.evidence.code[at] = source.evidence.code[i] as number
    to.evidence.a[at] = source.evidence.a[i] as number
    to.evidence.b[at] = source.evidence.b[i] as number
    at += 1
  }
  to.evidenceEnd[row] = at
  to.n = row + 1
}

/** Moves the base to the earliest start. */
export function rebase(columns: TraceColumns): void {
  let earliest = Infinity
  for (let row = 0; row < columns.n; row++) earliest = Math.min(earliest, columns.startNs[row] as number)
  moveTimes(columns, 0, columns.n, earliest)
  moveBase(columns, earliest)
}

/** Makes the times of rows relative to a base that is `ns` later. */
export function moveTimes(columns: TraceColumns, from: number, to: number, ns: number): void {
  const { startNs, endNs } = columns
  for (let row = from; row < to; row++) {
    startNs[row] = (startNs[row] as number) - ns
    endNs[row] = (endNs[row] as number) - ns
  }
}

export function moveBase(columns: TraceColumns, ns: number): void {
  const { baseHi, baseLo } = columns
  columns.baseHi = laterHigh(baseHi, baseLo, ns)
  columns.baseLo = laterLow(baseLo, ns)
}

export function markColumns(columns: TraceColumns, marks: Marks): void {
  for (let row = 0; row < columns.n; row++) {
    marks.strings[columns.name[row] as number] = 1
    marks.strings[columns.operation[row] as number] = 1
    marks.strings[columns.scope[row] as number] = 1
    marks.resources[columns.resource[row] as number] = 1
  }
  const evidenceRows = columns.n === 0 ? 0 : (columns.evidenceEnd[columns.n - 1] as number)
  for (let i = 0; i < evidenceRows; i++) markValue(columns.evidence.a[i] as number, marks)
}
