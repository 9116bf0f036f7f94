import {
  BUDGET_RESULTS,
  BudgetResult,
  type BudgetTable,
  type BudgetTarget,
  WHOLE_REQUEST
} from '../../model/budgets.ts'
import { type PhaseName, PHASES, phases } from '../../model/phases.ts'
import { type OperationTable } from '../../model/tail.ts'
import { exactToNumber } from '../../runtime/exact-sums.ts'
import { type Strings } from '../../runtime/strings.ts'
import { byText } from '../summary.ts'

/** `too_few`: so few requests lately that not even one of them may be over. */
export type BudgetState = 'within' | 'over' | 'too_few'

interface TargetSummary {
  /** The label. */
  readonly budget: string
  /** Null for the whole request. */
  readonly phase: PhaseName | null
  readonly threshold_ns: number
  readonly allowed_ratio: number
}

interface Shares {
  readonly within: number
  readonly over: number
  readonly over_ratio: number | null
}

/** One operation against one target of its budget. */
export interface BudgetStateSummary extends TargetSummary {
  readonly service: string
  readonly operation: string
  readonly state: BudgetState
  /** Of the last window. */
  readonly recent: Shares
  /** Since the operation was first counted. */
  readonly total: Shares
  /** What requests over the target have most more of than those within, since then. */
  readonly dominant: PhaseName | null
}

export interface BudgetsSummary {
  readonly window_seconds: number
  /** As in the settings, with the number of operations that each counts now. */
  readonly budgets: readonly {
    readonly service: string
    readonly operation: string
    readonly operations: number
    readonly targets: readonly TargetSummary[]
  }[]
  /** Those that spend their budget fastest come first. */
  readonly states: readonly BudgetStateSummary[]
}

export function summarizeBudgets(
  { budgets: table, operations }: { readonly budgets: BudgetTable; readonly operations: OperationTable },
  strings: Strings
): BudgetsSummary {
  const counts = table.operations()
  const rows = Array.from({ length: table.rows }, (_, row) => row).filter((row) => table.live[row] === 1)
  const states = rows.map((row): BudgetStateSummary => {
    const operationRow = table.operationRow[row] as number
    return {
      service: strings.text(operations.service[operationRow] as number),
      operation: strings.text(operations.operation[operationRow] as number),
      ...summarizeRow(table, row)
    }
  })
  return {
    window_seconds: table.windowMs / 1e3,
    budgets: table.budgets.map(({ service, operation, targets }, i) => ({
      service,
      operation,
      operations: counts[i] ?? 0,
      targets: targets.map(summarizeTarget)
    })),
    states: states.sort(bySpending)
  }
}

function summarizeRow(table: BudgetTable, row: number): Omit<BudgetStateSummary, 'service' | 'operation'> {
  const target = table.target[row] as BudgetTarget
  const { seen, ...recent } = table.recent(row)
  const [within, over] = table.requests.subarray(row * BUDGET_RESULTS, (row + 1) * BUDGET_RESULTS) as unknown as [
    number,
    number
  ]
  const recently = shares(recent.within, recent.over)
  return {
    ...summarizeTarget(target),
    state: stateOf(target, seen, recently.over_ratio),
    recent: recently,
    total: shares(within, over),
    dominant: dominantOf(table, row, { within, over })
  }
}

const summarizeTarget = ({ name, phase, thresholdNs, allowedRatio }: BudgetTarget): TargetSummary => ({
  budget: name,
  phase: phase === WHOLE_REQUEST ? null : (phases[phase] as PhaseName),
  threshold_ns: thresholdNs,
  allowed_ratio: allowedRatio
})

const shares = (within: number, over: number): Shares => ({
  within,
  over,
  over_ratio: within + over === 0 ? null : over / (within + over)
})

function stateOf({ allowedRatio }: BudgetTarget, seen: number, overRatio: number | null): BudgetState {
  if (overRatio === null || seen * allowedRatio < 1) return 'too_few'
  return overRatio > allowedRatio ? 'over' : 'within'
}

function dominantOf(
  table: BudgetTable,
  row: number,
  { within, over }: { within: number; over: number }
): PhaseName | null {
  if (over === 0) return null
  let dominant: PhaseName | null = null
  let most = 0
  for (const [phase, name] of phases.entries()) {
    const mean = (result: number, requests: number): number =>
      requests === 0 ? 0 : exactToNumber(table.phaseNs, (row * BUDGET_RESULTS + result) * PHASES + phase) / requests
    const excess = mean(BudgetResult.over, over) - mean(BudgetResult.within, within)
    if (excess <= most) continue
    most = excess
    dominant = name
  }
  return dominant
}

/** How many times faster than allowed the budget is spent lately. */
const spending = ({ recent, allowed_ratio: allowed }: BudgetStateSummary): number => (recent.over_ratio ?? 0) / allowed

function bySpending(a: BudgetStateSummary, b: BudgetStateSummary): number {
  return (
    spending(b) - spending(a) ||
    byText(a.service, b.service) ||
    byText(a.operation, b.operation) ||
    byText(a.budget, b.budget)
  )
}
