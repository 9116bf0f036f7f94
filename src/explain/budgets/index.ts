import {
  type Budget,
  BUDGET_RESULTS,
  BudgetResult,
  type BudgetTable,
  type BudgetTarget,
  isLiteral,
  WHOLE_REQUEST
} from '../../model/budgets.ts'
import { type RequestColumns } from '../../model/decomposition.ts'
import { GRADES, PHASES, PHASE_SLOTS } from '../../model/phases.ts'
import { Outcome } from '../../model/requests.ts'
import { type OperationTable } from '../../model/tail.ts'
import { type Counters } from '../../runtime/counters.ts'
import { type Strings } from '../../runtime/strings.ts'
import { addCell, addWeighted, grown } from '../columns.ts'
import { type explainCounters } from '../counters.ts'
import { type Booking } from '../request-sums.ts'
import { createBudgetTable } from './budget-table.ts'
import { createBudgetChoice } from './choice.ts'

const NONE = -1

/** Whether an operation has a row whatever others hold: by a pattern within bounds, by its name always. */
export const Pin = { none: 0, pattern: 1, name: 2 } as const

/**
 * Requests within and over the targets of their operation.
 *
 * A request over a target counts as over, whatever its outcome. A failure that is not over it counts nowhere: that it
 * failed fast says nothing of how fast the operation is. So the phases of either result belong to its requests exactly.
 */
export interface Budgets {
  readonly table: BudgetTable
  /** A Pin. */
  readonly pinOf: (service: number, operation: number) => number
  readonly ensureRows: (operationRows: number) => void
  readonly onTaken: (operationRow: number) => void
  readonly onFree: (operationRow: number) => void
  /** Counts request i, which is in the row and of the weight that `booking` says; true when it is over a target. */
  readonly count: (requests: RequestColumns, i: number, booking: Booking) => boolean
  /** The time of what is counted from here on. */
  readonly advance: (nowMs: number) => void
  /** Other budgets from now on. Counters stay where operation, target and threshold do. */
  readonly set: (budgets: readonly Budget[]) => void
  /** Adds the counters of an operation of another table to its row here. */
  readonly addFrom: (from: BudgetTable, row: number, operationRow: number) => void
  /** Ids may be given out again. */
  readonly forgetIds: () => void
  readonly bytes: () => number
}

export interface BudgetsOptions {
  readonly budgets: readonly Budget[]
  readonly budgetRowsMax: number
  readonly windowMs: number
}

export interface BudgetsTools {
  readonly strings: Strings
  readonly counters: Counters<typeof explainCounters>
  readonly operations: OperationTable
}

