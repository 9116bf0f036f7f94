import { BUDGET_RESULTS } from '../model/budgets.ts'
import { createExactSums } from '../runtime/exact-sums.ts'
import { SKETCH_BINS } from '../runtime/sketch.ts'
import { PATTERNS } from '../model/patterns.ts'
import { BOUNDARY_BANDS, BOUNDARY_BUCKETS, BOUNDARY_COMPONENTS, boundaryBounds } from '../model/boundaries.ts'
import { GRADES, PHASES, Phase, PHASE_SLOTS } from '../model/phases.ts'
import { BANDS, OUTCOMES, QUANTILES } from '../model/requests.ts'
import { DURATION_BUCKETS, durationBounds, type TailTables } from '../model/tail.ts'
import { type SeriesLabels } from './series-labels.ts'
import { blameBands, series, type SeriesFamily } from './series.ts'
import { type HistogramCells, type ExpositionWriter } from './writer.ts'
import { type FirstUse, type ZeroFirst } from './zero-first.ts'

/** Written bytes after which other work gets its turn: about a millisecond. */
export const SLICE_BYTES = 128 * 1024

/** Bytes to send; each pair of slices has a turn of the event loop between them. */
export type Slices = Generator<readonly Uint8Array[], void, undefined>

export interface TableView<Labels> {
  readonly tables: TailTables
  readonly labels: SeriesLabels<Labels>
  readonly writer: ExpositionWriter<Labels>
  readonly zeroFirst: ZeroFirst
  /** Shared by all formats and scrapes. */
  readonly firstUse: FirstUses
  readonly nowMs: number
}

/** Series that are made on first use. */
export interface FirstUses {
  /** PHASE_SLOTS an operation. */
  readonly evidence: FirstUse
  /** One cell an operation. */
  readonly lead: FirstUse
  /** PATTERNS an operation. */
  readonly patterns: FirstUse
  /** PHASES a blame slot. */
  readonly blame: FirstUse
  /** PHASES a budget row. */
  readonly budget: FirstUse
}

/** Writes one row's series of one family. All of a row is read in one slice, so a histogram agrees with itself. */
type RowWriter = <Labels>(view: TableView<Labels>, row: number, hidden: boolean) => void

const zeros = new Float64Array(DURATION_BUCKETS)
const zeroSums = createExactSums(1)
const zeroSketch = new Float64Array(SKETCH_BINS)

const operationFamilies: readonly (readonly [SeriesFamily, RowWriter])[] = [
  [series.requestDuration, writeDurations],
  [series.requests, writeRequests],
  [series.phaseSeconds, writePhases],
  [series.phaseEvidence, writeEvidence],
  [series.patternSeconds, writePatternSeconds],
  [series.patternRequests, writePatternRequests],
  [series.leadSeconds, writeLead],
  [series.thresholds, writeThresholds],
  [series.partial, writePartial],
  [series.advice, writeAdvice]
]
const blameFamilies: readonly (readonly [SeriesFamily, RowWriter])[] = [
  [series.blameSeconds, writeBlameSeconds],
  [series.blameRequests, writeBlameRequests]
]
const budgetFamilies: readonly (readonly [SeriesFamily, RowWriter])[] = [
  [series.budgetRequests, writeBudgetRequests],
  [series.budgetPhaseSeconds, writeBudgetPhases],
  [series.budgetThreshold, writeBudgetThreshold],
  [series.budgetAllowedRatio, writeBudgetAllowed]
]

/** Every series of the tables, family by family. */
export function* renderTables<Labels>(view: TableView<Labels>): Slices {
  const { tables, writer, zeroFirst, nowMs } = view
  for (const [family, write] of operationFamilies) {
    writer.begin(family)
    for (let row = 0; row < tables.operations.rows; row++) {
      if (tables.operations.live[row] !== 1) continue
      write(view, row, zeroFirst.hides(tables.operations.createdMs[row] as number, nowMs))
      if (writer.pending() >= SLICE_BYTES) yield writer.take()
    }
    writer.end()
  }
  for (const [family, write] of blameFamilies) {
    writer.begin(family)
    for (let slot = 0; slot < tables.blame.slots; slot++) {
      if (tables.blame.live[slot] !== 1 || tables.operations.live[tables.blame.rootRow[slot] as number] !== 1) continue
      write(view, slot, zeroFirst.hides(tables.blame.createdMs[slot] as number, nowMs))
      if (writer.pending() >= SLICE_BYTES) yield writer.take()
    }
    writer.end()
  }
  for (const [family, write] of budgetFamilies) {
    writer.begin(family)
    for (let row = 0; row < tables.budgets.rows; row++) {
      if (tables.budgets.live[row] !== 1) continue
      write(view, row, zeroFirst.hides(tables.budgets.createdMs[row] as number, nowMs))
      if (writer.pending() >= SLICE_BYTES) yield writer.take()
    }
    writer.end()
  }
  yield* renderBoundaries(view)
}

