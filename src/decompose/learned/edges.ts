import type { SharedMemory } from '../../runtime/shared-memory.ts'
import { createKeyTable } from './key-table.ts'

/** An edge is a service and the operation of its CLIENT span. */
const CALLS = 200
const ANSWERED_SHARE = 0.9

/** Which calls are usually answered with a SERVER span: when one is missing there, the picture has a hole. */
export interface Edges {
  readonly learn: (service: number, call: number, answered: boolean) => void
  /** Published: answered in 90 % of its last 200 calls, about (older calls count half). */
  readonly instrumented: (service: number, call: number) => boolean
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  readonly each: (visit: (service: number, call: number) => void) => void
  /** Takes over a published edge. */
  readonly set: (service: number, call: number) => void
}

const CELL_BYTES = 17

export function createEdges(rowsMax: number, memory: SharedMemory): Edges {
  const table = createKeyTable({ rowsMax, memory, clear })
  const calls = memory.take(Float64Array, rowsMax)
  const answers = memory.take(Float64Array, rowsMax)
  const published = memory.take(Uint8Array, rowsMax)

  function clear(row: number): void {
    calls[row] = answers[row] = published[row] = 0
  }

  return {
    learn(service, call, answered) {
      const row = table.add(service, call, 0, 0)
      if (row < 0) return
      table.touch(row)
      if ((calls[row] as number) >= 2 * CALLS) {
        calls[row] = (calls[row] as number) / 2
        answers[row] = (answers[row] as number) / 2
      }
      calls[row] = (calls[row] as number) + 1
      if (answered) answers[row] = (answers[row] as number) + 1
    },
    instrumented(service, call) {
      const row = table.find(service, call, 0, 0)
      return row >= 0 && published[row] === 1
    },
    publish() {
      for (let row = 0; row < table.rows(); row++) {
        if ((calls[row] as number) < CALLS) continue
        published[row] = (answers[row] as number) >= ANSWERED_SHARE * (calls[row] as number) ? 1 : 0
      }
      table.trim((from, to) => {
        calls[to] = calls[from] as number
        answers[to] = answers[from] as number
        published[to] = published[from] as number
      })
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++) {
        strings[table.key(row, 0)] = 1
        strings[table.key(row, 1)] = 1
      }
    },
    bytes: () => table.bytes() + CELL_BYTES * table.rows(),
    each(visit) {
      for (let row = 0; row < table.rows(); row++) {
        if (published[row] === 1) visit(table.key(row, 0), table.key(row, 1))
      }
    },
    set(service, call) {
      const row = table.add(service, call, 0, 0)
      if (row >= 0) published[row] = 1
    }
  }
}
