import type { ExactSums } from '../runtime/exact-sums.ts'

/** Where a request stands against a target. It never moves, so that rates of it are exact. Equal to the target = within. */
export const budgetResults = ['within', 'over'] as const
export const BudgetResult = { within: 0, over: 1 } as const
export const BUDGET_RESULTS = budgetResults.length

/** What a target is said of, and the share of requests that may be over it unless settings say otherwise. */
export const budgetQuantiles = { p50: 0.5, p95: 0.05, p99: 0.01, 'p99.9': 0.001 } as const
export type BudgetQuantile = keyof typeof budgetQuantiles

export const WHOLE_REQUEST = -1

/** At most `allowedRatio` of the requests may take longer than `thresholdNs`, in all or in one phase. */
export interface BudgetTarget {
  /** The label: `p99`, or `p99:queue_wait` of a phase. One of its kind in a budget. */
  readonly name: string
  /** WHOLE_REQUEST, or a phase. */
  readonly phase: number
  readonly thresholdNs: number
  readonly allowedRatio: number
}

/** What settings ask of the operations that two globs match. */
export interface Budget {
  readonly service: string
  readonly operation: string
  readonly targets: readonly BudgetTarget[]
}

/** A budget names one operation rather than a pattern. */
export const isLiteral = ({ service, operation }: Budget): boolean => !service.includes('*') && !operation.includes('*')

/** Weighted requests of the last window against one target. */
export interface RecentRequests {
  readonly within: number
  readonly over: number
  /** Unweighted. */
  readonly seen: number
}

/** Counters of requests against targets: a row is one operation and one target. Rows are freed with their operation. */
export interface BudgetTable {
  /** As in the settings. */
  readonly budgets: readonly Budget[]
  /** Rows below this may be live. */
  readonly rows: number
  readonly live: Uint8Array
  /** Row in the operation table. */
  readonly operationRow: Uint32Array
  readonly target: readonly BudgetTarget[]
  readonly createdMs: Float64Array
  /** Weighted: row * BUDGET_RESULTS + result. */
  readonly requests: Float64Array
  /** Of the same requests: (row * BUDGET_RESULTS + result) * PHASES + phase. */
  readonly phaseNs: ExactSums
  readonly windowMs: number
  readonly recent: (row: number) => RecentRequests
  /** Operations that each budget counts now, in the order of `budgets`. */
  readonly operations: () => Uint32Array
}