function* renderBoundaries<Labels>(view: TableView<Labels>): Slices {
  const { tables, labels, writer, zeroFirst, nowMs } = view
  writer.begin(series.boundary)
  for (let cell = 0; cell < tables.boundaries.rows * BOUNDARY_COMPONENTS; cell++) {
    const { live, sinceMs, buckets, ns } = tables.boundaries
    if (live[cell] !== 1) continue
    const hidden = zeroFirst.hides(sinceMs[cell] as number, nowMs)
    for (let histogram = cell * BOUNDARY_BANDS; histogram < (cell + 1) * BOUNDARY_BANDS; histogram++) {
      writer.histogram(labels.boundary(histogram), {
        bounds: boundaryBounds,
        counts: hidden ? zeros : buckets,
        first: hidden ? 0 : histogram * BOUNDARY_BUCKETS,
        sums: hidden ? zeroSums : ns,
        sum: hidden ? 0 : histogram,
        native: false,
        sketch: undefined,
        exemplars: undefined
      })
    }
    if (writer.pending() >= SLICE_BYTES) yield writer.take()
  }
  writer.end()
}

function writeDurations<Labels>({ tables, labels, writer }: TableView<Labels>, row: number, hidden: boolean): void {
  const { durationBuckets, durationNs, sketch, exemplar } = tables.operations
  const cells: HistogramCells = {
    bounds: durationBounds,
    counts: hidden ? zeros : durationBuckets,
    first: hidden ? 0 : row * DURATION_BUCKETS,
    sums: hidden ? zeroSums : durationNs,
    sum: hidden ? 0 : row,
    native: true,
    sketch: hidden ? zeroSketch : sketch(row),
    exemplars: hidden ? undefined : { index: exemplar, first: row * DURATION_BUCKETS, ...tables.exemplars }
  }
  writer.histogram(labels.row(row), cells)
}

function writeRequests<Labels>({ tables, labels, writer }: TableView<Labels>, row: number, hidden: boolean): void {
  const { requests } = tables.operations
  const rowLabels = labels.row(row)
  const first = row * BANDS * OUTCOMES
  for (let cell = 0; cell < BANDS * OUTCOMES; cell++) {
    writer.number(rowLabels, labels.cells.requests[cell] as Labels, hidden ? 0 : (requests[first + cell] as number))
  }
}

function writePhases<Labels>({ tables, labels, writer }: TableView<Labels>, row: number, hidden: boolean): void {
  const { phaseNs } = tables.operations
  const rowLabels = labels.row(row)
  const first = row * BANDS * PHASES
  for (let cell = 0; cell < BANDS * PHASES; cell++) {
    const cellLabels = labels.cells.phases[cell] as Labels
    if (hidden) writer.number(rowLabels, cellLabels, 0)
    else writer.seconds(rowLabels, cellLabels, phaseNs, first + cell)
  }
}

function writeEvidence<Labels>(view: TableView<Labels>, row: number, hidden: boolean): void {
  const { tables, labels, writer, zeroFirst, firstUse, nowMs } = view
  const { evidenceNs, createdMs } = tables.operations
  const first = row * PHASE_SLOTS
  const madeMs = hidden ? (createdMs[row] as number) : nowMs
  firstUse.evidence.enter(row, createdMs[row] as number)
  for (let cell = 0; cell < Phase.unattributed * GRADES; cell++) {
    const used = evidenceNs.low[first + cell] !== 0 || evidenceNs.high[first + cell] !== 0
    const sinceMs = firstUse.evidence.since(row, cell, used, madeMs)
    if (Number.isNaN(sinceMs)) continue
    const cellLabels = labels.cells.evidence[cell] as Labels
    if (zeroFirst.hides(sinceMs, nowMs)) writer.number(labels.row(row), cellLabels, 0)
    else writer.seconds(labels.row(row), cellLabels, evidenceNs, first + cell)
  }
}

