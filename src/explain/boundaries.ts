import {
  BOUNDARY_BANDS,
  BOUNDARY_BUCKETS,
  BOUNDARY_COMPONENTS,
  BoundaryBand,
  boundaryBounds
} from '../model/boundaries.ts'
import { type CrossingColumns, type Decomposition } from '../model/decomposition.ts'
import { Band, Outcome } from '../model/requests.ts'
import { languages, type Resources } from '../model/spans.ts'
import { type BoundaryTable } from '../model/tail.ts'
import { clearExact } from '../runtime/exact-sums.ts'
import { addCell, addWeighted, emptySums, grown, grownSums } from './columns.ts'
import { type Counted } from './counted.ts'
import { createPairIndex } from './pair-index.ts'

/** Series of one component of an edge: in each band a histogram with its buckets, sum and count. */
const COMPONENT_SERIES = BOUNDARY_BANDS * (BOUNDARY_BUCKETS + 2)
const EDGE_HISTOGRAMS = BOUNDARY_COMPONENTS * BOUNDARY_BANDS
const EDGE_BUCKETS = EDGE_HISTOGRAMS * BOUNDARY_BUCKETS
const FIRST_ROWS = 16

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** A side of an edge: an interned service and a Language. */
interface Side {
  service: number
  language: number
}

/**
 * What crossing from one service and language to another takes, in the body and in the tail of the requests that pay for it.
 *
 *     an edge gets a row when a crossing of it first takes any time, a component its series likewise
 *     idle for rowIdleMs -> the row and its series are gone, and another edge may have them
 */
