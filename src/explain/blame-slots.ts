import { type BlameColumns } from '../model/decomposition.ts'
import { PHASES } from '../model/phases.ts'
import { type Marks } from '../runtime/stage.ts'
import { OTHER_ID } from '../runtime/strings.ts'
import {
  BlameBand,
  blameBytes,
  type BlameSums,
  BODY_WORTH,
  clearSlot,
  clearSlotSums,
  createBlameState,
  growBlame,
  SLOT_CELLS
} from './blame-table.ts'
import { addCell, addWeighted } from './columns.ts'

/** Culprits watched per root; the largest of them have slots that are shown. */
const CANDIDATES = 64
/** A root's slots: its `__other__`, then the candidates. */
const ROOT_SLOTS = CANDIDATES + 1
const CHARGES_MAX = 2 ** 32 - 1

interface Root {
  /** Row in the operation table, -1 = place is free. */
  row: number
  createdMs: number
  lastMs: number
  /** Candidates in use: slots first + 1 to first + candidates. */
  candidates: number
  shown: number
  /** While a root gathers, every candidate keeps its sums and none is shown. */
  gathering: boolean
  readonly requests: Float64Array
}

export interface Culprit {
  readonly service: number
  readonly operation: number
  /** By what it ranks among the candidates. */
  readonly worth: number
}

/**
 * Blame by root and culprit; a slot is a candidate, `live` when shown.
 *
 *     gathering --blameGatherMs--> the largest are shown with all they gathered, the rest is added to __other__
 *     watched (its time goes to __other__, only its size is kept) --largest, and a place is free--> shown, from zero
 *     shown --idle for rowIdleMs--> gone, its place is free
 *
 * So what is in the table always adds up, and no series that is in use is ever taken away.
 */
