import { createBudgetTable, type MutableBudgetTable } from '../../src/explain/budgets/budget-table.ts'
import { BUDGET_RESULTS, type Budget, type BudgetTarget } from '../../src/model/budgets.ts'
import { ADVICES } from '../../src/model/advice.ts'
import { addExact, createExactSums, type ExactSums } from '../../src/runtime/exact-sums.ts'
import { SKETCH_BINS, sketchBin } from '../../src/runtime/sketch.ts'
import { createStrings, OTHER_ID, type Strings } from '../../src/runtime/strings.ts'
import { PATTERNS } from '../../src/model/patterns.ts'
import { BOUNDARY_BANDS, BOUNDARY_BUCKETS, BOUNDARY_COMPONENTS } from '../../src/model/boundaries.ts'
import { GRADES, PHASES, PHASE_SLOTS } from '../../src/model/phases.ts'
import { BANDS, OUTCOMES, QUANTILES } from '../../src/model/requests.ts'
import { type Resources } from '../../src/model/spans.ts'
import {
  DURATION_BUCKETS,
  durationBounds,
  type AdviceTable,
  type BlameTable,
  type BoundaryTable,
  type ExemplarTable,
  type OperationTable,
  type RetainedTrace,
  type ServiceSampling,
  type TailTables
} from '../../src/model/tail.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What one request adds to its operation's row. */
export interface RequestDraft {
  readonly durationNs: number
  readonly band: number
  readonly outcome?: number
  readonly weight?: number
  readonly leadNs?: number
  /** Ns by phase and grade; what is missing to the duration is unattributed. */
  readonly phases?: readonly (readonly [phase: number, grade: number, ns: number])[]
}

export interface BlameDraft {
  readonly root: number
  readonly service: string
  readonly operation: string
  readonly createdMs?: number
}

export interface BudgetDraft {
  readonly operation: number
  readonly target: BudgetTarget
  readonly createdMs?: number
}

export interface BoundaryDraft {
  readonly edge: number
  readonly caller: string
  readonly callee: string
  readonly callerLanguage: number
  readonly calleeLanguage: number
  readonly component: number
  readonly band: number
  readonly bucket: number
  readonly ns: number
  readonly sinceMs?: number
}

/** Tail tables filled by hand, as explain would fill them. */
export interface TableDraft {
  readonly tables: TailTables
  readonly operations: Mutable<OperationTable>
  readonly blame: Mutable<BlameTable>
  readonly budgets: MutableBudgetTable
  readonly exemplars: ExemplarTable
  /** Advice by row, in place of what the row lacks. */
  readonly adviceOf: Map<number, number>
  readonly strings: Strings
  readonly resources: Resources
  readonly samplings: ServiceSampling[]
  readonly retained: Map<string, RetainedTrace[]>
  readonly addOperation: (service: string, operation: string, createdMs?: number) => number
  readonly addRequest: (row: number, request: RequestDraft) => void
  /** One call of an edge: services, languages, component, band, bucket and ns. */
  readonly addBoundary: (boundary: BoundaryDraft) => void
  readonly addSlot: (slot: BlameDraft) => number
  /** band 0 = le_p50, 1 = gt_p99. */
  readonly addBlame: (slot: number, band: number, phase: number, ns: number) => void
  readonly setBudgets: (budgets: readonly Budget[]) => void
  readonly addTarget: (target: BudgetDraft) => number
  /** A request against a target, with its time in one phase. */
  readonly addBudgeted: (row: number, result: number, phase: number, ns: number) => void
  /** band 0 = le_p50, 1 = gt_p99. */
  readonly addPattern: (row: number, band: number, pattern: number, ns: number) => void
  readonly setThresholds: (row: number, ns: readonly number[]) => void
  readonly setExemplar: (row: number, exemplar: { traceId: readonly number[]; ns: number; atMs: number }) => void
  /** Makes the row empty and free, as when its operation was idle. */
  readonly freeRow: (row: number) => void
}

const noResources: Resources = {
  rows: 0,
  service: new Uint32Array(0),
  process: new Uint32Array(0),
  host: new Uint32Array(0),
  version: new Uint32Array(0),
  language: new Uint8Array(0)
}

const strings = () => createStrings({ stringsMax: 100_000, bytesMax: 1 << 26, stringBytesMax: 1024, seed: 7 })