function writeLead<Labels>(view: TableView<Labels>, row: number, hidden: boolean): void {
  const { tables, labels, writer, zeroFirst, firstUse, nowMs } = view
  const { leadNs, createdMs } = tables.operations
  let used = false
  for (let cell = row * BANDS; cell < (row + 1) * BANDS; cell++) {
    if (leadNs.low[cell] !== 0 || leadNs.high[cell] !== 0) used = true
  }
  firstUse.lead.enter(row, createdMs[row] as number)
  const sinceMs = firstUse.lead.since(row, 0, used, hidden ? (createdMs[row] as number) : nowMs)
  if (Number.isNaN(sinceMs)) return
  for (let band = 0; band < BANDS; band++) {
    const cellLabels = labels.cells.lead[band] as Labels
    if (zeroFirst.hides(sinceMs, nowMs)) writer.number(labels.row(row), cellLabels, 0)
    else writer.seconds(labels.row(row), cellLabels, leadNs, row * BANDS + band)
  }
}

function writePatternSeconds<Labels>(view: TableView<Labels>, row: number, hidden: boolean): void {
  eachPattern(view, row, hidden, (cell, cellLabels, shown) => {
    const { labels, writer, tables } = view
    if (shown) writer.seconds(labels.row(row), cellLabels, tables.operations.patternNs, cell)
    else writer.number(labels.row(row), cellLabels, 0)
  })
}

function writePatternRequests<Labels>(view: TableView<Labels>, row: number, hidden: boolean): void {
  eachPattern(view, row, hidden, (cell, cellLabels, shown) => {
    const { labels, writer, tables } = view
    writer.number(labels.row(row), cellLabels, shown ? (tables.operations.patternRequests[cell] as number) : 0)
  })
}

type WriteCell<Labels> = (cell: number, cellLabels: Labels, shown: boolean) => void

/** A pattern gets its series, both bands and both families at once, when it is first seen. */
function eachPattern<Labels>(view: TableView<Labels>, row: number, hidden: boolean, write: WriteCell<Labels>): void {
  const { patternRequests, createdMs } = view.tables.operations
  const isUsed = (cell: number): boolean => patternRequests[cell] !== 0
  const of = { row, createdMs: createdMs[row] as number, hidden, kinds: PATTERNS, isUsed }
  eachUsedKind(view, { ...of, marks: view.firstUse.patterns, cellLabels: view.labels.cells.patterns }, write)
}

interface Kinds<Labels> {
  readonly row: number
  readonly createdMs: number
  readonly hidden: boolean
  readonly kinds: number
  readonly isUsed: (cell: number) => boolean
  readonly marks: FirstUse
  readonly cellLabels: readonly Labels[]
}

/** Of a row's cells, band by band and in each kind by kind: both bands of a kind show from when one of them was first used. */
function eachUsedKind<Labels>(
  { zeroFirst, nowMs }: TableView<Labels>,
  { row, createdMs, hidden, kinds, isUsed, marks, cellLabels }: Kinds<Labels>,
  write: WriteCell<Labels>
): void {
  const cells = blameBands.length * kinds
  const first = row * cells
  marks.enter(row, createdMs)
  for (let kind = 0; kind < kinds; kind++) {
    let used = false
    for (let cell = kind; cell < cells; cell += kinds) if (isUsed(first + cell)) used = true
    const sinceMs = marks.since(row, kind, used, hidden ? createdMs : nowMs)
    if (Number.isNaN(sinceMs)) continue
    const shown = !zeroFirst.hides(sinceMs, nowMs)
    for (let cell = kind; cell < cells; cell += kinds) write(first + cell, cellLabels[cell] as Labels, shown)
  }
}

function writeThresholds<Labels>({ tables, labels, writer }: TableView<Labels>, row: number): void {
  for (let quantile = 0; quantile < QUANTILES; quantile++) {
    const ns = tables.operations.thresholdNs[row * QUANTILES + quantile] as number
    writer.number(labels.row(row), labels.cells.thresholds[quantile] as Labels, ns / 1e9)
  }
}

