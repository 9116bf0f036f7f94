import { type Resources } from '../../model/spans.ts'
import { type OperationTable } from '../../model/tail.ts'
import { type Marks } from '../../runtime/stage.ts'
import { type Strings } from '../../runtime/strings.ts'
import { createCollector } from './collector.ts'
import { createIntervalWriter, type Interval, intervalBytes, mergeIntervals } from './interval.ts'
import { FINEST_MS, nextToMerge } from './levels.ts'
import { type HistoryPoint, type HistoryRange, pointsOf, type VersionChange, versionChanges } from './points.ts'
import { clearOperationSums, createOperationSums } from './record.ts'
import { loadInterval, saveInterval } from './saved-intervals.ts'
import { createSeenVersions } from './seen-versions.ts'

/** Rows looked at in one tick, and records added up. */
const ROWS_A_TICK = 128
const RECORDS_A_TICK = 256

/**
 * What each operation did over the last day: sketches and sums of phases of every stretch of time, coarser with age.
 *
 *     counters --each minute--> interval of 1 min --after 1 h--> 5 min --after 6 h--> 15 min --after `historyMs`--> gone
 *
 * A request costs one byte written. All else is done at the ends of intervals, a few rows a tick.
 */
export interface History {
  /** A sender that answered a request. */
  readonly see: (resource: number) => void
  /** A row's counters are about to begin at zero again. */
  readonly beforeFree: (row: number) => void
  readonly tick: (nowMs: number) => void
  /** What was counted since it last looked was counted before the restart: history has it, or lost it then. */
  readonly passOver: () => void
  /** Takes in what the present interval has so far. */
  readonly finish: (nowMs: number) => void
  /** Undefined for an operation that it never heard of. */
  readonly of: (service: string, operation: string, range: HistoryRange) => OperationHistory | undefined
  /** In order of time. */
  readonly intervals: () => readonly Interval[]
  /** The intervals as bytes for another process, made one by one: others may work between two. */
  readonly save: () => Iterable<Uint8Array>
  /** Begins with what was saved; what is too old or from the future is left out. Throws BAD_FILE, and then nothing is taken over. */
  readonly restore: (saved: readonly Uint8Array[], nowMs: number) => void
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

export interface OperationHistory {
  readonly points: readonly HistoryPoint[]
  readonly versions: readonly VersionChange[]
  /** From where history is known at all, of whatever operation; null while nothing is. */
  readonly since_unix_ms: number | null
}

export interface HistoryOptions {
  /** 0 = none is kept. */
  readonly historyMs: number
  readonly historyBytesMax: number
  readonly sketchBytesMax: number
}

export interface HistoryTools {
  readonly table: OperationTable
  readonly strings: Strings
  readonly resources: Resources
  readonly onLost: (part: 'intervals' | 'versions', count: number) => void
  readonly onSketchOverflow: () => void
}

export function createHistory(options: HistoryOptions, tools: HistoryTools): History {
  const { historyMs, historyBytesMax } = options
  const { table, strings, onLost } = tools
  const collector = createCollector(table, options.sketchBytesMax, tools.onSketchOverflow)
  const versions = createSeenVersions(tools.resources)
  const present = createIntervalWriter()
  const coarser = createIntervalWriter()
  const sums = createOperationSums()
  let intervals: Interval[] = []
  /** Their names are needed until they are saved, even if they leave meanwhile. */
  let beingSaved: readonly Interval[] = []
  let held = 0
  /** Where the present interval began; NaN before the first tick. */
  let fromMs = NaN
  let work: Iterator<undefined, void> | undefined

  function collectRow(row: number): void {
    if (table.live[row] === 0 || !collector.takeNew(row, sums)) return
    present.add(table.service[row] as number, table.operation[row] as number, sums)
  }

  /** Ends the present interval, drops what is too old or over the limit, then makes old ones coarser. */
  function* endInterval(toMs: number): Generator<undefined, void> {
    for (let row = 0; row < table.rows; row++) {
      collectRow(row)
      if (row % ROWS_A_TICK === ROWS_A_TICK - 1) yield
    }
    keepPresent(toMs)
    yield
    for (let place = nextToMerge(intervals, toMs); place !== undefined; place = nextToMerge(intervals, toMs)) {
      yield* merge(place)
      yield
    }
  }

  function keepPresent(toMs: number): void {
    const seen = versions.take((lost) => {
      onLost('versions', lost)
    })
    if (present.records() > 0) intervals.push(present.take({ fromMs, toMs, versions: seen }))
    fromMs = toMs
    drop(toMs)
  }

  function* merge([from, to]: readonly [number, number]): Generator<undefined, void> {
    const clear = (): void => {
      clearOperationSums(sums)
    }
    const parts = intervals.slice(from, to)
    const merged = yield* mergeIntervals(parts, { writer: coarser, sums, clear }, RECORDS_A_TICK)
    intervals.splice(from, to - from, merged)
    held = bytesOf(intervals)
  }

  function drop(nowMs: number): void {
    const old = intervals.findIndex(({ toMs }) => toMs > nowMs - historyMs)
    intervals = old < 0 ? [] : intervals.slice(old)
    held = bytesOf(intervals)
    let over = 0
    while (held > historyBytesMax && over < intervals.length) held -= intervalBytes(intervals[over++] as Interval)
    if (over === 0) return
    onLost('intervals', over)
    intervals = intervals.slice(over)
  }

  function* save(): Generator<Uint8Array> {
    beingSaved = [...intervals]
    try {
      for (const interval of beingSaved) yield saveInterval(interval, strings)
    } finally {
      beingSaved = []
    }
  }

  /** It has history, or will have some when the present interval ends. */
  function isKnown(service: number, operation: number): boolean {
    for (let row = 0; row < table.rows; row++) {
      if (table.live[row] === 1 && table.operation[row] === operation && table.service[row] === service) return true
    }
    return intervals.some((interval) => interval.operation.includes(operation) && interval.service.includes(service))
  }

  function finishWork(): void {
    while (work?.next().done === false);
    work = undefined
  }

  return {
    see: versions.see,
    beforeFree(row) {
      if (historyMs === 0) return
      collectRow(row)
      collector.clearRow(row)
    },
    tick(nowMs) {
      if (historyMs === 0) return
      if (Number.isNaN(fromMs)) fromMs = nowMs
      const boundaryMs = Math.floor(nowMs / FINEST_MS) * FINEST_MS
      if (work === undefined && boundaryMs > fromMs) work = endInterval(boundaryMs)
      if (work?.next().done === true) work = undefined
    },
    passOver() {
      if (historyMs === 0) return
      for (let row = 0; row < table.rows; row++) if (table.live[row] === 1) collector.takeNew(row, sums)
    },
    finish(nowMs) {
      if (historyMs === 0 || Number.isNaN(fromMs)) return
      finishWork()
      if (nowMs <= fromMs) return
      work = endInterval(nowMs)
      finishWork()
    },
    of(serviceName, operationName, range) {
      const [service, operation] = [strings.find(serviceName), strings.find(operationName)]
      if (service === undefined || operation === undefined) return undefined
      if (!isKnown(service, operation)) return undefined
      return {
        points: pointsOf(intervals, { service, operation }, range),
        versions: versionChanges(intervals, service, range).map(({ atMs, version }) => ({
          at_unix_ms: atMs,
          version: strings.text(version)
        })),
        since_unix_ms: intervals[0]?.fromMs ?? null
      }
    },
    intervals: () => intervals,
    save,
    restore(saved, nowMs) {
      if (historyMs === 0) return
      const loaded = saved.map((bytes) => loadInterval(bytes, strings))
      intervals = loaded.filter(({ toMs }) => toMs <= nowMs).sort((a, b) => a.fromMs - b.fromMs)
      drop(nowMs)
    },
    mark(marks) {
      versions.mark(marks.resources)
      present.mark(marks.strings)
      coarser.mark(marks.strings)
      for (const interval of [...intervals, ...beingSaved]) {
        for (const ids of [interval.service, interval.operation, interval.versions]) {
          for (const id of ids) marks.strings[id] = 1
        }
      }
    },
    bytes: () => held + present.bytes() + coarser.bytes() + collector.bytes() + versions.bytes()
  }
}

function bytesOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, interval) => sum + intervalBytes(interval), 0)
}
