import type { BudgetTable } from './budgets.ts'
import type { ExactSums } from '../runtime/exact-sums.ts'
import type { TraceColumns } from './spans.ts'

/** Upper bounds in seconds of the one fixed layout of tail_request_duration_seconds; +Inf follows. Never changes: replicas add up. */
export const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const
/** Buckets a row, +Inf included. */
export const DURATION_BUCKETS = durationBounds.length + 1

/**
 * The operations' counters, one row each; row 0 is `__other__` (counted, never banded). Rows are filled from 1 up,
 * freed when idle and given out again with every cell at zero; `live[row]` says whether a row is in use.
 */
export interface OperationTable {
  /** Rows below this may be live. */
  rows: number
  readonly live: Uint8Array
  /** Interned ids. */
  readonly service: Uint32Array
  readonly operation: Uint32Array
  readonly class: Uint8Array
  /** When the row appeared: until the zero-first time has passed, expose renders 0. */
  readonly createdMs: Float64Array
  readonly lastSeenMs: Float64Array
  /** Requests seen, unweighted, since the row appeared. */
  readonly seen: Float64Array
  /** Weighted requests: (row * BANDS + band) * OUTCOMES + outcome. */
  readonly requests: Float64Array
  /** Weighted, not cumulative: row * DURATION_BUCKETS + bucket. */
  readonly durationBuckets: Float64Array
  /** One cell a row. */
  readonly durationNs: ExactSums
  /** Weighted counts of durations since the row appeared: row * SKETCH_BINS + bin (runtime/sketch.ts). Undefined row = none yet. */
  readonly sketch: (row: number) => Float64Array | undefined
  /** (row * BANDS + band) * PHASES + phase. */
  readonly phaseNs: ExactSums
  /** gt_p99 only: row * PHASE_SLOTS + phase * GRADES + grade. */
  readonly evidenceNs: ExactSums
  /** row * BANDS + band. */
  readonly leadNs: ExactSums
  /** (row * 2 + band) * PATTERNS + pattern; band 0 = le_p50, 1 = gt_p99. */
  readonly patternNs: ExactSums
  /** Weighted requests with any time of this pattern; same index. */
  readonly patternRequests: Float64Array
  readonly partial: Float64Array
  /** row * QUANTILES + quantile, NaN while unknown. */
  readonly thresholdNs: Float64Array
  /** row * DURATION_BUCKETS + bucket: exemplar of that bucket, by index into `exemplars`; -1 without. */
  readonly exemplar: Int32Array
}

/** Exemplars of duration buckets: requests that are retained. */
export interface ExemplarTable {
  /** Four words each. */
  readonly traceId: Uint32Array
  readonly valueNs: Float64Array
  readonly atMs: Float64Array
}

/** Blame by root operation and culprit. A slot is one (root row, culprit) pair; phases are its columns. */
export interface BlameTable {
  slots: number
  readonly live: Uint8Array
  /** Row in the operation table. */
  readonly rootRow: Uint32Array
  /** Interned; both OTHER_ID for a root's `__other__` slot. */
  readonly culpritService: Uint32Array
  readonly culpritOperation: Uint32Array
  readonly createdMs: Float64Array
  /** (slot * 2 + band) * PHASES + phase; band 0 = le_p50, 1 = gt_p99. */
  readonly ns: ExactSums
  /** Weighted requests with any time of this phase there; same index. */
  readonly requests: Float64Array
}

/** What evidence the tail of each operation lacked lately; rows are the operation table's. Sums fade: no counters. */
export interface AdviceTable {
  /** row * ADVICES + advice: ns of the tail's requests that it would have explained. */
  readonly ns: Float64Array
  /** Duration of those requests. */
  readonly tailNs: Float64Array
  /** Interned operation of the last call whose answer was missing; 0 without. */
  readonly missingCall: Uint32Array
  /** The one switch that would explain most, -1 when none is worth it. */
  readonly of: (row: number) => number
}

/** What crossings took, by edge and component. A row is an edge; rows are given out again with every cell at zero. */
export interface BoundaryTable {
  rows: number
  /** Interned ids. */
  readonly callerService: Uint32Array
  readonly calleeService: Uint32Array
  readonly callerLanguage: Uint8Array
  readonly calleeLanguage: Uint8Array
  /** row * BOUNDARY_COMPONENTS + component: 1 where it has series. */
  readonly live: Uint8Array
  /** When it got them; same index. */
  readonly sinceMs: Float64Array
  /** Weighted, not cumulative: ((row * BOUNDARY_COMPONENTS + component) * BOUNDARY_BANDS + band) * BOUNDARY_BUCKETS + bucket. */
  readonly buckets: Float64Array
  /** (row * BOUNDARY_COMPONENTS + component) * BOUNDARY_BANDS + band. */
  readonly ns: ExactSums
}

export interface ServiceSampling {
  readonly service: number
  readonly sampling: number
}

/** Everything that explain keeps and expose shows. Arrays may be replaced when they grow: read them afresh each time. */
export interface TailTables {
  readonly operations: OperationTable
  readonly exemplars: ExemplarTable
  readonly blame: BlameTable
  readonly budgets: BudgetTable
  readonly advice: AdviceTable
  readonly boundaries: BoundaryTable
  readonly samplings: () => readonly ServiceSampling[]
  /** A kept trace by its 32 hex digits, as it is now. */
  readonly retained: (traceId: string) => TraceColumns | undefined
  /** Kept traces of an operation, slowest first. */
  readonly retainedOf: (service: number, operation: number) => readonly RetainedTrace[]
}

export interface RetainedTrace {
  readonly traceId: string
  readonly durationNs: number
  readonly band: number
  readonly outcome: number
  readonly dominantPhase: number
  readonly atMs: number
}
