import { clearExact } from '../runtime/exact-sums.ts'
import { OTHER_ID } from '../runtime/strings.ts'
import { PATTERNS } from '../model/patterns.ts'
import { PHASES, PHASE_SLOTS } from '../model/phases.ts'
import { Band, BANDS, OUTCOMES, QUANTILES } from '../model/requests.ts'
import { DURATION_BUCKETS, type OperationTable } from '../model/tail.ts'
import { emptySums, grown, grownSums } from './columns.ts'

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type MutableOperationTable = Mutable<OperationTable>

/** The row of whatever got none of its own. */
export const OTHER_ROW = 0
const REQUEST_CELLS = BANDS * OUTCOMES
const PHASE_CELLS = BANDS * PHASES
/** Of the body and of the tail. */
export const PATTERN_CELLS = 2 * PATTERNS
const FIRST_ROWS = 16

export function createOperationTable(sketch: OperationTable['sketch']): MutableOperationTable {
  const table: MutableOperationTable = {
    rows: 1,
    live: new Uint8Array(0),
    service: new Uint32Array(0),
    operation: new Uint32Array(0),
    class: new Uint8Array(0),
    createdMs: new Float64Array(0),
    lastSeenMs: new Float64Array(0),
    seen: new Float64Array(0),
    requests: new Float64Array(0),
    durationBuckets: new Float64Array(0),
    durationNs: emptySums(),
    sketch,
    phaseNs: emptySums(),
    evidenceNs: emptySums(),
    leadNs: emptySums(),
    patternNs: emptySums(),
    patternRequests: new Float64Array(0),
    partial: new Float64Array(0),
    thresholdNs: new Float64Array(0),
    exemplar: new Int32Array(0)
  }
  growOperationTable(table, FIRST_ROWS)
  table.live[OTHER_ROW] = 1
  table.service[OTHER_ROW] = OTHER_ID
  table.operation[OTHER_ROW] = OTHER_ID
  return table
}

export function growOperationTable(table: MutableOperationTable, rows: number): void {
  const before = table.live.length
  table.live = grown(table.live, rows)
  table.service = grown(table.service, rows)
  table.operation = grown(table.operation, rows)
  table.class = grown(table.class, rows)
  table.createdMs = grown(table.createdMs, rows)
  table.lastSeenMs = grown(table.lastSeenMs, rows)
  table.seen = grown(table.seen, rows)
  table.requests = grown(table.requests, rows * REQUEST_CELLS)
  table.durationBuckets = grown(table.durationBuckets, rows * DURATION_BUCKETS)
  table.durationNs = grownSums(table.durationNs, rows)
  table.phaseNs = grownSums(table.phaseNs, rows * PHASE_CELLS)
  table.evidenceNs = grownSums(table.evidenceNs, rows * PHASE_SLOTS)
  table.leadNs = grownSums(table.leadNs, rows * BANDS)
  table.patternNs = grownSums(table.patternNs, rows * PATTERN_CELLS)
  table.patternRequests = grown(table.patternRequests, rows * PATTERN_CELLS)
  table.partial = grown(table.partial, rows)
  table.thresholdNs = grown(table.thresholdNs, rows * QUANTILES).fill(NaN, before * QUANTILES)
  table.exemplar = grown(table.exemplar, rows * DURATION_BUCKETS).fill(-1, before * DURATION_BUCKETS)
}

/** Back to the state of a row that nobody used. */
export function clearOperationRow(table: MutableOperationTable, row: number): void {
  table.live[row] = 0
  table.service[row] = 0
  table.operation[row] = 0
  table.class[row] = 0
  table.createdMs[row] = 0
  table.lastSeenMs[row] = 0
  table.seen[row] = 0
  table.requests.fill(0, row * REQUEST_CELLS, (row + 1) * REQUEST_CELLS)
  table.durationBuckets.fill(0, row * DURATION_BUCKETS, (row + 1) * DURATION_BUCKETS)
  clearExact(table.durationNs, row, 1)
  clearExact(table.phaseNs, row * PHASE_CELLS, PHASE_CELLS)
  clearExact(table.evidenceNs, row * PHASE_SLOTS, PHASE_SLOTS)
  clearExact(table.leadNs, row * BANDS, BANDS)
  clearExact(table.patternNs, row * PATTERN_CELLS, PATTERN_CELLS)
  table.patternRequests.fill(0, row * PATTERN_CELLS, (row + 1) * PATTERN_CELLS)
  table.partial[row] = 0
  table.thresholdNs.fill(NaN, row * QUANTILES, (row + 1) * QUANTILES)
  table.exemplar.fill(-1, row * DURATION_BUCKETS, (row + 1) * DURATION_BUCKETS)
}

/** The first cell of patterns of the body (`le_p50`) or the tail (`gt_p99`). */
export function patternCell(row: number, band: number): number {
  return row * PATTERN_CELLS + (band === Band.gtP99 ? PATTERNS : 0)
}

/** Requests of a band, failed ones included. */
export function requestsOfBand(table: OperationTable, row: number, band: number): number {
  let sum = 0
  for (let outcome = 0; outcome < OUTCOMES; outcome++) {
    sum += table.requests[(row * BANDS + band) * OUTCOMES + outcome] as number
  }
  return sum
}

export function operationTableBytes(table: OperationTable): number {
  const cells =
    REQUEST_CELLS + DURATION_BUCKETS + 2 * (1 + PHASE_CELLS + PHASE_SLOTS + BANDS) + 3 * PATTERN_CELLS + QUANTILES + 4
  return table.live.length * (cells * 8 + DURATION_BUCKETS * 4 + 10)
}