function writePartial<Labels>({ tables, labels, writer }: TableView<Labels>, row: number, hidden: boolean): void {
  writer.number(labels.row(row), labels.none, hidden ? 0 : (tables.operations.partial[row] as number))
}

/** An operation's advice may change or end: then the series of the old one is gone. */
function writeAdvice<Labels>({ tables, labels, writer }: TableView<Labels>, row: number): void {
  const advice = labels.cells.advice[tables.advice.of(row)]
  if (advice !== undefined) writer.number(labels.row(row), advice, 1)
}

function writeBlameSeconds<Labels>(view: TableView<Labels>, slot: number, hidden: boolean): void {
  eachBlame(view, slot, hidden, (cell, cellLabels, shown) => {
    const { labels, writer, tables } = view
    if (shown) writer.seconds(labels.slot(slot), cellLabels, tables.blame.ns, cell)
    else writer.number(labels.slot(slot), cellLabels, 0)
  })
}

function writeBlameRequests<Labels>(view: TableView<Labels>, slot: number, hidden: boolean): void {
  eachBlame(view, slot, hidden, (cell, cellLabels, shown) => {
    const { labels, writer, tables } = view
    writer.number(labels.slot(slot), cellLabels, shown ? (tables.blame.requests[cell] as number) : 0)
  })
}

/** A culprit's phase gets its series, both bands and both families at once, when it is first blamed. */
function eachBlame<Labels>(view: TableView<Labels>, slot: number, hidden: boolean, write: WriteCell<Labels>): void {
  const { requests, ns, createdMs } = view.tables.blame
  const isUsed = (cell: number): boolean => requests[cell] !== 0 || ns.low[cell] !== 0 || ns.high[cell] !== 0
  const of = { row: slot, createdMs: createdMs[slot] as number, hidden, kinds: PHASES, isUsed }
  eachUsedKind(view, { ...of, marks: view.firstUse.blame, cellLabels: view.labels.cells.blame }, write)
}

function writeBudgetRequests<Labels>(
  { tables, labels, writer }: TableView<Labels>,
  row: number,
  hidden: boolean
): void {
  const { requests } = tables.budgets
  for (let result = 0; result < BUDGET_RESULTS; result++) {
    const value = hidden ? 0 : (requests[row * BUDGET_RESULTS + result] as number)
    writer.number(labels.budget(row), labels.cells.budgetRequests[result] as Labels, value)
  }
}

/** A phase gets its series, within and over at once, when any request had time of it. */
function writeBudgetPhases<Labels>(view: TableView<Labels>, row: number, hidden: boolean): void {
  const { tables, labels, writer, zeroFirst, firstUse, nowMs } = view
  const { phaseNs, createdMs } = tables.budgets
  const first = row * BUDGET_RESULTS * PHASES
  const madeMs = hidden ? (createdMs[row] as number) : nowMs
  firstUse.budget.enter(row, createdMs[row] as number)
  for (let phase = 0; phase < PHASES; phase++) {
    let used = false
    for (let cell = phase; cell < BUDGET_RESULTS * PHASES; cell += PHASES) {
      if (phaseNs.low[first + cell] !== 0 || phaseNs.high[first + cell] !== 0) used = true
    }
    const sinceMs = firstUse.budget.since(row, phase, used, madeMs)
    if (Number.isNaN(sinceMs)) continue
    const shown = !zeroFirst.hides(sinceMs, nowMs)
    for (let cell = phase; cell < BUDGET_RESULTS * PHASES; cell += PHASES) {
      const cellLabels = labels.cells.budgetPhases[cell] as Labels
      if (shown) writer.seconds(labels.budget(row), cellLabels, phaseNs, first + cell)
      else writer.number(labels.budget(row), cellLabels, 0)
    }
  }
}

function writeBudgetThreshold<Labels>({ tables, labels, writer }: TableView<Labels>, row: number): void {
  writer.number(labels.budget(row), labels.none, (tables.budgets.target[row]?.thresholdNs ?? NaN) / 1e9)
}

function writeBudgetAllowed<Labels>({ tables, labels, writer }: TableView<Labels>, row: number): void {
  writer.number(labels.budget(row), labels.none, tables.budgets.target[row]?.allowedRatio ?? NaN)
}
