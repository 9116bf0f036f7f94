import { growFloats } from '../../scratch.ts'
import { Around, type Spreads } from '../../learned/spreads.ts'
import { type Servers, SERVERS_MAX } from '../../learned/servers.ts'
import { createIntervals, type IntervalsOptions } from './intervals.ts'

/** About so many arrivals does one publication learn from; of more, a share, scattered so that no service is passed over. */
const LESSONS_MAX = 2_000
/** A wait for shared servers is one when all of them were taken for so much of it; between two holders one is free for a moment. */
const FULL_SHARE_MIN = 0.8
/** Stands for all operations of a process: of a rare one alone, too few have waited. */
const ANY_OPERATION = 0
/** Requests looked at between two publications to see who was being served: some milliseconds. Few arrivals of a busy process need that many. */
const SERVED_WALK_MAX = 200_000
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
  /** The same of a pool that the whole process shares, from who was being served while the request waited. */
  readonly sharedTurnNs: (request: Asked) => number
  /** Whether an operation's requests are known to queue for servers that the process shares. */
  readonly mayShare: (process: number, operation: number) => boolean
  /** Teaches the arrivals whose neighbours have come too: those added before the last call, or all. */
  readonly teach: (all: boolean) => void
  readonly mark: (strings: Uint8Array) => void
  readonly clear: () => void
  readonly bytes: () => number
}

const ROW_BYTES = 28
/** Cells that all threads share, serial numbers both: the next to teach, and where the last publication stood. */
const Cell = { next: 0, settled: 1 } as const

