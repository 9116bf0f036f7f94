import { type PatternName, patterns } from '../model/patterns.ts'
import { type PhaseName, PHASES, Phase, phases } from '../model/phases.ts'
import { Band, BANDS, classes, type ClassName, Outcome, OUTCOMES, quantiles, QUANTILES } from '../model/requests.ts'
import { type AdviceTable, type BoundaryTable, type OperationTable } from '../model/tail.ts'
import { exactToNumber } from '../runtime/exact-sums.ts'
import { SKETCH_BINS, sketchQuantile } from '../runtime/sketch.ts'
import { OTHER_ID, type Strings } from '../runtime/strings.ts'
import { adviceFor, type AdviceSummary } from './advice.ts'
import { unattributedShare } from './advice-table.ts'
import { type BoundarySummary, summarizeBoundaries } from './boundary-summary.ts'
import { BlameBand, type BlameSums } from './blame-table.ts'
import { OTHER_ROW, patternCell, requestsOfBand } from './operation-table.ts'

export type PhaseMeans = Readonly<Record<PhaseName, number>>

/** One operation as `analyze --json` and /api/v1/tail show it. Without thresholds (under 200 requests) there is no tail. */
export interface OperationSummary {
  readonly service: string
  readonly operation: string
  readonly class: ClassName
  readonly requests: number
  readonly weight: number
  readonly quantiles_ns: {
    readonly p50: number | null
    readonly p95: number | null
    readonly p99: number | null
    readonly p999: number | null
  }
  readonly body: { readonly phases_mean_ns: PhaseMeans } | null
  readonly tail: { readonly phases_mean_ns: PhaseMeans } | null
  readonly excess_mean_ns: PhaseMeans | null
  readonly dominant: PhaseName | null
  readonly attributed_share: number | null
  /** Of the time of its slowest requests lately, not of their excess. */
  readonly unattributed_tail_share: number | null
  /** At most one. */
  readonly advice: readonly AdviceSummary[]
  /** Those that any request of the body or the tail shows; empty without a tail. */
  readonly patterns: readonly PatternSummary[]
}

/** Share of the requests that show a pattern, and what it costs a request of all on average. */
export interface PatternShare {
  readonly requests_share: number
  readonly mean_ns: number
}

export interface PatternSummary {
  readonly pattern: PatternName
  readonly body: PatternShare
  readonly tail: PatternShare
  readonly excess_mean_ns: number
}

export interface BlameSummary {
  readonly root: { readonly service: string; readonly operation: string }
  readonly culprit: { readonly service: string; readonly operation: string; readonly phase: PhaseName }
  readonly excess_mean_ns: number
  readonly share: number
}

export interface TailSummary {
  readonly operations: readonly OperationSummary[]
  readonly blame: readonly BlameSummary[]
  readonly boundaries: readonly BoundarySummary[]
}

export interface OperationTables {
  readonly operations: OperationTable
  readonly advice: AdviceTable
}

export interface SummaryTables extends OperationTables {
  readonly blame: BlameSums
  readonly boundaries: BoundaryTable
}

/** All of the below, and the boundaries. */
export function summarize(tables: SummaryTables, strings: Strings): TailSummary {
  return {
    operations: summarizeOperations(tables, strings),
    blame: summarizeBlame(tables, strings),
    boundaries: summarizeBoundaries(tables.boundaries, strings)
  }
}

/** Operations by name, `__other__` last. */
export function summarizeOperations(
  { operations: table, advice }: OperationTables,
  strings: Strings
): readonly OperationSummary[] {
  return namedRows(table, strings).map(({ row, service, operation }) => ({
    service,
    operation,
    ...summarizeRow(table, row),
    unattributed_tail_share: unattributedShare(advice, row),
    advice: adviceFor(advice, row, strings)
  }))
}

/** Blame by root in the order of the operations, the largest excess first. */
export function summarizeBlame(
  { operations, blame }: Pick<SummaryTables, 'operations' | 'blame'>,
  strings: Strings
): readonly BlameSummary[] {
  const bySlot = slotsByRoot(blame)
  return namedRows(operations, strings).flatMap(({ row, service, operation }) =>
    summarizeRoot({ blame, strings }, row, bySlot.get(row) ?? []).map((found) => ({
      root: { service, operation },
      ...found
    }))
  )
}

function namedRows(table: OperationTable, strings: Strings): Named[] {
  return Array.from({ length: table.rows }, (_, row) => row)
    .filter((row) => table.live[row] === 1 && (table.seen[row] as number) > 0)
    .map((row) => ({ row, ...nameOf(table, row, strings) }))
    .sort(byName)
}

interface Named {
  readonly row: number
  readonly service: string
  readonly operation: string
}

function nameOf(table: OperationTable, row: number, strings: Strings): { service: string; operation: string } {
  return {
    service: strings.text(row === OTHER_ROW ? OTHER_ID : (table.service[row] as number)),
    operation: strings.text(row === OTHER_ROW ? OTHER_ID : (table.operation[row] as number))
  }
}

function byName(a: Named, b: Named): number {
  if (a.row === OTHER_ROW || b.row === OTHER_ROW) return b.row === OTHER_ROW ? -1 : 1
  return byText(a.service, b.service) || byText(a.operation, b.operation)
}

