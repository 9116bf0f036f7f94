import { BUDGET_RESULTS, budgetResults } from '../model/budgets.ts'
import { ADVICES, advices } from '../model/advice.ts'
import { PATTERNS, patterns } from '../model/patterns.ts'
import { BOUNDARY_BANDS, BOUNDARY_COMPONENTS, boundaryBands, boundaryComponents } from '../model/boundaries.ts'
import { GRADES, PHASES, PHASE_SLOTS, grades, phases } from '../model/phases.ts'
import { BANDS, OUTCOMES, QUANTILES, bands, outcomes, quantiles } from '../model/requests.ts'
import { languages } from '../model/spans.ts'
import { type TailTables } from '../model/tail.ts'
import { type LabelPair } from './labels.ts'
import { blameBands } from './series.ts'
import { type Encoding } from './writer.ts'

/** Labels of table cells, in the order of the tables' cells. */
export interface CellLabels<Labels> {
  readonly requests: readonly Labels[]
  readonly phases: readonly Labels[]
  readonly evidence: readonly Labels[]
  readonly lead: readonly Labels[]
  readonly patterns: readonly Labels[]
  readonly thresholds: readonly Labels[]
  readonly blame: readonly Labels[]
  readonly budgetRequests: readonly Labels[]
  readonly budgetPhases: readonly Labels[]
  readonly advice: readonly Labels[]
}

/** The labels of every series of the tables in one encoding, made once: escaping is most of what a scrape could cost. */
export interface SeriesLabels<Labels> {
  readonly none: Labels
  readonly cells: CellLabels<Labels>
  readonly row: (row: number) => Labels
  readonly slot: (slot: number) => Labels
  readonly budget: (row: number) => Labels
  /** Of a component of an edge in a band, by its place in the table. */
  readonly boundary: (histogram: number) => Labels
}

interface RowEntry<Labels> {
  readonly createdMs: number
  readonly service: number
  readonly operation: number
  readonly labels: Labels
}

interface SlotEntry<Labels> {
  readonly createdMs: number
  readonly root: RowEntry<Labels>
  readonly service: number
  readonly operation: number
  readonly labels: Labels
}

interface BudgetEntry<Labels> {
  readonly createdMs: number
  readonly operation: RowEntry<Labels>
  readonly budget: string
  readonly labels: Labels
}

interface BoundaryEntry<Labels> {
  readonly sinceMs: number
  readonly caller: number
  readonly callee: number
  readonly labels: Labels
}

