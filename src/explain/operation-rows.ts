import { OTHER_ID } from '../runtime/strings.ts'
import { Pin } from './budgets/index.ts'
import { grown } from './columns.ts'
import { type MutableOperationTable, OTHER_ROW } from './operation-table.ts'
import { createPairIndex } from './pair-index.ts'

/** Share of the rows that no service may take while it holds its own share. */
const RESERVE = 0.2
/** After a search that found no row to take over, the next one waits: a flood must not pay a scan per request. */
const SEARCH_PAUSE_MS = 1_000
/** Rows that the table grows by beyond operationsMax. */
const PINNED_STEP = 12

/**
 * Which operation has which row.
 *
 *     free --first request--> live --idle for rowIdleMs | taken over--> free (every cell zero again)
 *
 * A flooding service never takes what others have or are entitled to:
 * - `share` = rows / (services + 1): one further service is always expected.
 * - A service that holds its share leaves a reserve of 20 % (at most one share) of the rows alone.
 * - When all rows are in use, a service below its share takes over a row of the service most above its own: its least
 *   recently seen, if that is idle for rowIdleMinMs or the holder has more than twice its share. Rows only ever move
 *   from above a share to below one, so nothing is passed to and fro.
 * - Operations with a budget are pinned: their rows come on top of `operationsMax` and of every share, those of all that
 *   a budget names, which stay when they are idle, and up to `pinnedByPatternMax` others.
 */
export interface OperationRows {
  /** The operation's row, a new one if it may have it, else OTHER_ROW. */
  readonly take: (service: number, operation: number, nowMs: number) => number
  /** The operation's row or -1. */
  readonly find: (service: number, operation: number) => number
  /** Frees idle rows among the next `count`; calls `visit` for those that stay. */
  readonly sweep: (nowMs: number, count: number, visit: (row: number) => void) => void
  /** Asks again which rows are pinned. */
  readonly repin: () => void
  /** All rows but those of budgets are taken. */
  readonly isFull: () => boolean
  readonly bytes: () => number
}

export interface OperationRowsOptions {
  readonly operationsMax: number
  readonly rowIdleMs: number
  readonly rowIdleMinMs: number
  readonly pinnedByPatternMax: number
  /** The Pin of an operation. */
  readonly pinOf: (service: number, operation: number) => number
  readonly table: MutableOperationTable
  /** A row beyond the table's columns is about to be used: they must grow. */
  readonly onGrow: (rows: number) => void
  readonly onTaken: (row: number, nowMs: number) => void
  /** Must zero every cell of the row. */
  readonly onFree: (row: number) => void
}

export function createOperationRows(options: OperationRowsOptions): OperationRows {
  const { operationsMax, table } = options
  const index = createPairIndex()
  const free: number[] = []
  /** Rows of each service and of all, without the pinned ones. */
  const heldBy = new Map<number, number>()
  let used = 0
  let pins = new Uint8Array(0)
  let pinnedByPattern = 0
  let cursor = 1
  let searchFromMs = -Infinity

  function enter(row: number, pin: number): void {
    pins[row] = pin
    if (pin === Pin.pattern) pinnedByPattern += 1
    if (pin !== Pin.none) return
    const service = table.service[row] as number
    used += 1
    heldBy.set(service, (heldBy.get(service) ?? 0) + 1)
  }

  function leave(row: number): void {
    if (pins[row] === Pin.pattern) pinnedByPattern -= 1
    if (pins[row] !== Pin.none) return
    const service = table.service[row] as number
    const held = heldBy.get(service) as number
    used -= 1
    if (held === 1) heldBy.delete(service)
    else heldBy.set(service, held - 1)
  }

  function release(row: number): void {
    leave(row)
    index.delete(table.service[row] as number, table.operation[row] as number)
    options.onFree(row)
    free.push(row)
  }

  function pinOf(service: number, operation: number): number {
    const pin = options.pinOf(service, operation)
    return pin === Pin.pattern && pinnedByPattern >= options.pinnedByPatternMax ? Pin.none : pin
  }

  const shareOf = (services: number): number => Math.max(1, Math.floor(operationsMax / (services + 1)))

  /** The row that a service below its share may take over, or -1. */
  function victim(share: number, nowMs: number): number {
    let best = -1
    let bestHeld = 0
    for (let row = 1; row < table.rows; row++) {
      if (table.live[row] === 0 || pins[row] !== Pin.none) continue
      const held = heldBy.get(table.service[row] as number) as number
      if (held <= share || held < bestHeld) continue
      const seenMs = table.lastSeenMs[row] as number
      if (held <= share * 2 && nowMs - seenMs < options.rowIdleMinMs) continue
      if (held === bestHeld && seenMs >= (table.lastSeenMs[best] as number)) continue
      best = row
      bestHeld = held
    }
    return best
  }

  function mayTake(held: number, share: number): boolean {
    const reserve = Math.min(Math.floor(operationsMax * RESERVE), share)
    return used < operationsMax && (held < share || used < operationsMax - reserve)
  }

  function makeRoom(held: number, share: number, nowMs: number): boolean {
    if (held >= share || nowMs < searchFromMs) return false
    const row = victim(share, nowMs)
    if (row < 0) searchFromMs = nowMs + SEARCH_PAUSE_MS
    else release(row)
    return row >= 0
  }

  function hasRoom(service: number, nowMs: number): boolean {
    const held = heldBy.get(service) ?? 0
    const share = shareOf(heldBy.size + (held === 0 ? 1 : 0))
    return mayTake(held, share) || makeRoom(held, share, nowMs)
  }

  /** Twice as many, no more than there may be; pinned ones beyond that come by the dozen. */
  function grownRows(row: number): number {
    return Math.max(Math.min(table.live.length * 2, operationsMax + 1), row + PINNED_STEP)
  }

  function takeNew(service: number, operation: number, nowMs: number): number {
    if (service === OTHER_ID || operation === OTHER_ID) return OTHER_ROW
    const pin = pinOf(service, operation)
    if (pin === Pin.none && !hasRoom(service, nowMs)) return OTHER_ROW
    const row = free.pop() ?? table.rows++
    if (row >= table.live.length) options.onGrow(grownRows(row))
    if (row >= pins.length) pins = grown(pins, table.live.length)
    index.set(service, operation, row)
    table.live[row] = 1
    table.service[row] = service
    table.operation[row] = operation
    table.createdMs[row] = nowMs
    table.lastSeenMs[row] = nowMs
    enter(row, pin)
    options.onTaken(row, nowMs)
    return row
  }

  return {
    take(service, operation, nowMs) {
      const row = index.get(service, operation)
      return row >= 0 ? row : takeNew(service, operation, nowMs)
    },
    find: index.get,
    sweep(nowMs, count, visit) {
      const steps = Math.min(count, table.rows - 1)
      for (let step = 0; step < steps; step++) {
        if (cursor >= table.rows) cursor = 1
        const row = cursor++
        if (table.live[row] === 0) continue
        const idle = nowMs - (table.lastSeenMs[row] as number) >= options.rowIdleMs
        if (idle && pins[row] !== Pin.name) release(row)
        else visit(row)
      }
    },
    repin() {
      for (let row = 1; row < table.rows; row++) {
        if (table.live[row] === 0) continue
        leave(row)
        enter(row, pinOf(table.service[row] as number, table.operation[row] as number))
      }
    },
    isFull: () => used >= operationsMax,
    bytes: () => pins.length + index.bytes() + heldBy.size * 32 + free.length * 8
  }
}