export function createArrivals(
  options: IntervalsOptions,
  learned: { readonly servers: Servers; readonly sharedServers: Servers; readonly spreads: Spreads }
): Arrivals {
  const { servers, sharedServers, spreads } = learned
  const { memory } = options
  const intervals = createIntervals(options)
  const { rows } = intervals
  // When each request was seen to be served, by process: from its first call, or all along without one, to its release.
  const service = createIntervals({ ...options, pushedOut: () => undefined })
  const processOf = memory.take(Uint32Array, rows)
  const serviceOf = memory.take(Uint32Array, rows)
  const operationOf = memory.take(Uint32Array, rows)
  const firstCall = memory.take(Float64Array, rows)
  const lastEndNs = memory.take(Float64Array, rows)
  const cells = memory.take(Float64Array, 2)
  const asked = { process: 0, service: 0, operation: 0, fromNs: 0, firstCallNs: 0 }
  const ahead = growFloats(AHEAD_MAX)
  const begins = growFloats(AHEAD_MAX)
  const ends = growFloats(AHEAD_MAX)
  let unhurried = false
  let walkedMost = 0

  const keyOf = (process: number, operation: number): number => Math.imul(process, 0x9e3779b1) ^ operation

  function usualLastPieceNs(of: number, operation: number): number {
    const spread = spreads.rowOf(of, operation, Around.lastPiece, Around.lastPiece)
    return spread < 0 ? Infinity : spreads.medianNs(spread)
  }

  /** A request gives up its server when its last piece, by its usual length, begins. */
  function releaseNs(row: number, lastPieceNs: number): number {
    return Math.max(lastEndNs[row] as number, intervals.toNs(row) - lastPieceNs)
  }

  function addService({ process, service: of, operation, fromNs, toNs, firstCallNs, lastEndNs: last }: Arrival): void {
    service.next[0] = firstCallNs < Infinity ? firstCallNs : fromNs
    service.next[1] = firstCallNs < Infinity ? Math.max(last, toNs - usualLastPieceNs(of, operation)) : toNs
    service.add(process)
  }

  /** Fills `ahead` with when each request that held a server at the arrival gave it up, rising. */
  function lookAhead({ process, service: of, operation, fromNs, firstCallNs }: Asked): number {
    const lastPieceNs = usualLastPieceNs(of, operation)
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

  const sharedBy = (process: number, operation: number): number =>
    sharedServers.count(process, operation) || sharedServers.count(process, ANY_OPERATION)

  /** Requests of a process that were being served at a moment; 0 with too many around. */
  function servedAt(process: number, ns: number): number {
    let n = 0
    const all = service.each(process, ns, ns, (row) => {
      if (service.fromNs(row) < ns && service.toNs(row) > ns) n += 1
    })
    return all ? Math.min(n, AHEAD_MAX) : 0
  }

  /**
   * Who shares the servers may be seen only once served, as batch jobs without a request are: then nothing tells who was ahead.
   * But while all servers are taken nobody begins. Asked of the moment at which a request would have begun its first call
   * unhindered: whoever finds a server free proves nothing.
   */
  function teachShared(request: Asked): void {
    const { process, service: of, operation, fromNs, firstCallNs } = request
    const lead = spreads.rowOf(of, operation, 0, Around.lastPiece)
    if (lead < 0 || firstCallNs === Infinity) return
    const n = servedAt(process, Math.min(firstCallNs, fromNs + spreads.medianNs(lead)))
    const held = servedAt(process, firstCallNs)
    // Of k servers, all are taken still when as many are served; `ahead` then says that for each k at once.
    ahead.fill(-Infinity, 0, Math.max(0, n - held))
    ahead.fill(Infinity, Math.max(0, n - held), n)
    sharedServers.learn(process, operation, firstCallNs, ahead, n)
    sharedServers.learn(process, ANY_OPERATION, firstCallNs, ahead, n)
  }

  function teachRow(row: number): void {
    asked.process = processOf[row] as number
    asked.service = serviceOf[row] as number
    asked.operation = operationOf[row] as number
    asked.fromNs = intervals.fromNs(row)
    asked.firstCallNs = firstCall[row] as number
    const n = lookAhead(asked)
    servers.learn(asked.process, asked.operation, asked.firstCallNs, ahead, n)
    if (unhurried || service.walked() < walkedMost) teachShared(asked)
  }

  /** From its arrival until the last moment at which all servers were taken, if they were for most of that time. */
  function lastFullNs(process: number, servers: number, fromNs: number, toNs: number): number {
    let n = 0
    const all = service.each(process, fromNs, toNs, (row) => {
      if (service.fromNs(row) >= toNs || service.toNs(row) <= fromNs || n === AHEAD_MAX) return
      begins[n] = Math.max(fromNs, service.fromNs(row))
      ends[n++] = service.toNs(row)
    })
    if (!all || n < servers || n === AHEAD_MAX) return -Infinity
    begins.subarray(0, n).sort()
    ends.subarray(0, n).sort()
    let lastNs = -Infinity
    let fullNs = 0
    // All servers are taken between the k-th beginning that is not yet made up for by an end, and the next end.
    for (let begun = 0, ended = 0; begun < n;) {
      const endNs = Math.min(toNs, ends[ended] as number)
      const beginNs = begins[begun] as number
      if (beginNs < endNs) {
        begun += 1
        if (begun - ended < servers) continue
        const nextNs = Math.min(endNs, begun < n ? (begins[begun] as number) : Infinity)
        fullNs += nextNs - beginNs
        lastNs = nextNs
      } else {
        ended += 1
        if ((ends[ended - 1] as number) >= toNs) break
        if (begun - ended < servers) continue
        const nextNs = Math.min(toNs, ends[ended] as number, begun < n ? (begins[begun] as number) : Infinity)
        fullNs += Math.max(0, nextNs - endNs)
        lastNs = nextNs
      }
    }
    return fullNs >= FULL_SHARE_MIN * (lastNs - fromNs) ? lastNs : -Infinity
  }

  return {
    add(arrival) {
      intervals.next[0] = arrival.fromNs
      intervals.next[1] = arrival.toNs
      const row = intervals.add(keyOf(arrival.process, arrival.operation))
      processOf[row] = arrival.process
      serviceOf[row] = arrival.service
      operationOf[row] = arrival.operation
      firstCall[row] = arrival.firstCallNs
      lastEndNs[row] = arrival.lastEndNs
      addService(arrival)
    },
    turnNs(request) {
      const count = servers.count(request.process, request.operation)
      if (count === 0 || count > SERVERS_MAX) return -Infinity
      const n = lookAhead(request)
      return n < count ? -Infinity : (ahead[n - count] as number)
    },
    sharedTurnNs({ process, operation, fromNs, firstCallNs }) {
      const count = sharedBy(process, operation)
      return count === 0 || firstCallNs === Infinity ? -Infinity : lastFullNs(process, count, fromNs, firstCallNs)
    },
    mayShare: (process, operation) => sharedBy(process, operation) > 0,
    teach(all) {
      const added = intervals.added()
      const end = all ? added : (cells[Cell.settled] as number)
      let next = Math.max(cells[Cell.next] as number, added - rows)
      const oneIn = Math.max(1, Math.ceil((end - next) / (all ? LESSONS_OF_ALL_MAX : LESSONS_MAX)))
      unhurried = all
      walkedMost = service.walked() + SERVED_WALK_MAX
      for (; next < end; next++) {
        if (oneIn > 1 && (Math.imul(next, 0x9e3779b1) >>> 16) % oneIn !== 0) continue
        teachRow(next % rows)
      }
      cells[Cell.next] = next
      cells[Cell.settled] = added
    },
    mark(strings) {
      const kept = Math.min(rows, intervals.added())
      for (let row = 0; row < kept; row++) {
        strings[processOf[row] as number] = 1
        strings[serviceOf[row] as number] = 1
        strings[operationOf[row] as number] = 1
      }
    },
    clear() {
      intervals.clear()
      service.clear()
      cells[Cell.next] = cells[Cell.settled] = intervals.added()
    },
    bytes: () => intervals.bytes() + service.bytes() + ROW_BYTES * Math.min(rows, intervals.added())
  }
}
