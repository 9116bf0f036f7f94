import type { MetricPoints } from '../../../model/metric-points.ts'
import type { Resources } from '../../../model/spans.ts'
import { type Counters, createCounters } from '../../../runtime/counters.ts'
import type { SharedMemory } from '../../../runtime/shared-memory.ts'
import { OTHER_ID, type Strings } from '../../../runtime/strings.ts'
import {
  countField,
  CPU_TIME,
  cpuTimeField,
  Field,
  fields,
  FIELDS,
  isAssist,
  NO_FIELD,
  sourceOf,
  valueField
} from './fields.ts'
import { createInstances } from './instances.ts'
import { boundsDigest, createSeries, Ignored, pointReasons } from './series.ts'

export { Field, FIELDS } from './fields.ts'

/**
 * What the runtime metrics say of one process in a stretch of time. One object, overwritten by the next question: read it
 * before you ask again. Every figure is NaN where nothing is known.
 */
export interface RuntimeReading {
  /** Whether any figure is known. */
  known: boolean
  /** By Field: amounts per second of wall time (seconds a second, bytes a second), gauges as they are; averages over the stretch. */
  readonly mean: Float64Array
  /** Share of wall time for which the collector was at work, rebuilt from allocation, goal and GOGC (inference.md, rule 5), 0 to 1. */
  gcShare: number
  /** Live heap after a cycle, from the goal and GOGC. */
  liveHeapBytes: number
  /** GC assist as a share of the CPU time that user code and assists took together. */
  assistShare: number
  /** Busy time of tokio's workers as a share of what they could give. */
  tokioBusyShare: number
  /**
   * Where the scheduling delay is a budget: the interval of the sender's figure that the stretch begins in, and its total as
   * sent. `budgetId` tells intervals apart (of all processes, while they are kept); -1 without.
   */
  budgetId: number
  budgetFromNs: number
  budgetToNs: number
  budgetNs: number
}

/** A process by its identity, or where that is unknown (0) its service; interned. */
export interface Sender {
  readonly process: number
  readonly service: number
}

/** Published intervals of one figure of one process: process, service (one of them empty), figure, then from, to and amount of each. */
export type RuntimeRow = readonly [process: string, service: string, figure: string, intervals: readonly number[]]

/**
 * Runtime metrics by process and interval. Fed with decoded points as they come; they count from the next publication on.
 * Metrics trail spans: a stretch after the last known interval is answered with that interval, for a while.
 */
export interface RuntimeMetrics {
  /** One thread at a time. */
  readonly consume: (points: MetricPoints) => void
  /**
   * What is known of the process that a resource's spans come from (a row of Resources), between two moments in Unix ns (plain
   * numbers: 256 ns apart at best, intervals are seconds long). Allocates nothing.
   */
  readonly metricsAt: (resource: number, fromNs: number, toNs: number) => RuntimeReading
  /** The latest figure of a resource's process: an amount per second or a gauge, NaN where it never came. Counts no question. */
  readonly newest: (resource: number, field: number) => number
  readonly publish: () => void
  readonly dump: () => RuntimeRow[]
  /** Takes over published intervals. */
  readonly set: (sender: Sender, figure: string, intervals: readonly number[]) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  readonly counters: Counters
}

export const runtimeCounters = {
  tail_runtime_points_ignored_total: {
    help: 'Points of runtime metrics that gave no interval, by reason.',
    label: 'reason',
    values: pointReasons
  },
  tail_runtime_intervals_total: {
    help: 'Intervals of runtime figures, by whether anyone asked for them: a process that sends metrics and no spans is nobody.',
    label: 'process',
    values: ['with_spans', 'without_spans']
  },
  tail_runtime_readings_total: {
    help: 'Questions for the runtime figures of a process whose spans are judged, by the answer.',
    label: 'result',
    values: ['known', 'unknown']
  }
} as const

/** Bytes that a core marks a second, and the share of the cores that Go's collector takes; the order of magnitude is what counts. */
const MARK_BYTES_PER_SECOND = 1e9
const COLLECTOR_CORES = 0.25
/** GOGC above this is off in all but name. */
const GOGC_MAX = 1e6
/** How a metric and the bounds of its buckets share one key. */
const METRICS = 256

