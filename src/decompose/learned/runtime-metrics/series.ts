import { type MetricPoints, PointShape, Temporality } from '../../../model/metric-points.ts'
import type { SharedMemory } from '../../../runtime/shared-memory.ts'
import { enlarge, growInts } from '../../scratch.ts'
import { createKeyTable } from '../key-table.ts'

const HIGH_WORD = 2 ** 32
const NS_PER_S = 1e9
/** A longer interval says nothing about any moment in it. */
const INTERVAL_MAX_NS = 300e9
/** Before the first value of a gauge: the default period of a metric reader. */
const FIRST_GAUGE_NS = 60e9
/** Two deltas of one series may overlap by this share: clocks are read one after the other. */
const OVERLAP_SHARE = 0.1

/** Why a point gave no interval; a metric label. */
export const pointReasons = [
  'stale',
  'out_of_order',
  'backwards',
  'identity',
  'gap',
  'implausible',
  'shape',
  'rival',
  'full'
] as const
export const Ignored = {
  /** Sent before: the same time, or a figure that cannot stand still and did. */
  stale: 0,
  outOfOrder: 1,
  /** A counter fell, and its start time did not say why. */
  backwards: 2,
  /** Two senders write as one: their start times contradict each other. */
  identity: 3,
  /** Too long since the last point. */
  gap: 4,
  /** More than a machine can do: the unit is wrong. */
  implausible: 5,
  /** A delta where only a state makes sense. */
  shape: 6,
  /** Another metric already gives this figure. */
  rival: 7,
  full: 8
} as const

/** What of a point is followed: its sum or number, and whether it is a state. */
export interface SeriesKind {
  readonly gauge: boolean
  readonly moves: boolean
}

export interface SeriesEnd {
  /** An amount of a series (or the state that it was in) between two moments. */
  readonly interval: (series: number, fromNs: number, toNs: number, amount: number, count: number) => void
  readonly ignored: (series: number, reason: number) => void
}

/**
 * Turns the points of series into intervals: cumulative ones by their differences, deltas as they are, gauges since the point
 * before. Points of one series and time in the same request add up (attributes that nobody asked for told them apart);
 * in another request they are the same point, sent again.
 *
 *   absent --point--> baseline --later point--> interval, new baseline
 *                        | start time moved on (restart): the value since then is the interval
 *                        | start time moved back, or on and yet overlapping: two senders
 */