export interface Boundaries {
  readonly table: BoundaryTable
  /** Counts crossings [from, to) of a trace whose requests are counted. */
  readonly count: (decomposition: Decomposition, order: CountedCrossings, nowMs: number) => void
  /** Adds what another table has, with its service ids by `id`. */
  readonly merge: (from: BoundaryTable, id: (service: number) => number, nowMs: number) => void
  readonly tick: (nowMs: number) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

interface CountedCrossings {
  readonly counted: Counted
  readonly from: number
  readonly to: number
}

export interface BoundariesOptions {
  readonly boundarySeriesMax: number
  readonly rowIdleMs: number
  readonly resources: Resources
  /** A component's time is not counted, because there are as many series as there may be. */
  readonly onOverflow: () => void
}

export function createBoundaries(options: BoundariesOptions): Boundaries {
  const { resources, rowIdleMs, onOverflow } = options
  const componentsMax = Math.floor(options.boundarySeriesMax / COMPONENT_SERIES)
  const index = createPairIndex()
  const free: number[] = []
  const caller: Side = { service: 0, language: 0 }
  const callee: Side = { service: 0, language: 0 }
  let shown = 0
  let cursor = 0
  let lastSeenMs = new Float64Array(0)
  const table: Mutable<BoundaryTable> = {
    rows: 0,
    callerService: new Uint32Array(0),
    calleeService: new Uint32Array(0),
    callerLanguage: new Uint8Array(0),
    calleeLanguage: new Uint8Array(0),
    live: new Uint8Array(0),
    sinceMs: new Float64Array(0),
    buckets: new Float64Array(0),
    ns: emptySums()
  }

  function grow(rows: number): void {
    table.callerService = grown(table.callerService, rows)
    table.calleeService = grown(table.calleeService, rows)
    table.callerLanguage = grown(table.callerLanguage, rows)
    table.calleeLanguage = grown(table.calleeLanguage, rows)
    table.live = grown(table.live, rows * BOUNDARY_COMPONENTS)
    table.sinceMs = grown(table.sinceMs, rows * BOUNDARY_COMPONENTS)
    table.buckets = grown(table.buckets, rows * EDGE_BUCKETS)
    table.ns = grownSums(table.ns, rows * EDGE_HISTOGRAMS)
    lastSeenMs = grown(lastSeenMs, rows)
  }

  const keyOf = ({ service, language }: Side): number => service * languages.length + language

  /** Row of the edge from caller to callee, a new one if there is room; -1 without. */
  function rowOf(nowMs: number): number {
    const known = index.get(keyOf(caller), keyOf(callee))
    if (known >= 0 || shown >= componentsMax) return known
    const row = free.pop() ?? table.rows++
    if (row >= lastSeenMs.length) grow(Math.max(FIRST_ROWS, row * 2))
    table.callerService[row] = caller.service
    table.callerLanguage[row] = caller.language
    table.calleeService[row] = callee.service
    table.calleeLanguage[row] = callee.language
    lastSeenMs[row] = nowMs
    index.set(keyOf(caller), keyOf(callee), row)
    return row
  }

  function release(row: number): void {
    sideOf(caller, table.callerService, table.callerLanguage, row)
    sideOf(callee, table.calleeService, table.calleeLanguage, row)
    index.delete(keyOf(caller), keyOf(callee))
    for (let cell = row * BOUNDARY_COMPONENTS; cell < (row + 1) * BOUNDARY_COMPONENTS; cell++) {
      shown -= table.live[cell] as number
      table.live[cell] = table.sinceMs[cell] = 0
    }
    table.buckets.fill(0, row * EDGE_BUCKETS, (row + 1) * EDGE_BUCKETS)
    clearExact(table.ns, row * EDGE_HISTOGRAMS, EDGE_HISTOGRAMS)
    lastSeenMs[row] = NaN
    free.push(row)
  }

  /** Whether the component has series, which it gets with its first time above 0, while there are any. */
  function shows(cell: number, nowMs: number): boolean {
    if (table.live[cell] === 1) return true
    if (shown >= componentsMax) return false
    shown += 1
    table.live[cell] = 1
    table.sinceMs[cell] = nowMs
    return true
  }

  function countCrossing(
    crossings: CrossingColumns,
    i: number,
    to: { band: number; weight: number },
    nowMs: number
  ): void {
    const first = i * BOUNDARY_COMPONENTS
    const known = index.get(keyOf(caller), keyOf(callee))
    if (known < 0 && !takesTime(crossings.ns, first)) return
    const row = rowOf(nowMs)
    if (row < 0) {
      onOverflow()
      return
    }
    lastSeenMs[row] = nowMs
    for (let component = 0; component < BOUNDARY_COMPONENTS; component++) {
      const ns = crossings.ns[first + component] as number
      if (Number.isNaN(ns)) continue
      const cell = row * BOUNDARY_COMPONENTS + component
      // What took no time is counted before its component has series, so that its mean is right when it gets them.
      if (ns > 0 && !shows(cell, nowMs)) {
        onOverflow()
        continue
      }
      const histogram = cell * BOUNDARY_BANDS + to.band
      const bucket = histogram * BOUNDARY_BUCKETS + bucketOf(ns)
      table.buckets[bucket] = (table.buckets[bucket] as number) + to.weight
      addWeighted(table.ns, histogram, ns, to.weight)
    }
  }

  const to = { band: 0, weight: 1 }

  function count({ trace, crossings, requests }: Decomposition, order: CountedCrossings, nowMs: number): void {
    const { band, weight } = order.counted
    for (let i = order.from; i < order.to; i++) {
      const request = crossings.request[i] as number
      if (band[request] === Band.gtP99) to.band = BoundaryBand.tail
      else if (band[request] === Band.leP50 && requests.outcome[request] === Outcome.ok) to.band = BoundaryBand.body
      else continue
      to.weight = weight[request] as number
      const by = trace.resource[crossings.caller[i] as number] as number
      const of = trace.resource[crossings.callee[i] as number] as number
      sideOf(caller, resources.service, resources.language, by)
      sideOf(callee, resources.service, resources.language, of)
      countCrossing(crossings, i, to, nowMs)
    }
  }

  function mergeRow(from: BoundaryTable, other: number, nowMs: number): void {
    const row = rowOf(nowMs)
    for (let component = 0; component < BOUNDARY_COMPONENTS; component++) {
      const otherCell = other * BOUNDARY_COMPONENTS + component
      const cell = row * BOUNDARY_COMPONENTS + component
      if (from.live[otherCell] === 1 && (row < 0 || !shows(cell, nowMs))) {
        onOverflow()
        continue
      }
      if (row < 0) continue
      for (let band = 0; band < BOUNDARY_BANDS; band++) {
        const [into, of] = [cell * BOUNDARY_BANDS + band, otherCell * BOUNDARY_BANDS + band]
        addCell(table.ns, into, from.ns, of)
        for (let i = 0; i < BOUNDARY_BUCKETS; i++) {
          const bucket = into * BOUNDARY_BUCKETS + i
          const added = from.buckets[of * BOUNDARY_BUCKETS + i] as number
          table.buckets[bucket] = (table.buckets[bucket] as number) + added
        }
      }
    }
  }

  return {
    table,
    count,
    merge(from, id, nowMs) {
      for (let other = 0; other < from.rows; other++) {
        if (!isShown(from, other)) continue
        sideOf(caller, from.callerService, from.callerLanguage, other)
        sideOf(callee, from.calleeService, from.calleeLanguage, other)
        caller.service = id(caller.service)
        callee.service = id(callee.service)
        mergeRow(from, other, nowMs)
      }
    },
    tick(nowMs) {
      if (table.rows === 0) return
      cursor = (cursor + 1) % table.rows
      if (nowMs - (lastSeenMs[cursor] as number) >= rowIdleMs) release(cursor)
    },
    mark(strings) {
      for (let row = 0; row < table.rows; row++) {
        strings[table.callerService[row] as number] = 1
        strings[table.calleeService[row] as number] = 1
      }
    },
    bytes: () =>
      lastSeenMs.length * (18 + BOUNDARY_COMPONENTS * 9 + EDGE_BUCKETS * 8 + EDGE_HISTOGRAMS * 16) + index.bytes()
  }
}

function sideOf(side: Side, services: Uint32Array, languagesOf: Uint8Array, row: number): void {
  side.service = services[row] as number
  side.language = languagesOf[row] as number
}

function takesTime(ns: Float64Array, first: number): boolean {
  for (let component = 0; component < BOUNDARY_COMPONENTS; component++) {
    if ((ns[first + component] as number) > 0) return true
  }
  return false
}

function isShown({ live }: BoundaryTable, row: number): boolean {
  for (let component = 0; component < BOUNDARY_COMPONENTS; component++) {
    if (live[row * BOUNDARY_COMPONENTS + component] === 1) return true
  }
  return false
}

const boundsNs = Float64Array.from(boundaryBounds, (seconds) => Math.round(seconds * 1e9))

function bucketOf(ns: number): number {
  let bucket = 0
  while (bucket < boundsNs.length && ns > (boundsNs[bucket] as number)) bucket += 1
  return bucket
}
