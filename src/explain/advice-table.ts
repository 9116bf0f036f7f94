import { ADVICES, Advice } from '../model/advice.ts'
import { type Decomposition } from '../model/decomposition.ts'
import { Band } from '../model/requests.ts'
import { type AdviceTable } from '../model/tail.ts'
import { grown } from './columns.ts'
import { type FoundRequests } from './examples.ts'
import { type Operations } from './operations.ts'

/** A switch that would explain less of the tail's time than this is not worth anyone's day. */
const SHARE_MIN = 0.05

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What evidence the tail of each operation lacked lately, beside the operation table: same rows, same owners. */
export interface AdviceSums {
  readonly table: AdviceTable
  /** Asks the tail's requests among those found what was missing. */
  readonly count: (operations: Operations, found: FoundRequests, nowMs: number) => void
  readonly ensureRows: (rows: number) => void
  readonly clearRow: (row: number) => void
  /** Adds another table's row; `call` is its missing call by its name here. */
  readonly add: (row: number, from: AdviceTable, other: number, call: number) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

/** Sums of a row are halved once in `halfLifeMs`, so that advice which was followed is given no longer. */
export function createAdviceSums(halfLifeMs: number): AdviceSums {
  const lacking = new Float64Array(ADVICES)
  let halvedMs = new Float64Array(0)
  const table: Mutable<AdviceTable> = {
    ns: new Float64Array(0),
    tailNs: new Float64Array(0),
    missingCall: new Uint32Array(0),
    of: (row) => adviceOf(table, row)
  }

  function halve(row: number, nowMs: number): void {
    const halvings = Math.floor((nowMs - (halvedMs[row] as number)) / halfLifeMs)
    if (halvings < 1) return
    halvedMs[row] = nowMs
    const share = 0.5 ** halvings
    table.tailNs[row] = (table.tailNs[row] as number) * share
    for (let cell = row * ADVICES; cell < (row + 1) * ADVICES; cell++) {
      table.ns[cell] = (table.ns[cell] as number) * share
    }
  }

  function addRequest(row: number, { requests, missingEvidence }: Decomposition, i: number, weight: number): void {
    lacking.fill(0)
    const call = missingEvidence(i, lacking)
    if (call !== 0) table.missingCall[row] = call
    table.tailNs[row] = (table.tailNs[row] as number) + (requests.durationNs[i] as number) * weight
    for (let advice = 0; advice < ADVICES; advice++) {
      const cell = row * ADVICES + advice
      table.ns[cell] = (table.ns[cell] as number) + (lacking[advice] as number) * weight
    }
  }

  return {
    table,
    count(operations, { decomposition, counted, from, to }, nowMs) {
      for (let i = from; i < to; i++) {
        if (counted.band[i] !== Band.gtP99 || !operations.hasRow(decomposition.requests, counted, i)) continue
        const row = counted.row[i] as number
        halve(row, nowMs)
        addRequest(row, decomposition, i, counted.weight[i] as number)
      }
    },
    ensureRows(rows) {
      table.ns = grown(table.ns, rows * ADVICES)
      table.tailNs = grown(table.tailNs, rows)
      table.missingCall = grown(table.missingCall, rows)
      halvedMs = grown(halvedMs, rows)
    },
    clearRow(row) {
      table.ns.fill(0, row * ADVICES, (row + 1) * ADVICES)
      table.tailNs[row] = table.missingCall[row] = halvedMs[row] = 0
    },
    add(row, from, other, call) {
      table.tailNs[row] = (table.tailNs[row] as number) + (from.tailNs[other] as number)
      if (call !== 0) table.missingCall[row] = call
      for (let advice = 0; advice < ADVICES; advice++) {
        const cell = row * ADVICES + advice
        table.ns[cell] = (table.ns[cell] as number) + (from.ns[other * ADVICES + advice] as number)
      }
    },
    mark(strings) {
      for (const call of table.missingCall) strings[call] = 1
    },
    bytes: () => table.tailNs.length * (ADVICES * 8 + 20)
  }
}

/** The one switch that would explain most of the row's tail, -1 when none is worth it. */
function adviceOf({ ns, tailNs }: AdviceTable, row: number): number {
  const first = row * ADVICES
  let best = 0
  for (let advice = 1; advice < ADVICES; advice++) {
    if ((ns[first + advice] as number) > (ns[first + best] as number)) best = advice
  }
  const leastNs = SHARE_MIN * (tailNs[row] as number)
  return leastNs > 0 && (ns[first + best] as number) >= leastNs ? best : -1
}

/** Share of the tail's time that an advice would explain. */
export function adviceShare({ ns, tailNs }: AdviceTable, row: number, advice: number): number {
  return (ns[row * ADVICES + advice] as number) / (tailNs[row] as number)
}

/** Share of the tail's time that nothing explains, null without a tail. A call without its answer is downstream, not this. */
export function unattributedShare({ ns, tailNs }: AdviceTable, row: number): number | null {
  if (tailNs[row] === 0) return null
  let sumNs = 0
  for (let advice = 0; advice < Advice.instrumentCallee; advice++) sumNs += ns[row * ADVICES + advice] as number
  return sumNs / (tailNs[row] as number)
}