export function draftTables(rows = 64, slots = 64): TableDraft {
  const names = strings()
  const sketches = new Map<number, Float64Array>()
  const operations = emptyOperations(rows, (row) => sketches.get(row))
  const blame = emptyBlame(slots)
  const budgeted = (): number => new Set(budgets.operationRow.subarray(0, budgets.rows)).size
  const budgets = createBudgetTable(600_000, () => Uint32Array.from(budgets.budgets, budgeted))
  const exemplars = {
    traceId: new Uint32Array(rows * 4),
    valueNs: new Float64Array(rows),
    atMs: new Float64Array(rows)
  }
  const samplings: ServiceSampling[] = []
  const retained = new Map<string, RetainedTrace[]>()
  const boundaries = emptyBoundaries(16)
  const adviceOf = new Map<number, number>()
  const advice: AdviceTable = {
    ns: new Float64Array(rows * ADVICES),
    tailNs: new Float64Array(rows),
    missingCall: new Uint32Array(rows),
    of: (row) => adviceOf.get(row) ?? -1
  }
  let exemplarRows = 0

  function addOperation(service: string, operation: string, createdMs = 0): number {
    let row = 1
    while (operations.live[row] === 1) row += 1
    operations.live[row] = 1
    operations.service[row] = names.internText(service)
    operations.operation[row] = names.internText(operation)
    operations.createdMs[row] = createdMs
    operations.rows = Math.max(operations.rows, row + 1)
    return row
  }

  function addRequest(row: number, request: RequestDraft): void {
    const { durationNs, band, outcome = 0, weight = 1, leadNs = 0, phases = [] } = request
    add(operations.requests, (row * BANDS + band) * OUTCOMES + outcome, weight)
    add(operations.durationBuckets, row * DURATION_BUCKETS + bucketOf(durationNs), weight)
    addExact(operations.durationNs, row, durationNs * weight)
    addExact(operations.leadNs, row * BANDS + band, leadNs * weight)
    const sketch = sketches.get(row) ?? new Float64Array(SKETCH_BINS)
    sketches.set(row, sketch)
    add(sketch, sketchBin(durationNs), weight)
    let rest = durationNs
    for (const [phase, grade, ns] of phases) {
      rest -= ns
      addExact(operations.phaseNs, (row * BANDS + band) * PHASES + phase, ns * weight)
      if (band === 3) addExact(operations.evidenceNs, row * PHASE_SLOTS + phase * GRADES + grade, ns * weight)
    }
    addExact(operations.phaseNs, (row * BANDS + band) * PHASES + PHASES - 1, rest * weight)
  }

  return {
    tables: {
      operations,
      blame,
      budgets,
      advice,
      boundaries,
      exemplars,
      samplings: () => samplings,
      retained: () => undefined,
      retainedOf: (service, operation) => retained.get(`${names.text(service)} ${names.text(operation)}`) ?? []
    },
    operations,
    blame,
    budgets,
    exemplars,
    adviceOf,
    strings: names,
    resources: noResources,
    samplings,
    retained,
    addOperation,
    addRequest,
    addBoundary(draft) {
      const { edge, component, band, bucket, ns } = draft
      boundaries.rows = Math.max(boundaries.rows, edge + 1)
      boundaries.callerService[edge] = names.internText(draft.caller)
      boundaries.calleeService[edge] = names.internText(draft.callee)
      boundaries.callerLanguage[edge] = draft.callerLanguage
      boundaries.calleeLanguage[edge] = draft.calleeLanguage
      const cell = edge * BOUNDARY_COMPONENTS + component
      boundaries.live[cell] = 1
      boundaries.sinceMs[cell] = draft.sinceMs ?? 0
      add(boundaries.buckets, (cell * BOUNDARY_BANDS + band) * BOUNDARY_BUCKETS + bucket, 1)
      addExact(boundaries.ns, cell * BOUNDARY_BANDS + band, ns)
    },
    addSlot({ root, service, operation, createdMs = 0 }) {
      const slot = blame.slots
      blame.slots += 1
      blame.live[slot] = 1
      blame.rootRow[slot] = root
      blame.culpritService[slot] = names.internText(service)
      blame.culpritOperation[slot] = names.internText(operation)
      blame.createdMs[slot] = createdMs
      return slot
    },
    addBlame(slot, band, phase, ns) {
      const cell = (slot * 2 + band) * PHASES + phase
      addExact(blame.ns, cell, ns)
      add(blame.requests, cell, 1)
    },
    setBudgets(wanted) {
      budgets.budgets = wanted
    },
    addTarget({ operation, target, createdMs = 0 }) {
      const row = budgets.take()
      budgets.operationRow[row] = operation
      budgets.target[row] = target
      budgets.createdMs[row] = createdMs
      return row
    },
    addBudgeted(row, result, phase, ns) {
      const cell = row * BUDGET_RESULTS + result
      add(budgets.requests, cell, 1)
      budgets.addRecent(row, result, 1)
      addExact(budgets.phaseNs, cell * PHASES + phase, ns)
    },
    addPattern(row, band, pattern, ns) {
      const cell = (row * 2 + band) * PATTERNS + pattern
      addExact(operations.patternNs, cell, ns)
      add(operations.patternRequests, cell, 1)
    },
    setThresholds(row, ns) {
      ns.forEach((value, quantile) => {
        operations.thresholdNs[row * QUANTILES + quantile] = value
      })
    },
    setExemplar(row, { traceId, ns, atMs }) {
      exemplars.traceId.set(traceId, exemplarRows * 4)
      exemplars.valueNs[exemplarRows] = ns
      exemplars.atMs[exemplarRows] = atMs
      operations.exemplar[row * DURATION_BUCKETS + bucketOf(ns)] = exemplarRows
      exemplarRows += 1
    },
    freeRow(row) {
      sketches.delete(row)
      operations.live[row] = 0
      clearRow(operations, row)
    }
  }
}

