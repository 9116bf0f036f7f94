import { type RequestColumns } from '../model/decomposition.ts'
import { Band, QUANTILES, RequestClass, Sampling } from '../model/requests.ts'
import { type ServiceSampling } from '../model/tail.ts'
import { type Counters } from '../runtime/counters.ts'
import { SKETCH_BINS, sketchBin } from '../runtime/sketch.ts'
import { type Marks } from '../runtime/stage.ts'
import { type Strings } from '../runtime/strings.ts'
import { createBudgets, type Budgets } from './budgets/index.ts'
import { createClasses } from './classes.ts'
import { type Counted, ensureCounted } from './counted.ts'
import { type explainCounters } from './counters.ts'
import { type Learned } from './learned.ts'
import { createLoadedLearning, type LoadedLearning } from './loaded-learning.ts'
import { BandFlag, type PublishedBands, type WantedExamples } from './published-bands.ts'
import { createOperationRows } from './operation-rows.ts'
import {
  clearOperationRow,
  createOperationTable,
  growOperationTable,
  type MutableOperationTable,
  operationTableBytes,
  OTHER_ROW
} from './operation-table.ts'
import { createPublishedRows } from './published-rows.ts'
import { bandOf, type Booking, bookRequest } from './request-sums.ts'
import { createServiceSamplings, type SampledService, samplingOf } from './service-samplings.ts'
import { type ExplainSettings } from './settings.ts'
import { createSketchStore } from './sketch-store.ts'
import { createThresholds } from './thresholds.ts'

/** Rows looked at in one tick. */
const SWEEP_ROWS = 512

/** Requests [from, to) of a trace, and where they are to be written down. */
export interface CountOrder {
  readonly counted: Counted
  readonly from: number
  readonly to: number
  /** Bands by request, of whoever judged them; without, by the thresholds of now. */
  readonly bands?: Uint8Array | undefined
}

/** Everything that is kept per operation and found from its requests alone. */
export interface Operations {
  readonly table: MutableOperationTable
  readonly budgets: Budgets
  /** Other budgets from now on. */
  readonly setBudgets: (budgets: ExplainSettings['budgets']) => void
  readonly count: (requests: RequestColumns, order: CountOrder, nowMs: number) => void
  /** Request i of a trace has a row of its own, and no later request took it over. */
  readonly hasRow: (requests: RequestColumns, counted: Counted, i: number) => boolean
  /** The bands the requests would get now, counting nothing. */
  readonly bandsOf: (requests: RequestColumns) => Uint8Array
  /** The operation's row: -1 without one. */
  readonly find: (service: number, operation: number) => number
  /** The operation's row, a new one if it may have it, else OTHER_ROW. */
  readonly take: (service: number, operation: number, nowMs: number) => number
  /** What is published of the row is out of date. */
  readonly changed: (row: number) => void
  /** Adds a count to the sketch of a row's durations. */
  readonly addToSketch: (row: number, bin: number, weight: number) => void
  readonly samplings: () => readonly ServiceSampling[]
  readonly learned: () => Learned
  /** From now on these are the thresholds and streams: the same request always gets the same band. */
  readonly load: (learned: Learned) => void
  /** Rows begin with these for a window's length from `nowMs` on, and then learn. */
  readonly begin: (learned: Learned, nowMs: number) => void
  /** Publishes the rows that changed. */
  readonly publish: (nowMs: number) => void
  readonly tick: (nowMs: number) => void
  readonly mark: (marks: Marks) => void
  readonly bytes: () => { rows: number; sketches: number; budgets: number }
}

export interface OperationsTools {
  readonly strings: Strings
  readonly counters: Counters<typeof explainCounters>
  readonly bands: PublishedBands
  /** Which requests of a row may be examples. */
  readonly wanted: (row: number, nowMs: number) => WantedExamples
  /** Columns beside the table must have this many rows. */
  readonly onRows: (rows: number) => void
  /** A row is about to be cleared. */
  readonly onFree: (row: number) => void
}

