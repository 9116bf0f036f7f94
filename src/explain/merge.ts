import { type BudgetTable } from '../model/budgets.ts'
import { PHASES, PHASE_SLOTS } from '../model/phases.ts'
import { Band, BANDS, OUTCOMES, QUANTILES } from '../model/requests.ts'
import { type AdviceTable, type BoundaryTable, DURATION_BUCKETS, type OperationTable } from '../model/tail.ts'
import { type ExactSums } from '../runtime/exact-sums.ts'
import { OTHER_ID, type Strings } from '../runtime/strings.ts'
import { type AdviceSums } from './advice-table.ts'
import { type BlameSlots } from './blame-slots.ts'
import { BlameBand, type BlameSums, SLOT_CELLS, slotWorth } from './blame-table.ts'
import { addCell } from './columns.ts'
import { OTHER_ROW, PATTERN_CELLS } from './operation-table.ts'
import { type Boundaries } from './boundaries.ts'
import { type Operations } from './operations.ts'

export interface MergeTarget {
  readonly operations: Operations
  readonly blame: BlameSlots
  readonly advice: AdviceSums
  readonly boundaries: Boundaries
  readonly strings: Strings
}

export interface MergeSource {
  readonly tables: {
    readonly operations: OperationTable
    readonly blame: BlameSums
    readonly budgets: BudgetTable
    readonly advice: AdviceTable
    readonly boundaries: BoundaryTable
  }
  readonly strings: Strings
}

/**
 * Adds up every counter of another explainer: operations and culprits are matched by name. An operation without a row
 * here counts as `__other__`, and the blame it had as a root is left out. Thresholds are taken over where this side has
 * none; exemplars and kept traces stay where they are. Blame that the other side still gathers comes with a later merge.
 */
export function mergeTables(into: MergeTarget, from: MergeSource, nowMs: number): void {
  const sameStrings = into.strings === from.strings
  const id = (other: number): number =>
    sameStrings || other === OTHER_ID ? other : into.strings.internText(from.strings.text(other))
  const rowOf = mergeOperations(into.operations, from.tables.operations, { id, nowMs })
  mergeBudgets(into.operations, from.tables.budgets, rowOf)
  for (const [other, row] of rowOf.entries()) {
    if (row === OTHER_ROW) continue
    into.advice.add(row, from.tables.advice, other, id(from.tables.advice.missingCall[other] as number))
  }
  into.boundaries.merge(from.tables.boundaries, id, nowMs)
  mergeBlame(into.blame, from.tables.blame, { id, nowMs, rowOf })
}

interface Mapping {
  readonly id: (id: number) => number
  readonly nowMs: number
}

/** Returns the row here of each row there. */
function mergeOperations(operations: Operations, from: OperationTable, { id, nowMs }: Mapping): Uint32Array {
  const rowOf = new Uint32Array(from.rows)
  for (let other = 0; other < from.rows; other++) {
    if (from.live[other] === 0) continue
    const isOther = other === OTHER_ROW
    const row = isOther
      ? OTHER_ROW
      : operations.take(id(from.service[other] as number), id(from.operation[other] as number), nowMs)
    rowOf[other] = row
    addRow(operations, row, from, other)
    if (row !== OTHER_ROW) describeRow(operations, row, from, other)
  }
  return rowOf
}

function describeRow({ table }: Operations, row: number, from: OperationTable, other: number): void {
  table.class[row] = from.class[other] as number
  table.createdMs[row] = Math.min(table.createdMs[row] as number, from.createdMs[other] as number)
  table.lastSeenMs[row] = Math.max(table.lastSeenMs[row] as number, from.lastSeenMs[other] as number)
  if (!Number.isNaN(table.thresholdNs[row * QUANTILES])) return
  table.thresholdNs.set(from.thresholdNs.subarray(other * QUANTILES, (other + 1) * QUANTILES), row * QUANTILES)
}

function addRow(operations: Operations, row: number, from: OperationTable, other: number): void {
  const { table } = operations
  addCells(table.seen, row, from.seen, other, 1)
  addCells(table.partial, row, from.partial, other, 1)
  addCells(table.durationBuckets, row, from.durationBuckets, other, DURATION_BUCKETS)
  addSums(table.durationNs, row, from.durationNs, other, 1)
  for (let band = 0; band < BANDS; band++) {
    // `__other__` is never banded.
    const into = row * BANDS + (row === OTHER_ROW ? Band.none : band)
    addCells(table.requests, into, from.requests, other * BANDS + band, OUTCOMES)
    addSums(table.phaseNs, into, from.phaseNs, other * BANDS + band, PHASES)
    addSums(table.leadNs, into, from.leadNs, other * BANDS + band, 1)
  }
  if (row !== OTHER_ROW) {
    addSums(table.patternNs, row, from.patternNs, other, PATTERN_CELLS)
    addCells(table.patternRequests, row, from.patternRequests, other, PATTERN_CELLS)
    addSums(table.evidenceNs, row, from.evidenceNs, other, PHASE_SLOTS)
  }
  const sketch = from.sketch(other)
  if (sketch === undefined) return
  for (const [bin, weight] of sketch.entries()) if (weight > 0) operations.addToSketch(row, bin, weight)
}

/** Where this side has the same target for the operation; another threshold is another question. */
function mergeBudgets({ budgets }: Operations, from: BudgetTable, rowOf: Uint32Array): void {
  for (let row = 0; row < from.rows; row++) {
    const operationRow = rowOf[from.operationRow[row] as number] as number
    if (from.live[row] === 1 && operationRow !== OTHER_ROW) budgets.addFrom(from, row, operationRow)
  }
}

function mergeBlame(blame: BlameSlots, from: BlameSums, { id, nowMs, rowOf }: Mapping & { rowOf: Uint32Array }): void {
  const roots = new Set<number>()
  for (let slot = 0; slot < from.slots; slot++) {
    if (from.live[slot] === 0) continue
    const otherRoot = from.rootRow[slot] as number
    const root = rowOf[otherRoot] as number
    if (root === OTHER_ROW) continue
    const [service, operation] = [from.culpritService[slot] as number, from.culpritOperation[slot] as number]
    const culprit = { service: id(service), operation: id(operation), worth: slotWorth(from, slot) }
    const into = blame.slotFor(root, culprit, nowMs)
    if (into < 0) continue
    addCells(blame.table.requests, into, from.requests, slot, SLOT_CELLS)
    addSums(blame.table.ns, into, from.ns, slot, SLOT_CELLS)
    roots.add(otherRoot)
  }
  for (const root of roots) {
    for (const band of Object.values(BlameBand)) {
      blame.addRequests(rowOf[root] as number, band, from.rootRequests(root, band))
    }
  }
  blame.settleAll(nowMs)
}

/** Adds the `width` cells of one row to another's. */
function addCells(into: Float64Array, row: number, from: Float64Array, other: number, width: number): void {
  for (let i = 0; i < width; i++) {
    into[row * width + i] = (into[row * width + i] as number) + (from[other * width + i] as number)
  }
}

function addSums(into: ExactSums, row: number, from: ExactSums, other: number, width: number): void {
  for (let i = 0; i < width; i++) addCell(into, row * width + i, from, other * width + i)
}