function emptyOperations(rows: number, sketch: OperationTable['sketch']): Mutable<OperationTable> {
  const table = {
    rows: 1,
    live: new Uint8Array(rows),
    service: new Uint32Array(rows),
    operation: new Uint32Array(rows),
    class: new Uint8Array(rows),
    createdMs: new Float64Array(rows),
    lastSeenMs: new Float64Array(rows),
    seen: new Float64Array(rows),
    requests: new Float64Array(rows * BANDS * OUTCOMES),
    durationBuckets: new Float64Array(rows * DURATION_BUCKETS),
    durationNs: createExactSums(rows),
    sketch,
    phaseNs: createExactSums(rows * BANDS * PHASES),
    evidenceNs: createExactSums(rows * PHASE_SLOTS),
    leadNs: createExactSums(rows * BANDS),
    patternNs: createExactSums(rows * 2 * PATTERNS),
    patternRequests: new Float64Array(rows * 2 * PATTERNS),
    partial: new Float64Array(rows),
    thresholdNs: new Float64Array(rows * QUANTILES).fill(NaN),
    exemplar: new Int32Array(rows * DURATION_BUCKETS).fill(-1)
  }
  table.live[0] = 1
  table.service[0] = OTHER_ID
  table.operation[0] = OTHER_ID
  return table
}

function emptyBoundaries(rows: number): BoundaryTable {
  const cells = rows * BOUNDARY_COMPONENTS
  return {
    rows: 0,
    callerService: new Uint32Array(rows),
    calleeService: new Uint32Array(rows),
    callerLanguage: new Uint8Array(rows),
    calleeLanguage: new Uint8Array(rows),
    live: new Uint8Array(cells),
    sinceMs: new Float64Array(cells),
    buckets: new Float64Array(cells * BOUNDARY_BANDS * BOUNDARY_BUCKETS),
    ns: createExactSums(cells * BOUNDARY_BANDS)
  }
}

function emptyBlame(slots: number): Mutable<BlameTable> {
  return {
    slots: 0,
    live: new Uint8Array(slots),
    rootRow: new Uint32Array(slots),
    culpritService: new Uint32Array(slots),
    culpritOperation: new Uint32Array(slots),
    createdMs: new Float64Array(slots),
    ns: createExactSums(slots * 2 * PHASES),
    requests: new Float64Array(slots * 2 * PHASES)
  }
}

function clearRow(table: OperationTable, row: number): void {
  const clear = (cells: Float64Array, perRow: number): void => {
    cells.fill(0, row * perRow, (row + 1) * perRow)
  }
  const clearSums = (sums: ExactSums, perRow: number): void => {
    clear(sums.low, perRow)
    clear(sums.high, perRow)
  }
  clear(table.requests, BANDS * OUTCOMES)
  clear(table.durationBuckets, DURATION_BUCKETS)
  clearSums(table.durationNs, 1)
  clearSums(table.phaseNs, BANDS * PHASES)
  clearSums(table.evidenceNs, PHASE_SLOTS)
  clearSums(table.leadNs, BANDS)
  clearSums(table.patternNs, 2 * PATTERNS)
  clear(table.patternRequests, 2 * PATTERNS)
  table.thresholdNs.fill(NaN, row * QUANTILES, (row + 1) * QUANTILES)
  table.exemplar.fill(-1, row * DURATION_BUCKETS, (row + 1) * DURATION_BUCKETS)
}

function add(cells: Float64Array, cell: number, by: number): void {
  cells[cell] = (cells[cell] as number) + by
}

function bucketOf(ns: number): number {
  const bucket = durationBounds.findIndex((bound) => ns <= bound * 1e9)
  return bucket === -1 ? durationBounds.length : bucket
}
