import { CloseReason, Evidence, Kind, type TraceColumns } from '../model/spans.ts'
import {
  type ClosedDraft,
  fingerprintCount,
  fingerprintsAt,
  type ClosedRecord,
  PRODUCER_WORDS,
  PRODUCERS_MAX,
  ProducerWord
} from './closed-traces.ts'
import { type Gather, SCRATCH_ROWS_KEPT } from './gather.ts'
import {
  appendRow,
  columnBytes,
  createTraceColumns,
  nsBetween,
  rebase,
  release,
  reserve,
  roomFor
} from './trace-columns.ts'

/** Owners of rows that belong to no unit. */
const UNSEEN = -1
const WALKING = -2
const NOBODY = -3

/** Further from the late spans than this, a producer's time would no longer be exact. */
const CONTEXT_NS_MAX = 2 ** 52

/**
 * The spans that came after their trace had closed. Each topmost SERVER or CONSUMER span among them is a unit with all
 * that lies below it: work of its own, that nobody has counted. The rest belongs to requests that are counted already.
 *
 *   CLIENT                      rest
 *     SERVER                    unit 1
 *       INTERNAL                unit 1
 *         CLIENT                unit 1
 *           SERVER              unit 1
 *   CONSUMER                    unit 2, with the PRODUCER of the closed trace as context
 */
export interface LateUnits {
  /** The unit or rest handed out last. */
  readonly columns: TraceColumns
  /** Rows that came before the trace had closed. */
  known: Uint8Array
  /** First rows of `columns` that are context only. */
  contextRows: number
  /** How many there are. */
  units: number
  /** Marks the rows that the closed trace had already, and says how many they are. */
  readonly markKnown: (record: ClosedRecord | undefined) => number
  readonly split: () => void
  /** Puts the next unit into `columns`; false when there is none left. */
  readonly takeUnit: (draft: ClosedDraft) => boolean
  /** Puts the rest into `columns`; false when there is none. */
  readonly takeRest: () => boolean
  readonly bytes: () => number
}