export interface Series {
  /** Row of the series, made if need be; -1 when there are too many. */
  readonly of: (sender: number, metric: number, attribute: number, detail: number) => number
  readonly sender: (series: number) => number
  readonly metric: (series: number) => number
  readonly detail: (series: number) => number
  readonly attribute: (series: number) => number
  readonly begin: () => void
  readonly point: (series: number, points: MetricPoints, row: number, kind: SeriesKind) => void
  readonly end: () => void
  /** A new age; drops the series unused for longest when nearly full. */
  readonly trim: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

const Kinds = { gauge: 1, moves: 2 } as const

const CELL_BYTES = 72

export function createSeries(seriesMax: number, memory: SharedMemory, out: SeriesEnd): Series {
  const table = createKeyTable({ rowsMax: seriesMax, memory, clear })
  const startNs = memory.take(Float64Array, seriesMax)
  const timeNs = memory.take(Float64Array, seriesMax)
  const value = memory.take(Float64Array, seriesMax)
  const count = memory.take(Float64Array, seriesMax)
  // The point being put together of this request's rows; its time is NaN while there is none.
  const nextStartNs = memory.take(Float64Array, seriesMax)
  const nextTimeNs = memory.take(Float64Array, seriesMax)
  const nextValue = memory.take(Float64Array, seriesMax)
  const nextCount = memory.take(Float64Array, seriesMax)
  const nextForm = memory.take(Int32Array, seriesMax)
  const kinds = memory.take(Int32Array, seriesMax)
  let touched = growInts(64)
  let touches = 0

  function clear(series: number): void {
    timeNs[series] = nextTimeNs[series] = NaN
  }

  function point(series: number, points: MetricPoints, row: number, kind: SeriesKind): void {
    table.touch(series)
    const atNs = (points.timeHi[row] as number) * HIGH_WORD + (points.timeLo[row] as number)
    const fromNs = (points.startHi[row] as number) * HIGH_WORD + (points.startLo[row] as number)
    const form = formOf(points, row, kind)
    kinds[series] = (kind.gauge ? Kinds.gauge : 0) | (kind.moves ? Kinds.moves : 0)
    if (form < 0) {
      out.ignored(series, Ignored.shape)
      return
    }
    const sum = amountOf(points, row)
    if (nextTimeNs[series] === atNs) {
      nextValue[series] = (nextValue[series] as number) + sum
      nextCount[series] = (nextCount[series] as number) + (points.count[row] as number)
      nextStartNs[series] = Math.min(nextStartNs[series] as number, fromNs)
      return
    }
    if (Number.isNaN(nextTimeNs[series])) {
      touched = enlarge(touched, touches + 1)
      touched[touches++] = series
    } else {
      commit(series)
    }
    nextTimeNs[series] = atNs
    nextStartNs[series] = fromNs
    nextValue[series] = sum
    nextCount[series] = points.count[row] as number
    nextForm[series] = form
  }

  function commit(series: number): void {
    const atNs = nextTimeNs[series] as number
    const lastNs = timeNs[series] as number
    nextTimeNs[series] = NaN
    if (atNs === lastNs) out.ignored(series, Ignored.stale)
    else if (atNs < lastNs) out.ignored(series, Ignored.outOfOrder)
    else if (nextForm[series] === Form.state) commitState(series, atNs, lastNs)
    else if (nextForm[series] === Form.delta) commitDelta(series, atNs, lastNs)
    else commitTotal(series, atNs, lastNs)
  }

  function commitState(series: number, atNs: number, lastNs: number): void {
    const known = atNs - lastNs <= INTERVAL_MAX_NS
    timeNs[series] = atNs
    out.interval(series, known ? lastNs : atNs - FIRST_GAUGE_NS, atNs, nextValue[series] as number, 0)
  }

  function commitDelta(series: number, atNs: number, lastNs: number): void {
    const saidNs = nextStartNs[series] as number
    const fromNs = saidNs > 0 ? saidNs : lastNs
    timeNs[series] = atNs
    if (lastNs - fromNs > OVERLAP_SHARE * (atNs - fromNs)) out.ignored(series, Ignored.identity)
    // Without a start the first one has no length.
    else if (!(atNs - fromNs <= INTERVAL_MAX_NS)) out.ignored(series, Ignored.gap)
    else if (atNs > fromNs) out.interval(series, fromNs, atNs, nextValue[series] as number, nextCount[series] as number)
  }

  function commitTotal(series: number, atNs: number, lastNs: number): void {
    const fromNs = nextStartNs[series] as number
    const lastStartNs = startNs[series] as number
    const grown = (nextValue[series] as number) - (value[series] as number)
    const counted = (nextCount[series] as number) - (count[series] as number)
    if (!Number.isNaN(lastNs) && grown === 0 && counted === 0 && fromNs === lastStartNs) {
      if (((kinds[series] as number) & Kinds.moves) !== 0) {
        out.ignored(series, Ignored.stale)
        return
      }
    }
    rebase(series, atNs)
    if (Number.isNaN(lastNs) || (fromNs > lastStartNs && fromNs >= lastNs)) {
      // First seen, or started anew: all of it came since the start, if that is known.
      if (atNs - fromNs <= INTERVAL_MAX_NS && atNs > fromNs) {
        out.interval(series, fromNs, atNs, nextValue[series] as number, nextCount[series] as number)
      }
    } else if (fromNs !== lastStartNs) out.ignored(series, Ignored.identity)
    else if (grown < 0 || counted < 0) out.ignored(series, Ignored.backwards)
    else if (atNs - lastNs > INTERVAL_MAX_NS) out.ignored(series, Ignored.gap)
    else out.interval(series, lastNs, atNs, grown, counted)
  }

  function rebase(series: number, atNs: number): void {
    timeNs[series] = atNs
    startNs[series] = nextStartNs[series] as number
    value[series] = nextValue[series] as number
    count[series] = nextCount[series] as number
  }

  return {
    of: table.add,
    sender: (series) => table.key(series, 0),
    metric: (series) => table.key(series, 1),
    attribute: (series) => table.key(series, 2),
    detail: (series) => table.key(series, 3),
    begin() {
      touches = 0
    },
    point,
    end() {
      for (let i = 0; i < touches; i++) commit(touched[i] as number)
      touches = 0
    },
    trim() {
      table.trim((from, to) => {
        for (const column of [startNs, timeNs, value, count, nextTimeNs]) column[to] = column[from] as number
        kinds[to] = kinds[from] as number
      })
    },
    mark(strings) {
      for (let series = 0; series < table.rows(); series++) {
        strings[Math.abs(table.key(series, 0))] = 1
        strings[table.key(series, 2)] = 1
        strings[table.key(series, 3)] = 1
      }
    },
    bytes: () => table.bytes() + CELL_BYTES * table.rows()
  }
}

const Form = { total: 0, delta: 1, state: 2, none: -1 } as const

function formOf(points: MetricPoints, row: number, { gauge }: SeriesKind): number {
  const shape = points.shape[row] as number
  const delta = points.temporality[row] === Temporality.delta
  if (!gauge) return delta ? Form.delta : Form.total
  if (shape === PointShape.gauge) return Form.state
  // An UpDownCounter's cumulative sum is the state itself; from differences it cannot be known.
  return shape === PointShape.sum && !delta ? Form.state : Form.none
}

/** A number or a histogram's sum, in seconds if it is a time. Without a sum each bucket's lower bound says at least as much. */
function amountOf(points: MetricPoints, row: number): number {
  const unit = points.secondsPerUnit[row] as number
  const scale = Number.isNaN(unit) ? 1 : unit
  const sum = points.value[row] as number
  if (!Number.isNaN(sum)) return sum * scale
  let least = 0
  const first = row === 0 ? 0 : (points.bucketsEnd[row - 1] as number)
  for (let i = first + 1; i < (points.bucketsEnd[row] as number); i++) {
    least += (points.bucketCount[i] as number) * Math.max(0, points.bucketBound[i - 1] as number)
  }
  return least * scale
}

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** Tells histograms of different bounds apart: differences between their sums mean nothing. 0 without buckets. */
export function boundsDigest(points: MetricPoints, row: number): number {
  const first = row === 0 ? 0 : (points.bucketsEnd[row - 1] as number)
  const end = points.bucketsEnd[row] as number
  if (end - first < 2) return 0
  float[0] = points.bucketBound[end - 2] as number
  const digest = Math.imul((words[0] as number) ^ (words[1] as number), 0x9e3779b1) ^ (end - first)
  return (digest >>> 16) | 1
}

export const perSecond = (amount: number, fromNs: number, toNs: number): number => (amount * NS_PER_S) / (toNs - fromNs)
