import { Band } from '../model/requests.ts'
import { type ExemplarTable, type OperationTable } from '../model/tail.ts'
import { grown } from './columns.ts'
import { type Mutable } from './operation-table.ts'
import { type KeptTrace } from './retained-traces.ts'

/** The exemplar of each duration bucket; its place in the table is the bucket's cell, so none is ever allocated. */
export interface Exemplars {
  readonly table: ExemplarTable
  readonly ensureCells: (cells: number) => void
  /** Offers a request of a kept trace. The newest of the tail wins, else the newest while none of the tail is fresh. */
  readonly offer: (cell: number, kept: KeptTrace, request: ExemplarRequest) => void
  /** The trace is gone: no exemplar may lead to it. */
  readonly forget: (kept: KeptTrace) => void
  readonly bytes: () => number
}

export interface ExemplarRequest {
  band: number
  durationNs: number
  atMs: number
}

/** `operations` is asked for each time: it is made after this. */
export function createExemplars(operations: () => OperationTable, freshMs: number): Exemplars {
  const table: Mutable<ExemplarTable> = {
    traceId: new Uint32Array(0),
    valueNs: new Float64Array(0),
    atMs: new Float64Array(0)
  }
  let ofTail = new Uint8Array(0)

  function names(cell: number, traceId: Uint32Array): boolean {
    for (let i = 0; i < 4; i++) if (table.traceId[cell * 4 + i] !== traceId[i]) return false
    return true
  }

  return {
    table,
    ensureCells(cells) {
      table.traceId = grown(table.traceId, cells * 4)
      table.valueNs = grown(table.valueNs, cells)
      table.atMs = grown(table.atMs, cells)
      ofTail = grown(ofTail, cells)
    },
    offer(cell, kept, { band, durationNs, atMs }) {
      const taken = operations().exemplar[cell] === cell
      const inTail = band === Band.gtP99
      if (taken && !inTail && ofTail[cell] === 1 && (table.atMs[cell] as number) + freshMs > atMs) return
      if (!taken || !names(cell, kept.copy.traceId)) kept.exemplars.push(cell)
      operations().exemplar[cell] = cell
      table.traceId.set(kept.copy.traceId, cell * 4)
      table.valueNs[cell] = durationNs
      table.atMs[cell] = atMs
      ofTail[cell] = inTail ? 1 : 0
    },
    forget(kept) {
      for (const cell of kept.exemplars) {
        if (operations().exemplar[cell] === cell && names(cell, kept.copy.traceId)) operations().exemplar[cell] = -1
      }
    },
    bytes: () => ofTail.length * 33
  }
}
