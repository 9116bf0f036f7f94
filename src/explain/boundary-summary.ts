import {
  BOUNDARY_BANDS,
  BOUNDARY_BUCKETS,
  BOUNDARY_COMPONENTS,
  BoundaryBand,
  type BoundaryComponent,
  boundaryComponents
} from '../model/boundaries.ts'
import { languages } from '../model/spans.ts'
import { type BoundaryTable } from '../model/tail.ts'
import { exactToNumber } from '../runtime/exact-sums.ts'
import { type Strings } from '../runtime/strings.ts'

export interface BoundarySide {
  readonly service: string
  readonly language: string
}

export interface BoundaryMean {
  readonly calls: number
  readonly mean_ns: number
}

/** One component of one edge, as `analyze --json` and /api/v1/boundaries show it. Means are per call, null without calls. */
export interface BoundarySummary {
  readonly caller: BoundarySide
  readonly callee: BoundarySide
  readonly component: BoundaryComponent
  readonly body: BoundaryMean | null
  readonly tail: BoundaryMean | null
  readonly excess_mean_ns: number | null
}

/** Those that take most more in the tail come first, then those without a tail. */
export function summarizeBoundaries(table: BoundaryTable, strings: Strings): readonly BoundarySummary[] {
  const found: BoundarySummary[] = []
  for (let cell = 0; cell < table.rows * BOUNDARY_COMPONENTS; cell++) {
    if (table.live[cell] === 1) found.push(summarizeCell(table, cell, strings))
  }
  const excess = ({ excess_mean_ns: ns }: BoundarySummary): number => ns ?? -Infinity
  return found.sort((a, b) => (excess(b) === excess(a) ? byName(a, b) : excess(b) - excess(a)))
}

function summarizeCell(table: BoundaryTable, cell: number, strings: Strings): BoundarySummary {
  const row = Math.floor(cell / BOUNDARY_COMPONENTS)
  const body = meanOf(table, cell * BOUNDARY_BANDS + BoundaryBand.body)
  const tail = meanOf(table, cell * BOUNDARY_BANDS + BoundaryBand.tail)
  const sideOf = (service: number | undefined, language: number | undefined): BoundarySide => ({
    service: strings.text(service as number),
    language: languages[language as number] as string
  })
  return {
    caller: sideOf(table.callerService[row], table.callerLanguage[row]),
    callee: sideOf(table.calleeService[row], table.calleeLanguage[row]),
    component: boundaryComponents[cell % BOUNDARY_COMPONENTS] as BoundaryComponent,
    body,
    tail,
    excess_mean_ns: body === null || tail === null ? null : tail.mean_ns - body.mean_ns
  }
}

function meanOf({ buckets, ns }: BoundaryTable, histogram: number): BoundaryMean | null {
  let calls = 0
  for (let i = 0; i < BOUNDARY_BUCKETS; i++) calls += buckets[histogram * BOUNDARY_BUCKETS + i] as number
  return calls === 0 ? null : { calls, mean_ns: exactToNumber(ns, histogram) / calls }
}

/** By code units, so that the order is the same everywhere. */
function byName(a: BoundarySummary, b: BoundarySummary): number {
  const [nameA, nameB] = [a, b].map(({ caller, callee, component }) =>
    [caller.service, caller.language, callee.service, callee.language, component].join('\n')
  ) as [string, string]
  return nameA < nameB ? -1 : nameA > nameB ? 1 : 0
}