export function createOperations(settings: ExplainSettings, tools: OperationsTools): Operations {
  const { strings, counters, bands } = tools
  const onOverflow = (): void => {
    counters.add('tail_sketch_overflow_total')
  }
  const totals = createSketchStore(Float64Array, settings.sketchBytesMax)
  const dense = new Float64Array(SKETCH_BINS)
  /** In a scratch array that the next call reuses. */
  function sketch(row: number): Float64Array | undefined {
    dense.fill(0)
    const [before, present] = [totals.addTo(row, dense), thresholds.addPresentTo(row, dense)]
    return before || present ? dense : undefined
  }
  const table = createOperationTable(sketch)
  const { windowMs, sketchBytesMax } = settings
  const target = (): Float64Array => table.thresholdNs
  const onChanged = (row: number): void => {
    published.changed(row)
  }
  const thresholds = createThresholds({ windowMs, sketchBytesMax, totals, target, onOverflow, onChanged })
  const classes = createClasses({ rules: settings.classes, streamAfterMs: settings.streamAfterMs, strings })
  const samplings = createServiceSamplings(settings.samplings, strings)
  const budgets = createBudgets(settings, { strings, counters, operations: table })
  const services: (SampledService | undefined)[] = []
  let fixed: LoadedLearning | undefined
  /** What was known before a restart, while it is worth something. */
  let earlier: { readonly learning: LoadedLearning; readonly untilMs: number } | undefined

  const rows = createOperationRows({
    ...settings,
    table,
    pinnedByPatternMax: settings.budgetRowsMax,
    pinOf: budgets.pinOf,
    onGrow(count) {
      growOperationTable(table, count)
      ensureRows(count)
    },
    onTaken(row, nowMs) {
      published.changed(row)
      const [service, operation] = [table.service[row] as number, table.operation[row] as number]
      services[row] = samplings.hold(service)
      classes.onTaken(row, service, operation)
      budgets.onTaken(row)
      if (fixed !== undefined) applyFixed(fixed, row)
      else if (earlier !== undefined && nowMs < earlier.untilMs) beginRow(earlier.learning, row)
    },
    onFree(row) {
      published.changed(row)
      tools.onFree(row)
      budgets.onFree(row)
      samplings.release(services[row] as SampledService)
      services[row] = undefined
      thresholds.clearRow(row)
      totals.clear(row)
      clearOperationRow(table, row)
    }
  })

  const published = createPublishedRows({
    ...{ table, bands, strings, flagsOf },
    find: rows.find,
    isFull: rows.isFull,
    wanted: tools.wanted
  })

  /** Without the examples that are due. */
  function flagsOf(row: number): number {
    const { fixed, seen } = services[row] as SampledService
    const chosen = (fixed ?? seen) === Sampling.tail ? BandFlag.tailSampled : 0
    return classes.overrideOf(row) | chosen | (fixed === undefined ? 0 : BandFlag.samplingFixed)
  }

  function ensureRows(count: number): void {
    thresholds.ensureRows(count)
    totals.ensure(count)
    classes.ensureRows(count)
    budgets.ensureRows(count)
    tools.onRows(count)
  }
  ensureRows(table.live.length)

  function beginRow(learning: LoadedLearning, row: number): void {
    const [service, operation] = [table.service[row] as number, table.operation[row] as number]
    if (learning.isStream(service, operation)) classes.beginAsStream(row)
    thresholds.begin(row, learning.thresholdsOf(service, operation), learning.requestsOf(service, operation))
  }

  function applyFixed(learning: LoadedLearning, row: number): void {
    const [service, operation] = [table.service[row] as number, table.operation[row] as number]
    classes.fixStreams(row, learning.isStream(service, operation))
    table.thresholdNs.set(learning.thresholdsOf(service, operation), row * QUANTILES)
  }

  const booking: Booking & { over: boolean } = { row: 0, band: 0, weight: 1, over: false }
  let bookedClass = 0
  let givenBands: Uint8Array | undefined

  /** Class, weight and band of request i in booking's row, its own. True when its duration joined the window, which is first. */
  function judge(requests: RequestColumns, i: number, bin: number, nowMs: number): boolean {
    const { row } = booking
    const ns = requests.durationNs[i] as number
    const service = services[row] as SampledService
    const sampling = samplingOf(service, requests.sampling[i] as number, nowMs, windowMs)
    classes.learn(row, ns)
    const requestClass = classes.classOf(row, requests.class[i] as number)
    const weight = requests.weight[i] as number
    booking.weight = weight === 1 ? service.weight : weight
    table.class[row] = requestClass
    table.lastSeenMs[row] = nowMs
    bookedClass = requestClass
    const banded = requestClass <= RequestClass.message && sampling !== Sampling.tail
    const inWindow = banded && fixed === undefined
    if (inWindow) thresholds.observe(row, bin, booking.weight)
    booking.band = banded ? (givenBands?.[i] ?? bandOf(table.thresholdNs, row, ns)) : Band.none
    if (!published.isPublishedAs(row, flagsOf(row))) published.changed(row)
    booking.over = banded && budgets.count(requests, i, booking)
    return inWindow
  }

  function count(requests: RequestColumns, { counted, from, to, bands }: CountOrder, nowMs: number): void {
    ensureCounted(counted, requests.n)
    givenBands = bands
    thresholds.advance(nowMs)
    budgets.advance(nowMs)
    for (let i = from; i < to; i++) {
      const row = rows.take(requests.service[i] as number, requests.operation[i] as number, nowMs)
      const bin = sketchBin(requests.durationNs[i] as number)
      booking.row = row
      let inWindow = false
      if (row === OTHER_ROW) {
        counters.add('tail_series_overflow_total')
        booking.weight = requests.weight[i] as number
        booking.band = Band.none
        booking.over = false
        bookedClass = requests.class[i] as number
        table.lastSeenMs[row] = nowMs
      } else inWindow = judge(requests, i, bin, nowMs)
      if (!inWindow && !totals.add(row, bin, booking.weight)) onOverflow()
      bookRequest(table, requests, i, booking)
      counted.row[i] = row
      counted.band[i] = booking.band
      counted.over[i] = booking.over ? 1 : 0
      counted.class[i] = bookedClass
      counted.weight[i] = booking.weight
    }
  }

  function hasRow(requests: RequestColumns, counted: Counted, i: number): boolean {
    const row = counted.row[i] as number
    if (row === OTHER_ROW) return false
    return table.operation[row] === requests.operation[i] && table.service[row] === requests.service[i]
  }

  function bandsOf(requests: RequestColumns): Uint8Array {
    const bands = new Uint8Array(requests.n).fill(Band.none)
    for (let i = 0; i < requests.n; i++) {
      const row = rows.find(requests.service[i] as number, requests.operation[i] as number)
      const service = services[row]
      if (service === undefined || (service.fixed ?? service.seen) === Sampling.tail) continue
      if (classes.classOf(row, requests.class[i] as number) > RequestClass.message) continue
      bands[i] = bandOf(table.thresholdNs, row, requests.durationNs[i] as number)
    }
    return bands
  }

  function learned(): Learned {
    if (fixed !== undefined) return fixed.learned
    const name = (row: number): { service: string; operation: string } => ({
      service: strings.text(table.service[row] as number),
      operation: strings.text(table.operation[row] as number)
    })
    const live = Array.from({ length: table.rows - 1 }, (_, i) => i + 1).filter((row) => table.live[row] === 1)
    return {
      thresholds: live
        .filter((row) => !Number.isNaN(table.thresholdNs[row * QUANTILES]))
        .map((row) => ({
          ...name(row),
          requests: thresholds.requests(row),
          ns: [...table.thresholdNs.subarray(row * QUANTILES, (row + 1) * QUANTILES)]
        })),
      streams: live.filter(classes.isLearnedStream).map(name)
    }
  }

  return {
    table,
    budgets,
    setBudgets(wanted) {
      budgets.set(wanted)
      rows.repin()
    },
    count,
    hasRow,
    bandsOf,
    find: rows.find,
    take: rows.take,
    changed: published.changed,
    addToSketch(row, bin, weight) {
      if (!totals.add(row, bin, weight)) onOverflow()
    },
    samplings: samplings.all,
    learned,
    load(given) {
      fixed = createLoadedLearning(given, strings)
      for (let row = 1; row < table.rows; row++) {
        if (table.live[row] === 0) continue
        applyFixed(fixed, row)
        published.changed(row)
      }
    },
    begin(given, nowMs) {
      earlier = { learning: createLoadedLearning(given, strings), untilMs: nowMs + windowMs }
      published.publishEarlier(earlier.learning)
    },
    publish: published.publish,
    tick(nowMs) {
      thresholds.advance(nowMs)
      budgets.advance(nowMs)
      if (earlier !== undefined && nowMs >= earlier.untilMs) {
        published.forgetEarlier(earlier.learning)
        earlier = undefined
      }
      rows.sweep(nowMs, SWEEP_ROWS, (row) => {
        // Fixed thresholds do not move with time.
        if (fixed === undefined) thresholds.settle(row)
        published.changed(row)
      })
      published.publish(nowMs)
    },
    mark(marks) {
      for (let row = 0; row < table.rows; row++) {
        marks.strings[table.service[row] as number] = 1
        marks.strings[table.operation[row] as number] = 1
      }
      fixed?.mark(marks)
      budgets.forgetIds()
      earlier?.learning.mark(marks)
    },
    bytes: () => ({
      rows: operationTableBytes(table) + rows.bytes(),
      sketches: totals.bytes() + thresholds.bytes(),
      budgets: budgets.bytes()
    })
  }
}