function summarizeRow(
  table: OperationTable,
  row: number
): Omit<OperationSummary, 'service' | 'operation' | 'unattributed_tail_share' | 'advice'> {
  const bodyRequests = table.requests[(row * BANDS + Band.leP50) * OUTCOMES + Outcome.ok] as number
  const body = bodyRequests === 0 ? null : phaseMeans(table, row, Band.leP50, bodyRequests)
  const tailRequests = requestsOfBand(table, row, Band.gtP99)
  const tail = tailRequests === 0 ? null : phaseMeans(table, row, Band.gtP99, tailRequests)
  const excess = body === null || tail === null ? null : byPhase((phase) => tail[phase] - body[phase])
  let weight = 0
  for (let band = 0; band < BANDS; band++) weight += requestsOfBand(table, row, band)
  return {
    class: classes[table.class[row] as number] as ClassName,
    requests: table.seen[row] as number,
    weight,
    quantiles_ns: quantilesOf(table, row),
    body: body === null ? null : { phases_mean_ns: body },
    tail: tail === null ? null : { phases_mean_ns: tail },
    excess_mean_ns: excess,
    ...verdict(excess),
    patterns: body === null || tail === null ? [] : summarizePatterns(table, row, bodyRequests, tailRequests)
  }
}

function summarizePatterns(
  table: OperationTable,
  row: number,
  bodyRequests: number,
  tailRequests: number
): readonly PatternSummary[] {
  const share = (cell: number, requests: number): PatternShare => ({
    requests_share: (table.patternRequests[cell] as number) / requests,
    mean_ns: exactToNumber(table.patternNs, cell) / requests
  })
  return patterns.flatMap((pattern, at) => {
    const body = share(patternCell(row, Band.leP50) + at, bodyRequests)
    const tail = share(patternCell(row, Band.gtP99) + at, tailRequests)
    if (body.requests_share === 0 && tail.requests_share === 0) return []
    return [{ pattern, body, tail, excess_mean_ns: tail.mean_ns - body.mean_ns }]
  })
}

function byPhase(value: (phase: PhaseName) => number): PhaseMeans {
  return Object.fromEntries(phases.map((phase) => [phase, value(phase)])) as Record<PhaseName, number>
}

function phaseMeans(table: OperationTable, row: number, band: number, requests: number): PhaseMeans {
  return byPhase((phase) => {
    const cell = (row * BANDS + band) * PHASES + phases.indexOf(phase)
    return exactToNumber(table.phaseNs, cell) / requests
  })
}

function verdict(excess: PhaseMeans | null): { dominant: PhaseName | null; attributed_share: number | null } {
  if (excess === null) return { dominant: null, attributed_share: null }
  let dominant: PhaseName | null = null
  let positive = 0
  for (const phase of phases) {
    if (excess[phase] <= 0) continue
    positive += excess[phase]
    if (dominant === null || excess[phase] > excess[dominant]) dominant = phase
  }
  const unattributed = Math.max(0, excess[phases[Phase.unattributed]])
  return { dominant, attributed_share: positive === 0 ? null : 1 - unattributed / positive }
}

/** The thresholds; below 200 requests p50 and p95 come from the sketch of everything seen, p99 and beyond from nowhere. */
function quantilesOf(table: OperationTable, row: number): OperationSummary['quantiles_ns'] {
  const known = (quantile: number): number | null => {
    const ns = table.thresholdNs[row * QUANTILES + quantile] as number
    return Number.isNaN(ns) ? null : ns
  }
  const sketch = known(0) === null ? table.sketch(row)?.subarray(0, SKETCH_BINS) : undefined
  const rough = (quantile: number): number | null =>
    sketch === undefined ? null : sketchQuantile(sketch, 0, quantiles[quantile] as number)
  return { p50: known(0) ?? rough(0), p95: known(1) ?? rough(1), p99: known(2), p999: known(3) }
}

function slotsByRoot(blame: BlameSums): ReadonlyMap<number, readonly number[]> {
  const slots = new Map<number, number[]>()
  for (let slot = 0; slot < blame.slots; slot++) {
    if (blame.live[slot] === 0) continue
    const root = blame.rootRow[slot] as number
    const known = slots.get(root)
    if (known === undefined) slots.set(root, [slot])
    else known.push(slot)
  }
  return slots
}

function summarizeRoot(
  { blame, strings }: { blame: BlameSums; strings: Strings },
  root: number,
  slots: readonly number[]
): Omit<BlameSummary, 'root'>[] {
  const bodyRequests = blame.rootRequests(root, BlameBand.body)
  const tailRequests = blame.rootRequests(root, BlameBand.tail)
  if (bodyRequests === 0 || tailRequests === 0) return []
  const found = slots.flatMap((slot) => {
    const service = strings.text(blame.culpritService[slot] as number)
    const operation = strings.text(blame.culpritOperation[slot] as number)
    return phases.flatMap((phase, at) => {
      const body = exactToNumber(blame.ns, (slot * 2 + BlameBand.body) * PHASES + at) / bodyRequests
      const tail = exactToNumber(blame.ns, (slot * 2 + BlameBand.tail) * PHASES + at) / tailRequests
      return body > 0 || tail > 0 ? [{ culprit: { service, operation, phase }, excess_mean_ns: tail - body }] : []
    })
  })
  found.sort((a, b) => b.excess_mean_ns - a.excess_mean_ns || byCulprit(a.culprit, b.culprit))
  // Summed in sorted order, so that the slots' order does not show in the last digit.
  const positive = found.reduce((sum, { excess_mean_ns: excess }) => sum + Math.max(0, excess), 0)
  return found.map((culprit) => ({
    ...culprit,
    share: positive === 0 ? 0 : Math.max(0, culprit.excess_mean_ns) / positive
  }))
}

function byCulprit(a: BlameSummary['culprit'], b: BlameSummary['culprit']): number {
  return byText(a.service, b.service) || byText(a.operation, b.operation) || byText(a.phase, b.phase)
}

/** By code units, so that the order is the same everywhere. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