export interface BlameSlots {
  readonly table: BlameSums
  /** Adds the blame of one root request; false when some of it got no slot of its own. */
  readonly charge: (rootRow: number, band: number, blame: BlameColumns, weight: number, nowMs: number) => boolean
  /** The slot of a culprit for adding sums from elsewhere; -1 without a place for the root. */
  readonly slotFor: (rootRow: number, culprit: Culprit, nowMs: number) => number
  readonly addRequests: (rootRow: number, band: number, weight: number) => void
  readonly dropRoot: (rootRow: number) => void
  /** Ends gathering now: nothing more will come. */
  readonly settleAll: (nowMs: number) => void
  readonly tick: (nowMs: number) => void
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

export interface BlameOptions {
  readonly blameRootsMax: number
  readonly culpritsMax: number
  readonly blameGatherMs: number
  readonly rowIdleMs: number
}

export function createBlameSlots(options: BlameOptions): BlameSlots {
  const roots: Root[] = []
  const freeRoots: number[] = []
  const rootOfRow = new Map<number, number>()
  const table = createBlameState((row, band) => roots[rootOfRow.get(row) ?? -1]?.requests[band] ?? 0)
  let charges = 0
  let tickRoot = 0

  function openRoot(row: number, nowMs: number): number {
    const at = freeRoots.pop() ?? roots.length
    if (at >= options.blameRootsMax) return -1
    if (at === roots.length) {
      if ((at + 1) * ROOT_SLOTS > table.live.length) {
        growBlame(table, Math.min(at * 2 + 1, options.blameRootsMax) * ROOT_SLOTS)
      }
      table.slots = (at + 1) * ROOT_SLOTS
    }
    roots[at] = {
      row,
      createdMs: nowMs,
      lastMs: nowMs,
      candidates: 0,
      shown: 0,
      gathering: true,
      requests: new Float64Array(2)
    }
    for (let slot = at * ROOT_SLOTS; slot < (at + 1) * ROOT_SLOTS; slot++) {
      clearSlot(table, slot)
      table.rootRow[slot] = row
    }
    rootOfRow.set(row, at)
    return at
  }

  function closeRoot(at: number): void {
    const root = roots[at] as Root
    for (let slot = at * ROOT_SLOTS; slot < (at + 1) * ROOT_SLOTS; slot++) clearSlot(table, slot)
    rootOfRow.delete(root.row)
    root.row = -1
    freeRoots.push(at)
  }

  function show(root: Root, slot: number, nowMs: number): void {
    table.live[slot] = 1
    table.createdMs[slot] = nowMs
    root.shown += 1
  }

  function otherOf(at: number, nowMs: number): number {
    const slot = at * ROOT_SLOTS
    if (table.live[slot] === 0 && !(roots[at] as Root).gathering) {
      table.live[slot] = 1
      table.createdMs[slot] = nowMs
    }
    return slot
  }

  /** What a candidate gathered becomes `__other__`'s. A request with several such culprits counts once for each of them there. */
  function giveToOther(at: number, slot: number, nowMs: number): void {
    const other = otherOf(at, nowMs) * SLOT_CELLS
    for (let i = 0; i < SLOT_CELLS; i++) {
      const cell = slot * SLOT_CELLS + i
      addCell(table.ns, other + i, table.ns, cell)
      table.requests[other + i] = (table.requests[other + i] as number) + (table.requests[cell] as number)
    }
    clearSlotSums(table, slot)
  }

  function settle(at: number, nowMs: number): void {
    const root = roots[at] as Root
    root.gathering = false
    const slots = Array.from({ length: root.candidates }, (_, i) => at * ROOT_SLOTS + 1 + i)
    slots.sort((a, b) => (table.size[b] as number) - (table.size[a] as number))
    for (const [place, slot] of slots.entries()) {
      if (place < options.culpritsMax) show(root, slot, nowMs)
      else giveToOther(at, slot, nowMs)
    }
    const other = at * ROOT_SLOTS
    if (table.requests.subarray(other * SLOT_CELLS, (other + 1) * SLOT_CELLS).some((n) => n > 0)) otherOf(at, nowMs)
  }

  /** A place among the candidates for one more culprit: a fresh one, else that of the smallest that is not shown. */
  function addCandidate(at: number, service: number, operation: number, nowMs: number): number {
    const root = roots[at] as Root
    const first = at * ROOT_SLOTS + 1
    let slot = first + root.candidates
    if (root.candidates < CANDIDATES) {
      root.candidates += 1
    } else {
      slot = -1
      for (let other = first; other < first + CANDIDATES; other++) {
        if (table.live[other] === 0 && (slot < 0 || (table.size[other] as number) < (table.size[slot] as number)))
          slot = other
      }
      // The newcomer inherits the size, as in Space-Saving: whoever is truly large ends up watched.
      giveToOther(at, slot, nowMs)
    }
    table.culpritService[slot] = service
    table.culpritOperation[slot] = operation
    table.lastMs[slot] = nowMs
    if (!root.gathering && root.shown < options.culpritsMax) show(root, slot, nowMs)
    return slot
  }

  function candidateOf(at: number, service: number, operation: number, nowMs: number): number {
    if (service === OTHER_ID && operation === OTHER_ID) return at * ROOT_SLOTS
    const first = at * ROOT_SLOTS + 1
    const end = first + (roots[at] as Root).candidates
    for (let slot = first; slot < end; slot++) {
      if (table.culpritOperation[slot] === operation && table.culpritService[slot] === service) return slot
    }
    return addCandidate(at, service, operation, nowMs)
  }

  function rootAt(rootRow: number, nowMs: number): number {
    const at = rootOfRow.get(rootRow) ?? openRoot(rootRow, nowMs)
    if (at < 0) return -1
    const root = roots[at] as Root
    root.lastMs = nowMs
    if (root.gathering && nowMs - root.createdMs >= options.blameGatherMs) settle(at, nowMs)
    return at
  }

  /** Where a candidate's time goes: its own slot while it gathers or is shown, else `__other__`. */
  function bookedAt(at: number, candidate: number, nowMs: number): number {
    const own = (roots[at] as Root).gathering || table.live[candidate] === 1
    return own && candidate !== at * ROOT_SLOTS ? candidate : otherOf(at, nowMs)
  }

  function charge(rootRow: number, band: number, blame: BlameColumns, weight: number, nowMs: number): boolean {
    const at = rootAt(rootRow, nowMs)
    if (at < 0) return false
    const requests = (roots[at] as Root).requests
    requests[band] = (requests[band] as number) + weight
    if (charges === CHARGES_MAX) {
      table.countedBy.fill(0)
      charges = 0
    }
    charges += 1
    const worth = band === BlameBand.tail ? weight : weight * BODY_WORTH
    let whole = true
    let candidate = -1
    for (let i = 0; i < blame.n; i++) {
      const ns = blame.ns[i] as number
      if (ns === 0) continue
      const [service, operation] = [blame.service[i] as number, blame.operation[i] as number]
      // Sections of one culprit often follow each other.
      if (
        candidate < 0 ||
        table.culpritOperation[candidate] !== operation ||
        table.culpritService[candidate] !== service
      ) {
        candidate = candidateOf(at, service, operation, nowMs)
      }
      table.size[candidate] = (table.size[candidate] as number) + ns * worth
      table.lastMs[candidate] = nowMs
      const slot = bookedAt(at, candidate, nowMs)
      whole &&= slot !== at * ROOT_SLOTS
      const cell = slot * SLOT_CELLS + band * PHASES + (blame.phase[i] as number)
      addWeighted(table.ns, cell, ns, weight)
      if (table.countedBy[cell] === charges) continue
      table.countedBy[cell] = charges
      table.requests[cell] = (table.requests[cell] as number) + weight
    }
    return whole
  }

  /** Shown culprits that are idle leave; their places go to the largest that are watched. */
  function refresh(at: number, nowMs: number): void {
    const root = roots[at] as Root
    const first = at * ROOT_SLOTS + 1
    let best = -1
    for (let slot = first; slot < first + root.candidates; slot++) {
      const idle = nowMs - (table.lastMs[slot] as number) >= options.rowIdleMs
      if (table.live[slot] === 1 && idle) {
        clearSlot(table, slot)
        root.shown -= 1
      }
      if (table.live[slot] === 1 || idle) continue
      if (best < 0 || (table.size[slot] as number) > (table.size[best] as number)) best = slot
    }
    if (best >= 0 && root.shown < options.culpritsMax) show(root, best, nowMs)
  }

  return {
    table,
    charge,
    slotFor(rootRow, { service, operation, worth }, nowMs) {
      const at = rootAt(rootRow, nowMs)
      if (at < 0) return -1
      const candidate = candidateOf(at, service, operation, nowMs)
      table.size[candidate] = (table.size[candidate] as number) + worth
      table.lastMs[candidate] = nowMs
      return bookedAt(at, candidate, nowMs)
    },
    addRequests(rootRow, band, weight) {
      const requests = roots[rootOfRow.get(rootRow) ?? -1]?.requests
      if (requests !== undefined) requests[band] = (requests[band] as number) + weight
    },
    dropRoot(rootRow) {
      const at = rootOfRow.get(rootRow)
      if (at !== undefined) closeRoot(at)
    },
    settleAll(nowMs) {
      for (const [at, root] of roots.entries()) if (root.row >= 0 && root.gathering) settle(at, nowMs)
    },
    tick(nowMs) {
      if (roots.length === 0) return
      tickRoot = (tickRoot + 1) % roots.length
      const root = roots[tickRoot] as Root
      if (root.row < 0) return
      if (nowMs - root.lastMs >= options.rowIdleMs) closeRoot(tickRoot)
      else if (!root.gathering) refresh(tickRoot, nowMs)
      else if (nowMs - root.createdMs >= options.blameGatherMs) settle(tickRoot, nowMs)
    },
    mark(marks) {
      for (let slot = 0; slot < table.slots; slot++) {
        marks.strings[table.culpritService[slot] as number] = 1
        marks.strings[table.culpritOperation[slot] as number] = 1
      }
    },
    bytes: () => blameBytes(table)
  }
}
