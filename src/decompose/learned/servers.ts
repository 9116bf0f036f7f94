import type { SharedMemory } from '../../runtime/shared-memory.ts'
import { createKeyTable } from './key-table.ts'

/** Queues with more servers than this are not looked for. */
export const SERVERS_MAX = 64
/** Arrivals that must have found as many requests ahead as there are servers ... */
const FOUND_MIN = 20
/** ... and how many of them may have begun before a server came free: cancelled requests and starvation blur it. */
const CONTRADICTED_MAX = 0.05
/** A queue once found is given up at so many times that. */
const GIVEN_UP = 2
/** Requests of an operation, and the share of them with a call, before it can have servers. */
const ARRIVALS_MIN = 100
const CALLING_MIN = 0.5
/** Counters are halved at this many arrivals, so that a pool that changes is found again. */
const ARRIVALS_MAX = 4096

/**
 * How many servers an operation's requests queue for in one process: FIFO with k servers, without a fit. A request begins its
 * first call only when fewer than k earlier ones still hold a server; k is the smallest number for which that is true of
 * nearly all arrivals that found k or more. Published as the other learned things are.
 */
export interface Servers {
  /** An arrival, when it began its first call (Infinity = never), and when those ahead of it gave up their servers, rising. */
  readonly learn: (process: number, operation: number, startNs: number, ahead: Float64Array, n: number) => void
  /** False once most of an operation's requests are known to make no calls: then there is nothing to queue for. */
  readonly worthWatching: (process: number, operation: number) => boolean
  /** Published number of servers, 0 while none is known. */
  readonly count: (process: number, operation: number) => number
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  readonly each: (visit: (process: number, operation: number, servers: number) => void) => void
  readonly set: (process: number, operation: number, servers: number) => void
}

export interface ServersOptions {
  readonly rowsMax: number
  readonly memory: SharedMemory
  readonly contradictedMax?: number
}

const CELL_BYTES = 4 * SERVERS_MAX + 20

export function createServers({ rowsMax, memory, contradictedMax = CONTRADICTED_MAX }: ServersOptions): Servers {
  const table = createKeyTable({ rowsMax, memory, clear })
  const arrivals = memory.take(Float64Array, rowsMax)
  const calling = memory.take(Float64Array, rowsMax)
  const published = memory.take(Int32Array, rowsMax)
  // Per row and k - 1: arrivals that found k or more ahead, and those of them that contradict k.
  const found = memory.take(Uint16Array, rowsMax * SERVERS_MAX)
  const contradicted = memory.take(Uint16Array, rowsMax * SERVERS_MAX)

  function clear(row: number): void {
    arrivals[row] = calling[row] = published[row] = 0
    found.fill(0, row * SERVERS_MAX, (row + 1) * SERVERS_MAX)
    contradicted.fill(0, row * SERVERS_MAX, (row + 1) * SERVERS_MAX)
  }

  function halve(row: number): void {
    arrivals[row] = (arrivals[row] as number) / 2
    calling[row] = (calling[row] as number) / 2
    for (let i = row * SERVERS_MAX; i < (row + 1) * SERVERS_MAX; i++) {
      found[i] = (found[i] as number) >>> 1
      contradicted[i] = (contradicted[i] as number) >>> 1
    }
  }

  function fits(row: number, servers: number, most: number): boolean {
    const at = row * SERVERS_MAX + servers - 1
    return (found[at] as number) >= FOUND_MIN && (contradicted[at] as number) <= most * (found[at] as number)
  }

  const callsRarely = (row: number): boolean =>
    (arrivals[row] as number) >= ARRIVALS_MIN && (calling[row] as number) < CALLING_MIN * (arrivals[row] as number)

  function smallest(row: number): number {
    if ((arrivals[row] as number) < ARRIVALS_MIN || callsRarely(row)) return 0
    for (let servers = 1; servers <= SERVERS_MAX; servers++) {
      if ((found[row * SERVERS_MAX + servers - 1] as number) < FOUND_MIN) return 0
      if (fits(row, servers, contradictedMax)) return servers
    }
    return 0
  }

  return {
    learn(process, operation, startNs, ahead, n) {
      const row = table.add(process, operation, 0, 0)
      if (row < 0) return
      table.touch(row)
      if (arrivals[row] === ARRIVALS_MAX) halve(row)
      arrivals[row] = (arrivals[row] as number) + 1
      if (startNs < Infinity) calling[row] = (calling[row] as number) + 1
      const first = row * SERVERS_MAX
      for (let servers = Math.min(n, SERVERS_MAX); servers > 0; servers--) {
        const at = first + servers - 1
        found[at] = (found[at] as number) + 1
        if ((ahead[n - servers] as number) > startNs) contradicted[at] = (contradicted[at] as number) + 1
      }
    },
    worthWatching(process, operation) {
      const row = table.find(process, operation, 0, 0)
      return row < 0 || !callsRarely(row)
    },
    count(process, operation) {
      const row = table.find(process, operation, 0, 0)
      return row < 0 ? 0 : (published[row] as number)
    },
    publish() {
      for (let row = 0; row < table.rows(); row++) {
        const kept = published[row] as number
        const fewest = smallest(row)
        // Fewer servers explain it too; or loaded and little seen since, or still good enough.
        const stays =
          kept > 0 && ((arrivals[row] as number) < ARRIVALS_MIN || fits(row, kept, GIVEN_UP * contradictedMax))
        if (!stays || (fewest > 0 && fewest < kept)) published[row] = fewest
      }
      table.trim((from, to) => {
        arrivals[to] = arrivals[from] as number
        calling[to] = calling[from] as number
        published[to] = published[from] as number
        found.copyWithin(to * SERVERS_MAX, from * SERVERS_MAX, (from + 1) * SERVERS_MAX)
        contradicted.copyWithin(to * SERVERS_MAX, from * SERVERS_MAX, (from + 1) * SERVERS_MAX)
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
        if ((published[row] as number) > 0) visit(table.key(row, 0), table.key(row, 1), published[row] as number)
      }
    },
    set(process, operation, servers) {
      const row = table.add(process, operation, 0, 0)
      if (row >= 0) published[row] = servers
    }
  }
}
