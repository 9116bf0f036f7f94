import { type BlameTable } from '../model/tail.ts'
import { PHASES } from '../model/phases.ts'
import { clearExact, exactToNumber } from '../runtime/exact-sums.ts'
import { OTHER_ID } from '../runtime/strings.ts'
import { emptySums, grown, grownSums } from './columns.ts'
import { type Mutable } from './operation-table.ts'

export const BlameBand = { body: 0, tail: 1 } as const
/** Cells of a slot: bands by phases. */
export const SLOT_CELLS = 2 * PHASES
/** About fifty requests of the body come to one of the tail; a culprit is worth what it adds to the tail. */
export const BODY_WORTH = 1 / 64

/** The table for expose, and what its means need. */
export interface BlameSums extends BlameTable {
  /** Weighted root requests whose blame is in the table: the denominator of mean blame per request. */
  readonly rootRequests: (rootRow: number, band: number) => number
}

/** What the table keeps beside what is shown. */
export interface BlameState extends Mutable<BlameSums> {
  /** By what a culprit ranks among its root's candidates. */
  size: Float64Array
  lastMs: Float64Array
  /** The charge that a cell last counted a request for: a culprit met twice in one trace is one request. */
  countedBy: Uint32Array
}

export function createBlameState(rootRequests: BlameSums['rootRequests']): BlameState {
  return {
    slots: 0,
    live: new Uint8Array(0),
    rootRow: new Uint32Array(0),
    culpritService: new Uint32Array(0),
    culpritOperation: new Uint32Array(0),
    createdMs: new Float64Array(0),
    ns: emptySums(),
    requests: new Float64Array(0),
    rootRequests,
    size: new Float64Array(0),
    lastMs: new Float64Array(0),
    countedBy: new Uint32Array(0)
  }
}

export function growBlame(state: BlameState, slots: number): void {
  state.live = grown(state.live, slots)
  state.rootRow = grown(state.rootRow, slots)
  state.culpritService = grown(state.culpritService, slots)
  state.culpritOperation = grown(state.culpritOperation, slots)
  state.createdMs = grown(state.createdMs, slots)
  state.ns = grownSums(state.ns, slots * SLOT_CELLS)
  state.requests = grown(state.requests, slots * SLOT_CELLS)
  state.size = grown(state.size, slots)
  state.lastMs = grown(state.lastMs, slots)
  state.countedBy = grown(state.countedBy, slots * SLOT_CELLS)
}

export function clearSlotSums(state: BlameState, slot: number): void {
  clearExact(state.ns, slot * SLOT_CELLS, SLOT_CELLS)
  state.requests.fill(0, slot * SLOT_CELLS, (slot + 1) * SLOT_CELLS)
  state.countedBy.fill(0, slot * SLOT_CELLS, (slot + 1) * SLOT_CELLS)
}

export function clearSlot(state: BlameState, slot: number): void {
  clearSlotSums(state, slot)
  state.live[slot] = 0
  state.culpritService[slot] = OTHER_ID
  state.culpritOperation[slot] = OTHER_ID
  state.size[slot] = 0
  state.lastMs[slot] = 0
}

/** What a slot's sums make it rank by. */
export function slotWorth(table: BlameTable, slot: number): number {
  let worth = 0
  for (let i = 0; i < SLOT_CELLS; i++) {
    const ns = exactToNumber(table.ns, slot * SLOT_CELLS + i)
    worth += i < PHASES ? ns * BODY_WORTH : ns
  }
  return worth
}

export function blameBytes(state: BlameState): number {
  return state.live.length * (SLOT_CELLS * (8 * 3 + 4) + 37)
}