export function createRuntimeMetrics(
  options: { readonly instancesMax: number; readonly intervalsPerFigure: number },
  tools: { readonly strings: Strings; readonly resources: Resources; readonly memory: SharedMemory }
): RuntimeMetrics {
  const { strings, resources, memory } = tools
  const counters = createCounters(runtimeCounters)
  const instances = createInstances({ ...options, memory })
  const { rings } = instances
  const series = createSeries(16 * options.instancesMax, memory, { interval: onInterval, ignored: onIgnored })
  const span = { fromNs: 0, toNs: 0, amount: 0 }
  // By the identity that all of a process's identities stand for: a row of instances, for those known by another one. This
  // thread's own, void at a new publication.
  let byAlias = new Map<number, number>()
  let byAliasOf = 0
  const reading: RuntimeReading = {
    known: false,
    mean: new Float64Array(FIELDS),
    gcShare: NaN,
    liveHeapBytes: NaN,
    assistShare: NaN,
    tokioBusyShare: NaN,
    budgetId: -1,
    budgetFromNs: NaN,
    budgetToNs: NaN,
    budgetNs: NaN
  }

  function ignore(reason: number): void {
    counters.add('tail_runtime_points_ignored_total', 1, reason)
  }

  function onIgnored(of: number, reason: number): void {
    ignore(reason)
    if (reason === Ignored.identity) instances.conflict(series.sender(of), conflictNs)
  }

  function feed(of: number, field: number): boolean {
    if (field === NO_FIELD) return false
    const key = series.metric(of)
    const standsFor = sourceOf[key % METRICS] as number
    const source = standsFor === key % METRICS ? key : standsFor
    const refused = instances.add(series.sender(of), field, source, span)
    if (refused >= 0) ignore(refused)
    return refused < 0
  }

  function onInterval(of: number, fromNs: number, toNs: number, amount: number, count: number): void {
    span.fromNs = fromNs
    span.toNs = toNs
    span.amount = amount
    const metric = series.metric(of) % METRICS
    const taken = feed(of, valueFieldOf(metric, series.attribute(of)))
    if (metric === CPU_TIME && isAssist(strings.text(series.detail(of)))) feed(of, Field.gcAssistCpuSeconds)
    span.amount = count
    // A plain number counts nothing.
    if (taken && (count > 0 || amount === 0)) feed(of, countField[metric] as number)
  }

  function valueFieldOf(metric: number, attribute: number): number {
    return metric === CPU_TIME ? cpuTimeField(strings.text(attribute)) : (valueField[metric] as number)
  }

  /** A process, or minus a service whose processes are unknown; 0 for senders that share a row because there were too many. */
  function senderOf(resource: number): number {
    const process = resources.process[resource] as number
    if (process !== 0) return process
    const service = resources.service[resource] as number
    return service === OTHER_ID ? 0 : -service
  }

  let conflictNs = 0
  function consume(points: MetricPoints): void {
    series.begin()
    for (let row = 0; row < points.n; row++) {
      const metric = points.metric[row] as number
      const attribute = points.attribute[row] as number
      const field = valueFieldOf(metric, attribute)
      const sender = senderOf(points.resource[row] as number)
      if (field === NO_FIELD || sender === 0) continue
      const key = metric + METRICS * boundsDigest(points, row)
      const of = series.of(sender, key, attribute, points.detail[row] as number)
      if (of < 0) {
        ignore(Ignored.full)
        continue
      }
      conflictNs = (points.timeHi[row] as number) * 2 ** 32
      const { gauge = false, moves = false } = fields[field] ?? {}
      series.point(of, points, row, gauge ? GAUGE : moves ? MOVING : COUNTER)
    }
    series.end()
  }

  /** Row of instances that answers for a resource, -1 without. */
  function instanceOf(resource: number): number {
    const sender = senderOf(resource)
    const known = instances.find(sender)
    if (known >= 0 || sender <= 0) return known
    const alias = resources.processAlias?.(sender) ?? sender
    const direct = alias === sender ? -1 : instances.find(alias)
    return direct >= 0 ? direct : (instancesByAlias().get(alias) ?? -1)
  }

  function instancesByAlias(): ReadonlyMap<number, number> {
    if (byAliasOf === instances.publications()) return byAlias
    byAliasOf = instances.publications()
    byAlias = new Map()
    instances.each((instance, sender) => {
      const alias = instances.alias(instance)
      if (alias !== 0 && alias !== sender) byAlias.set(alias, instance)
    })
    return byAlias
  }

  function readBudget(instance: number, fromNs: number): void {
    const ring = instances.ring(instance, Field.schedulingSeconds)
    const at = ring < 0 ? -1 : rings.at(ring, fromNs)
    reading.budgetId = at
    reading.budgetFromNs = at < 0 ? NaN : rings.fromNs(at)
    reading.budgetToNs = at < 0 ? NaN : rings.toNs(at)
    reading.budgetNs = at < 0 ? NaN : rings.amount(at) * 1e9
  }

  function derive(): void {
    const { mean } = reading
    const gogc = mean[Field.gogcPercent] as number
    const goalBytes = mean[Field.gcGoalBytes] as number
    reading.liveHeapBytes = gogc >= 0 && gogc <= GOGC_MAX ? goalBytes / (1 + gogc / 100) : NaN
    const headroomBytes = Math.max(1, goalBytes - reading.liveHeapBytes)
    const counted = mean[Field.gcCycles] as number
    const cycles = Number.isNaN(counted) ? (mean[Field.allocatedBytes] as number) / headroomBytes : counted
    const cores = mean[Field.processorLimit] as number
    const markedPerSecond = MARK_BYTES_PER_SECOND * COLLECTOR_CORES * (Number.isNaN(cores) ? 1 : cores)
    reading.gcShare = Math.min(1, (cycles * reading.liveHeapBytes) / markedPerSecond)
    const assist = mean[Field.gcAssistCpuSeconds] as number
    reading.assistShare = assist / (assist + (mean[Field.userCpuSeconds] as number))
    const busy = mean[Field.tokioBusySeconds] as number
    reading.tokioBusyShare = Math.min(1, busy / (mean[Field.tokioWorkers] as number))
  }

  function metricsAt(resource: number, fromNs: number, toNs: number): RuntimeReading {
    const instance = instanceOf(resource)
    reading.known = false
    for (let field = 0; field < FIELDS; field++) {
      const ring = instance < 0 ? -1 : instances.ring(instance, field)
      const mean = ring < 0 ? NaN : rings.mean(ring, fromNs, toNs, fields[field]?.gauge === true)
      reading.mean[field] = mean
      if (!Number.isNaN(mean)) reading.known = true
    }
    derive()
    readBudget(instance, fromNs)
    if (instance >= 0) instances.asked(instance)
    counters.add('tail_runtime_readings_total', 1, reading.known ? 0 : 1)
    return reading
  }

  function newest(resource: number, field: number): number {
    const instance = instanceOf(resource)
    const ring = instance < 0 ? -1 : instances.ring(instance, field)
    return ring < 0 ? NaN : rings.newest(ring, fields[field]?.gauge === true)
  }

  function publish(): void {
    instances.publish(
      (spans, intervals) => {
        counters.add('tail_runtime_intervals_total', intervals, spans ? 0 : 1)
      },
      (sender) => (sender > 0 ? (resources.processAlias?.(sender) ?? sender) : sender)
    )
    series.trim()
  }

  return {
    consume,
    metricsAt,
    newest,
    publish,
    dump() {
      const rows: RuntimeRow[] = []
      instances.each((instance, sender) => {
        for (let field = 0; field < FIELDS; field++) {
          const ring = instances.ring(instance, field)
          const intervals: number[] = []
          if (ring >= 0) rings.each(ring, (fromNs, toNs, amount) => intervals.push(fromNs, toNs, amount))
          if (intervals.length === 0) continue
          const name = strings.text(Math.abs(sender))
          rows.push([sender > 0 ? name : '', sender > 0 ? '' : name, fields[field]?.name ?? '', intervals])
        }
      })
      return rows
    },
    set({ process, service }, figure, intervals) {
      const field = fields.findIndex(({ name }) => name === figure)
      for (let i = 0; i + 2 < intervals.length; i += 3) {
        span.fromNs = intervals[i] as number
        span.toNs = intervals[i + 1] as number
        span.amount = intervals[i + 2] as number
        instances.add(process === 0 ? -service : process, field, -1, span)
      }
    },
    mark(marks) {
      instances.mark(marks)
      series.mark(marks)
    },
    bytes: () => instances.bytes() + series.bytes(),
    counters
  }
}

const GAUGE = { gauge: true, moves: false } as const
const MOVING = { gauge: false, moves: true } as const
const COUNTER = { gauge: false, moves: false } as const