export function createLateUnits(gather: Gather): LateUnits {
  const source = gather.columns
  const columns = createTraceColumns()
  /** The topmost SERVER or CONSUMER span above each row, or itself. */
  let owner = new Int32Array(64)
  let stack = new Int32Array(64)
  /** Rows of a unit in order of arrival: first[owner], then next[row], -1 at the end. */
  let first = new Int32Array(64)
  let next = new Int32Array(64)
  let firstOfRest = -1
  let unitAt = 0

  function makeRoom(rows: number): void {
    const giant = owner.length > SCRATCH_ROWS_KEPT && rows <= SCRATCH_ROWS_KEPT
    if (giant) release(columns)
    if (owner.length >= rows && !giant) return
    const room = roomFor(rows)
    late.known = new Uint8Array(room)
    owner = new Int32Array(room)
    stack = new Int32Array(room)
    first = new Int32Array(room)
    next = new Int32Array(room)
  }

  function markKnown(record: ClosedRecord | undefined): number {
    makeRoom(source.n)
    late.known.fill(0, 0, source.n)
    if (record === undefined) return 0
    const from = fingerprintsAt(record)
    const end = from + fingerprintCount(record)
    for (let at = from; at < end; at++) gather.markRows((record.words[at] as number) | 0, late.known)
    let known = 0
    for (let row = 0; row < source.n; row++) known += late.known[row] as number
    return known
  }

  function split(): void {
    owner.fill(UNSEEN, 0, source.n)
    for (let row = 0; row < source.n; row++) if (owner[row] === UNSEEN) findOwner(row)
    first.fill(-1, 0, source.n)
    firstOfRest = -1
    for (let row = source.n - 1; row >= 0; row--) {
      if (late.known[row] === 1) continue
      const of = owner[row] as number
      next[row] = of === NOBODY ? firstOfRest : (first[of] as number)
      if (of === NOBODY) firstOfRest = row
      else first[of] = row
    }
    unitAt = 0
    late.units = 0
    for (let row = 0; row < source.n; row++) if ((first[row] as number) >= 0) late.units += 1
  }

  /** Climbs to a row whose owner is known, or to the top (a cycle has one too: where it was entered), and comes back. */
  function findOwner(row: number): void {
    let depth = 0
    let at = row
    while (at >= 0 && owner[at] === UNSEEN) {
      owner[at] = WALKING
      stack[depth++] = at
      at = parentOf(at)
    }
    let above = at >= 0 && (owner[at] as number) >= 0 ? (owner[at] as number) : NOBODY
    while (depth > 0) {
      const below = stack[--depth] as number
      const kind = source.kind[below]
      if (late.known[below] === 1) above = NOBODY
      else if (above === NOBODY && (kind === Kind.server || kind === Kind.consumer)) above = below
      owner[below] = above
    }
  }

  function parentOf(row: number): number {
    const high = source.parentId[2 * row] as number
    const low = source.parentId[2 * row + 1] as number
    return high === 0 && low === 0 ? -1 : gather.find(high, low)
  }

  function copyChain(from: number, draft: ClosedDraft | undefined): void {
    let rows = 0
    let evidenceRows = 0
    for (let row = from; row >= 0; row = next[row] as number) {
      rows += 1
      evidenceRows += (source.evidenceEnd[row] as number) - evidenceStart(source, row)
    }
    reserve(columns, rows + PRODUCERS_MAX, evidenceRows)
    columns.n = 0
    for (let word = 0; word < 4; word++) columns.traceId[word] = source.traceId[word] as number
    Object.assign(columns.custody, source.custody, { parts: late.units })
    if (draft !== undefined) addContext(from, draft)
    late.contextRows = columns.n
    for (let row = from; row >= 0; row = next[row] as number) appendRow(columns, source, row)
    columns.baseHi = source.baseHi
    columns.baseLo = source.baseLo
    rebase(columns)
    columns.closedBy = CloseReason.lateUnit
    columns.truncated = source.truncated
  }

  /** The producers that a unit names as parent or by link, unless they are part of it. */
  function addContext(unit: number, draft: ClosedDraft): void {
    for (let at = 0; at < draft.producerCount * PRODUCER_WORDS; at += PRODUCER_WORDS) {
      const high = draft.producers[at + ProducerWord.spanId] as number
      const low = draft.producers[at + ProducerWord.spanId + 1] as number
      const row = gather.find(high, low)
      const isPart = row >= 0 && owner[row] === owner[unit] && late.known[row] === 0
      if (!isPart && isNamed(unit, high, low)) appendProducer(draft.producers, at)
    }
  }

  function isNamed(unit: number, high: number, low: number): boolean {
    for (let row = unit; row >= 0; row = next[row] as number) {
      if (source.parentId[2 * row] === high && source.parentId[2 * row + 1] === low) return true
      const end = source.evidenceEnd[row] as number
      for (let i = evidenceStart(source, row); i < end; i++) {
        const { code, a, b } = source.evidence
        if (code[i] === Evidence.linkSameTrace && a[i] === high && b[i] === low) return true
      }
    }
    return false
  }

  function appendProducer(words: Uint32Array, at: number): void {
    const { baseHi, baseLo } = source
    const time = (word: number): number =>
      nsBetween(baseHi, baseLo, words[at + word] as number, words[at + word + 1] as number)
    const start = time(ProducerWord.start)
    const end = time(ProducerWord.end)
    if (Math.abs(start) > CONTEXT_NS_MAX || Math.abs(end) > CONTEXT_NS_MAX) return
    const row = columns.n
    columns.spanId[2 * row] = words[at + ProducerWord.spanId] as number
    columns.spanId[2 * row + 1] = words[at + ProducerWord.spanId + 1] as number
    columns.parentId[2 * row] = words[at + ProducerWord.parentId] as number
    columns.parentId[2 * row + 1] = words[at + ProducerWord.parentId + 1] as number
    columns.startNs[row] = start
    columns.endNs[row] = end
    columns.name[row] = words[at + ProducerWord.name] as number
    columns.operation[row] = words[at + ProducerWord.operation] as number
    columns.scope[row] = words[at + ProducerWord.scope] as number
    columns.resource[row] = words[at + ProducerWord.resource] as number
    columns.kind[row] = Kind.producer
    columns.outcome[row] = 0
    columns.flags[row] = 0
    columns.held[row] = 0
    columns.evidenceEnd[row] = 0
    columns.n = row + 1
  }

  const late: LateUnits = {
    columns,
    known: new Uint8Array(64),
    contextRows: 0,
    units: 0,
    markKnown,
    split,
    takeUnit(draft) {
      while (unitAt < source.n && (first[unitAt] as number) < 0) unitAt += 1
      if (unitAt === source.n) return false
      copyChain(first[unitAt] as number, draft)
      unitAt += 1
      return true
    },
    takeRest() {
      if (firstOfRest < 0) return false
      copyChain(firstOfRest, undefined)
      return true
    },
    bytes: () => columnBytes(columns) + late.known.byteLength + owner.byteLength * 4
  }
  return late
}

function evidenceStart(columns: TraceColumns, row: number): number {
  return row === 0 ? 0 : (columns.evidenceEnd[row - 1] as number)
}
