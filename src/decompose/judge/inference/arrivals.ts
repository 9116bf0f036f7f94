import { growFloats } from '../../scratch.ts'
import { Around, type Spreads } from '../../learned/spreads.ts'
import { type Servers, SERVERS_MAX } from '../../learned/servers.ts'
import { createIntervals } from './intervals.ts'

/** About so many arrivals does one publication learn from; of more, a share, scattered so that no service is passed over. */
const LESSONS_MAX = 2_000
/** Offline nothing waits meanwhile, and it is the only one. */
const LESSONS_OF_ALL_MAX = 20_000
/** Requests ahead of one arrival; with more, or too many around, nothing is said of it. */
const AHEAD_MAX = 1024

export interface Arrival {
  readonly process: number
  readonly service: number
  readonly operation: number
  readonly fromNs: number
  readonly toNs: number
  /** Start of the first call, Infinity without: cut short before it got its turn, or never in need of one. */
  readonly firstCallNs: number
  /** End of the last child within the request; its start without. */
  readonly lastEndNs: number
}

/** Who asks for its turn. */
type Asked = Pick<Arrival, 'process' | 'service' | 'operation' | 'fromNs' | 'firstCallNs'>

/** The latest requests of all processes, to see who was ahead of whom. */
export interface Arrivals {
  readonly add: (arrival: Arrival) => void
  /** When a request got a server of its operation's pool; -Infinity when one was free, or no pool is known. */
  readonly turnNs: (request: Asked) => number
  /** Teaches the arrivals whose neighbours have come too: those added before the last call, or all. */
  readonly teach: (all: boolean) => void
  readonly mark: (strings: Uint8Array) => void
  readonly pushedOut: () => number
  readonly clear: () => void
  readonly bytes: () => number
}

export function createArrivals(
  requestsMax: number,
  learned: { readonly servers: Servers; readonly spreads: Spreads }
): Arrivals {
  const { servers, spreads } = learned
  const intervals = createIntervals(requestsMax)
  let processOf = new Uint32Array(0)
  let serviceOf = new Uint32Array(0)
  let operationOf = new Uint32Array(0)
  let firstCall = new Float64Array(0)
  let lastEndNs = new Float64Array(0)
  const asked = { process: 0, service: 0, operation: 0, fromNs: 0, firstCallNs: 0 }
  const ahead = growFloats(AHEAD_MAX)
  let added = 0
  // Serial numbers: the next to teach, and where the last publication stood.
  let next = 0
  let settled = 0

  const keyOf = (process: number, operation: number): number => Math.imul(process, 0x9e3779b1) ^ operation

  /** A request gives up its server when its last piece, by its usual length, begins. */
  function releaseNs(row: number, lastPieceNs: number): number {
    return Math.max(lastEndNs[row] as number, intervals.toNs(row) - lastPieceNs)
  }

  /** Fills `ahead` with when each request that held a server at the arrival gave it up, rising. */
  function lookAhead({ process, service, operation, fromNs, firstCallNs }: Asked): number {
    const spread = spreads.rowOf(service, operation, Around.lastPiece, Around.lastPiece)
    const lastPieceNs = spread < 0 ? Infinity : spreads.medianNs(spread)
    let n = 0
    const all = intervals.each(keyOf(process, operation), fromNs, fromNs, (row) => {
      if (processOf[row] !== process || operationOf[row] !== operation) return
      // Of those that came in the same moment, by a coarse clock or after a stall, who was served first was ahead.
      if (intervals.fromNs(row) === fromNs && !((firstCall[row] as number) < firstCallNs)) return
      if (intervals.fromNs(row) > fromNs) return
      const release = releaseNs(row, lastPieceNs)
      if (release > fromNs && n < AHEAD_MAX) ahead[n++] = release
    })
    if (!all || n === AHEAD_MAX) return 0
    ahead.subarray(0, n).sort()
    return n
  }

  function growColumns(): void {
    const grown = <T extends Uint32Array | Float64Array>(old: T, column: T): T => {
      column.set(old)
      return column
    }
    const rows = intervals.rows()
    processOf = grown(processOf, new Uint32Array(rows))
    serviceOf = grown(serviceOf, new Uint32Array(rows))
    operationOf = grown(operationOf, new Uint32Array(rows))
    firstCall = grown(firstCall, new Float64Array(rows))
    lastEndNs = grown(lastEndNs, new Float64Array(rows))
  }

  function teachRow(row: number): void {
    asked.process = processOf[row] as number
    asked.service = serviceOf[row] as number
    asked.operation = operationOf[row] as number
    asked.fromNs = intervals.fromNs(row)
    asked.firstCallNs = firstCall[row] as number
    const n = lookAhead(asked)
    servers.learn(asked.process, asked.operation, asked.firstCallNs, ahead, n)
  }

  return {
    add(arrival) {
      intervals.next[0] = arrival.fromNs
      intervals.next[1] = arrival.toNs
      const row = intervals.add(keyOf(arrival.process, arrival.operation))
      if (row >= processOf.length) growColumns()
      processOf[row] = arrival.process
      serviceOf[row] = arrival.service
      operationOf[row] = arrival.operation
      firstCall[row] = arrival.firstCallNs
      lastEndNs[row] = arrival.lastEndNs
      added += 1
    },
    turnNs(request) {
      const count = servers.count(request.process, request.operation)
      if (count === 0 || count > SERVERS_MAX) return -Infinity
      const n = lookAhead(request)
      return n < count ? -Infinity : (ahead[n - count] as number)
    },
    teach(all) {
      const end = all ? added : settled
      const rows = intervals.rows()
      next = Math.max(next, added - rows)
      const oneIn = Math.max(1, Math.ceil((end - next) / (all ? LESSONS_OF_ALL_MAX : LESSONS_MAX)))
      for (; next < end; next++) {
        if (oneIn === 1 || (Math.imul(next, 0x9e3779b1) >>> 16) % oneIn === 0) teachRow(next % rows)
      }
      settled = added
    },
    mark(strings) {
      for (let row = 0; row < processOf.length; row++) {
        strings[processOf[row] as number] = 1
        strings[serviceOf[row] as number] = 1
        strings[operationOf[row] as number] = 1
      }
    },
    pushedOut: intervals.pushedOut,
    clear() {
      intervals.clear()
      added = next = settled = 0
    },
    bytes: () => intervals.bytes() + 28 * processOf.length
  }
}