export function createBudgets(options: BudgetsOptions, { strings, counters, operations }: BudgetsTools): Budgets {
  const { budgetRowsMax } = options
  let choice = createBudgetChoice(options.budgets, strings)
  /** By operation row: index of its budget, first of its rows, and how many of its targets have none yet. */
  let chosen = new Int32Array(0)
  let first = new Int32Array(0)
  let missing = new Int32Array(0)
  /** Rows kept free for operations that are named, and rows in use. */
  let reserved = 0
  let usedByName = 0
  let used = 0
  let nowMs = 0
  const phaseNs = new Float64Array(PHASES)

  const table = createBudgetTable(options.windowMs, countOperations)
  const budgetOf = (operationRow: number): Budget => table.budgets[chosen[operationRow] as number] as Budget
  const isNamed = (operationRow: number): boolean => isLiteral(budgetOf(operationRow))

  function adopt(budgets: readonly Budget[]): void {
    table.budgets = budgets
    choice = createBudgetChoice(budgets, strings)
    const named = budgets.filter(isLiteral).reduce((sum, { targets }) => sum + targets.length, 0)
    reserved = Math.min(named, budgetRowsMax)
  }
  adopt(options.budgets)

  function choose(operationRow: number): void {
    const [service, operation] = [operations.service[operationRow], operations.operation[operationRow]]
    const index = choice.of(service as number, operation as number)
    chosen[operationRow] = index
    missing[operationRow] = index < 0 ? 0 : budgetOf(operationRow).targets.length
  }

  function mayOpen(named: boolean): boolean {
    return used < budgetRowsMax && (named || used - usedByName < budgetRowsMax - reserved)
  }

  function rowOf(operationRow: number, { name, thresholdNs }: BudgetTarget): number {
    for (let row = first[operationRow] as number; row >= 0; row = table.next[row] as number) {
      const target = table.target[row] as BudgetTarget
      if (target.name === name && target.thresholdNs === thresholdNs) return row
    }
    return NONE
  }

  function hold(row: number, operationRow: number): void {
    table.next[row] = first[operationRow] as number
    first[operationRow] = row
    missing[operationRow] = (missing[operationRow] as number) - 1
    used += 1
    if (isNamed(operationRow)) usedByName += 1
  }

  function openMissing(operationRow: number): void {
    const named = isNamed(operationRow)
    for (const target of budgetOf(operationRow).targets) {
      if (rowOf(operationRow, target) >= 0) continue
      if (!mayOpen(named)) return
      const row = table.take()
      table.operationRow[row] = operationRow
      table.target[row] = target
      table.createdMs[row] = nowMs
      hold(row, operationRow)
    }
  }

  /** The operation's rows, taken from it but not freed. */
  function letGo(operationRow: number): number[] {
    const rows: number[] = []
    for (let row = first[operationRow] as number; row >= 0; row = table.next[row] as number) rows.push(row)
    first[operationRow] = NONE
    return rows
  }

  function release(operationRow: number): void {
    const rows = letGo(operationRow)
    for (const row of rows) table.free(row)
    used -= rows.length
    if (rows.length > 0 && isNamed(operationRow)) usedByName -= rows.length
  }

  function add(row: number, result: number, weight: number): void {
    const cell = row * BUDGET_RESULTS + result
    table.requests[cell] = (table.requests[cell] as number) + weight
    table.addRecent(row, result, weight)
    for (let phase = 0; phase < PHASES; phase++) {
      const ns = phaseNs[phase] as number
      if (ns > 0) addWeighted(table.phaseNs, cell * PHASES + phase, ns, weight)
    }
  }

  function count(requests: RequestColumns, i: number, { row: operationRow, weight }: Booking): boolean {
    if ((chosen[operationRow] as number) < 0) return false
    if ((missing[operationRow] as number) > 0) {
      openMissing(operationRow)
      if ((missing[operationRow] as number) > 0) counters.add('tail_budget_overflow_total')
    }
    for (let phase = 0; phase < PHASES; phase++) {
      const slot = i * PHASE_SLOTS + phase * GRADES
      phaseNs[phase] =
        (requests.phaseNs[slot] as number) +
        (requests.phaseNs[slot + 1] as number) +
        (requests.phaseNs[slot + 2] as number)
    }
    const failed = requests.outcome[i] !== Outcome.ok
    let isOver = false
    for (let row = first[operationRow] as number; row >= 0; row = table.next[row] as number) {
      const { phase, thresholdNs } = table.target[row] as BudgetTarget
      const ns = phase === WHOLE_REQUEST ? (requests.durationNs[i] as number) : (phaseNs[phase] as number)
      if (ns > thresholdNs) {
        add(row, BudgetResult.over, weight)
        isOver = true
      } else if (!failed) add(row, BudgetResult.within, weight)
    }
    return isOver
  }

  /** What the operation's new budget asks as well goes on; the rest is given back. */
  function reassign(operationRow: number): void {
    const rows = letGo(operationRow)
    choose(operationRow)
    const targets = (chosen[operationRow] as number) < 0 ? [] : budgetOf(operationRow).targets
    for (const row of rows) {
      const { name, thresholdNs } = table.target[row] as BudgetTarget
      const target = targets.find((wanted) => wanted.name === name && wanted.thresholdNs === thresholdNs)
      if (target === undefined) {
        table.free(row)
        continue
      }
      table.target[row] = target
      hold(row, operationRow)
    }
  }

  function countOperations(): Uint32Array {
    const counts = new Uint32Array(table.budgets.length)
    for (let row = 0; row < operations.rows; row++) {
      if (operations.live[row] !== 1 || (first[row] as number) < 0) continue
      const index = chosen[row] as number
      counts[index] = (counts[index] as number) + 1
    }
    return counts
  }

  return {
    table,
    pinOf(service, operation) {
      const index = choice.of(service, operation)
      if (index < 0) return Pin.none
      return isLiteral(table.budgets[index] as Budget) ? Pin.name : Pin.pattern
    },
    ensureRows(rows) {
      const before = chosen.length
      chosen = grown(chosen, rows).fill(NONE, before)
      first = grown(first, rows).fill(NONE, before)
      missing = grown(missing, rows)
    },
    onTaken: choose,
    onFree(operationRow) {
      release(operationRow)
      chosen[operationRow] = NONE
      missing[operationRow] = 0
    },
    count,
    advance(now) {
      nowMs = now
      table.advance(now)
    },
    set(budgets) {
      adopt(budgets)
      used = 0
      usedByName = 0
      for (let row = 1; row < operations.rows; row++) if (operations.live[row] === 1) reassign(row)
    },
    addFrom(from, other, operationRow) {
      if ((chosen[operationRow] as number) < 0) return
      openMissing(operationRow)
      const row = rowOf(operationRow, from.target[other] as BudgetTarget)
      if (row < 0) {
        const [within, over] = from.requests.subarray(other * BUDGET_RESULTS)
        counters.add('tail_budget_overflow_total', (within as number) + (over as number))
        return
      }
      for (let result = 0; result < BUDGET_RESULTS; result++) {
        const [cell, fromCell] = [row * BUDGET_RESULTS + result, other * BUDGET_RESULTS + result]
        table.requests[cell] = (table.requests[cell] as number) + (from.requests[fromCell] as number)
        for (let phase = 0; phase < PHASES; phase++) {
          addCell(table.phaseNs, cell * PHASES + phase, from.phaseNs, fromCell * PHASES + phase)
        }
      }
    },
    forgetIds() {
      choice.forget()
    },
    bytes: () => table.bytes() + chosen.byteLength * 3
  }
}