export function createSeriesLabels<Labels>(
  encoding: Encoding<Labels>,
  tables: TailTables,
  nameOf: (id: number) => string
): SeriesLabels<Labels> {
  const rows: (RowEntry<Labels> | undefined)[] = []
  const slots: (SlotEntry<Labels> | undefined)[] = []
  const budgets: (BudgetEntry<Labels> | undefined)[] = []
  const boundaries: (BoundaryEntry<Labels> | undefined)[] = []

  /** A row that was given out again has another time: its entry is void. */
  function rowEntry(row: number): RowEntry<Labels> {
    const { operations } = tables
    const createdMs = operations.createdMs[row] as number
    const service = operations.service[row] as number
    const operation = operations.operation[row] as number
    const known = rows[row]
    if (known?.createdMs === createdMs && known.service === service && known.operation === operation) return known
    const labels = encoding.row([
      ['service_name', nameOf(service)],
      ['operation', nameOf(operation)]
    ])
    return (rows[row] = { createdMs, service, operation, labels })
  }

  function slotEntry(slot: number): SlotEntry<Labels> {
    const { blame } = tables
    const root = rowEntry(blame.rootRow[slot] as number)
    const createdMs = blame.createdMs[slot] as number
    const service = blame.culpritService[slot] as number
    const operation = blame.culpritOperation[slot] as number
    const known = slots[slot]
    if (known?.root === root && known.createdMs === createdMs && known.service === service) {
      if (known.operation === operation) return known
    }
    const labels = encoding.row([
      ['root_service_name', nameOf(root.service)],
      ['root_operation', nameOf(root.operation)],
      ['culprit_service_name', nameOf(service)],
      ['culprit_operation', nameOf(operation)]
    ])
    return (slots[slot] = { createdMs, root, service, operation, labels })
  }

  function budgetEntry(row: number): BudgetEntry<Labels> {
    const table = tables.budgets
    const operation = rowEntry(table.operationRow[row] as number)
    const createdMs = table.createdMs[row] as number
    const budget = table.target[row]?.name ?? ''
    const known = budgets[row]
    if (known?.operation === operation && known.createdMs === createdMs && known.budget === budget) return known
    const labels = encoding.row([
      ['service_name', nameOf(operation.service)],
      ['operation', nameOf(operation.operation)],
      ['budget', budget]
    ])
    return (budgets[row] = { createdMs, operation, budget, labels })
  }

  function boundaryEntry(histogram: number): BoundaryEntry<Labels> {
    const { callerService, calleeService, callerLanguage, calleeLanguage, sinceMs: sinces } = tables.boundaries
    const cell = Math.floor(histogram / BOUNDARY_BANDS)
    const row = Math.floor(cell / BOUNDARY_COMPONENTS)
    const sinceMs = sinces[cell] as number
    const caller = callerService[row] as number
    const callee = calleeService[row] as number
    const known = boundaries[histogram]
    if (known?.sinceMs === sinceMs && known.caller === caller && known.callee === callee) return known
    const labels = encoding.row([
      ['caller_service_name', nameOf(caller)],
      ['caller_language', languages[callerLanguage[row] as number] as string],
      ['callee_service_name', nameOf(callee)],
      ['callee_language', languages[calleeLanguage[row] as number] as string],
      ['component', boundaryComponents[cell % BOUNDARY_COMPONENTS] as string],
      ['band', boundaryBands[histogram % BOUNDARY_BANDS] as string]
    ])
    return (boundaries[histogram] = { sinceMs, caller, callee, labels })
  }

  return {
    none: encoding.none,
    cells: cellLabels(encoding),
    row: (row) => rowEntry(row).labels,
    slot: (slot) => slotEntry(slot).labels,
    budget: (row) => budgetEntry(row).labels,
    boundary: (histogram) => boundaryEntry(histogram).labels
  }
}

function cellLabels<Labels>({ cell: encode }: Encoding<Labels>): CellLabels<Labels> {
  const labels = (count: number, pairs: (cell: number) => LabelPair[]): Labels[] =>
    Array.from({ length: count }, (_, cell) => encode(pairs(cell)))
  const label = (name: string, values: readonly string[], index: number): LabelPair => [name, values[index] as string]
  const band = (index: number): LabelPair => label('band', bands, Math.floor(index))
  const phase = (index: number): LabelPair => label('phase', phases, Math.floor(index))
  const result = (index: number): LabelPair => label('result', budgetResults, Math.floor(index))
  return {
    requests: labels(BANDS * OUTCOMES, (cell) => [band(cell / OUTCOMES), label('outcome', outcomes, cell % OUTCOMES)]),
    phases: labels(BANDS * PHASES, (cell) => [phase(cell % PHASES), band(cell / PHASES)]),
    evidence: labels(PHASE_SLOTS, (cell) => [phase(cell / GRADES), label('grade', grades, cell % GRADES)]),
    lead: labels(BANDS, (cell) => [band(cell)]),
    patterns: labels(blameBands.length * PATTERNS, (cell) => [
      label('pattern', patterns, cell % PATTERNS),
      label('band', blameBands, Math.floor(cell / PATTERNS))
    ]),
    thresholds: labels(QUANTILES, (cell) => [['quantile', String(quantiles[cell])]]),
    blame: labels(blameBands.length * PHASES, (cell) => [
      phase(cell % PHASES),
      label('band', blameBands, Math.floor(cell / PHASES))
    ]),
    budgetRequests: labels(BUDGET_RESULTS, (cell) => [result(cell)]),
    budgetPhases: labels(BUDGET_RESULTS * PHASES, (cell) => [result(cell / PHASES), phase(cell % PHASES)]),
    advice: labels(ADVICES, (cell) => [label('advice', advices, cell)])
  }
}
