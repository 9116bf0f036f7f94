import {
  type Budget,
  BUDGET_RESULTS,
  BudgetResult,
  type BudgetTable,
  type BudgetTarget,
  type RecentRequests
} from '../../model/budgets.ts'
import { PHASES } from '../../model/phases.ts'
import { clearExact, type ExactSums } from '../../runtime/exact-sums.ts'
import { emptySums, grown, grownSums } from '../columns.ts'

/** Slices of the window. */
const SLICES = 10
/** Cells of a slice: weighted requests by result, and requests unweighted. */
const SLICE_CELLS = BUDGET_RESULTS + 1
const PHASE_CELLS = BUDGET_RESULTS * PHASES
const FIRST_ROWS = 16

/** The columns of BudgetTable with what only their owner may change. */
export interface MutableBudgetTable extends BudgetTable {
  budgets: readonly Budget[]
  rows: number
  live: Uint8Array
  operationRow: Uint32Array
  readonly target: BudgetTarget[]
  createdMs: Float64Array
  requests: Float64Array
  phaseNs: ExactSums
  /** Next row of the same operation, -1 = last. */
  next: Int32Array
  readonly bytes: () => number
  /** A row that nobody uses, with every cell at zero. */
  readonly take: () => number
  readonly free: (row: number) => void
  /** Moves the window. */
  readonly advance: (nowMs: number) => void
  readonly addRecent: (row: number, result: number, weight: number) => void
}

export function createBudgetTable(windowMs: number, operations: () => Uint32Array): MutableBudgetTable {
  const sliceMs = windowMs / SLICES
  let present = 0
  /** row * SLICES + slice modulo SLICES: which slice the cells are of. */
  let sliceOf = new Float64Array(0)
  let recent = new Float64Array(0)
  const unused: number[] = []

  const table: MutableBudgetTable = {
    budgets: [],
    rows: 0,
    live: new Uint8Array(0),
    operationRow: new Uint32Array(0),
    target: [],
    createdMs: new Float64Array(0),
    requests: new Float64Array(0),
    phaseNs: emptySums(),
    next: new Int32Array(0),
    windowMs,
    operations,
    recent: sumRecent,
    bytes() {
      const cells = 2 + BUDGET_RESULTS + 2 * PHASE_CELLS + SLICES * (1 + SLICE_CELLS)
      return table.live.length * (cells * 8 + 9)
    },
    take() {
      const row = unused.pop() ?? table.rows++
      if (row >= table.live.length) grow(Math.max(FIRST_ROWS, table.live.length * 2))
      table.live[row] = 1
      return row
    },
    free(row) {
      table.live[row] = 0
      table.requests.fill(0, row * BUDGET_RESULTS, (row + 1) * BUDGET_RESULTS)
      clearExact(table.phaseNs, row * PHASE_CELLS, PHASE_CELLS)
      sliceOf.fill(-1, row * SLICES, (row + 1) * SLICES)
      unused.push(row)
    },
    advance(nowMs) {
      present = Math.max(present, Math.floor(nowMs / sliceMs))
    },
    addRecent(row, result, weight) {
      const slice = row * SLICES + (present % SLICES)
      const first = slice * SLICE_CELLS
      if (sliceOf[slice] !== present) {
        sliceOf[slice] = present
        recent.fill(0, first, first + SLICE_CELLS)
      }
      recent[first + result] = (recent[first + result] as number) + weight
      recent[first + BUDGET_RESULTS] = (recent[first + BUDGET_RESULTS] as number) + 1
    }
  }

  function grow(rows: number): void {
    const before = table.live.length
    table.live = grown(table.live, rows)
    table.operationRow = grown(table.operationRow, rows)
    table.createdMs = grown(table.createdMs, rows)
    table.requests = grown(table.requests, rows * BUDGET_RESULTS)
    table.phaseNs = grownSums(table.phaseNs, rows * PHASE_CELLS)
    table.next = grown(table.next, rows)
    sliceOf = grown(sliceOf, rows * SLICES).fill(-1, before * SLICES)
    recent = grown(recent, rows * SLICES * SLICE_CELLS)
  }

  function sumRecent(row: number): RecentRequests {
    const sums = [0, 0, 0]
    for (let slice = row * SLICES; slice < (row + 1) * SLICES; slice++) {
      if ((sliceOf[slice] as number) <= present - SLICES) continue
      for (let cell = 0; cell < SLICE_CELLS; cell++)
        sums[cell] = (sums[cell] as number) + (recent[slice * SLICE_CELLS + cell] as number)
    }
    return {
      within: sums[BudgetResult.within] as number,
      over: sums[BudgetResult.over] as number,
      seen: sums[BUDGET_RESULTS] as number
    }
  }

  return table
}
