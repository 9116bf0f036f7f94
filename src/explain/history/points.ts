import { PHASES, phases } from '../../model/phases.ts'
import { Band, BANDS, Outcome, OUTCOMES, outcomes, QUANTILES, quantiles } from '../../model/requests.ts'
import { exactToNumber } from '../../runtime/exact-sums.ts'
import { writeQuantiles } from '../sketch-store.ts'
import { REQUESTS_MIN } from '../thresholds.ts'
import { addOperation, type Interval } from './interval.ts'
import { FINEST_MS } from './levels.ts'
import { clearOperationSums, createOperationSums, type OperationSums, TAIL_CELL } from './record.ts'

/** Body or tail of a stretch of time. */
export interface HistoryMeans {
  readonly requests: number
  readonly phases_mean_ns: Readonly<Record<string, number>>
}

/** One operation over one stretch of time, as /api/v1/history shows it. */
export interface HistoryPoint {
  readonly from_unix_ms: number
  readonly to_unix_ms: number
  readonly requests: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly quantiles_ns: {
    readonly p50: number
    readonly p95: number
    readonly p99: number | null
    readonly p999: number | null
  }
  readonly body: HistoryMeans | null
  readonly tail: HistoryMeans | null
}

/** A version that began to answer requests. */
export interface VersionChange {
  readonly at_unix_ms: number
  readonly version: string
}

export interface HistoryRange {
  readonly fromMs: number
  readonly toMs: number
  readonly pointsMax: number
}

/** Widths that a reader can count with: whole minutes, whole hours. */
const stepsMs = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440].map((minutes) => minutes * FINEST_MS)
/** A version that was away for less has not changed: a canary with little traffic is not seen every minute. */
const VERSION_AWAY_MS = 15 * FINEST_MS

/** The narrowest step that gives no more points than wanted, however they lie; one point is the whole range. */
function stepOf({ fromMs, toMs, pointsMax }: HistoryRange): number {
  const points = (step: number): number => Math.floor((toMs - 1) / step) - Math.floor(fromMs / step) + 1
  return pointsMax === 1 ? Infinity : (stepsMs.find((step) => points(step) <= pointsMax) ?? Infinity)
}

/** Intervals that lie with their middle within the range. */
function within(intervals: readonly Interval[], { fromMs, toMs }: HistoryRange): readonly Interval[] {
  return intervals.filter((interval) => {
    const middleMs = (interval.fromMs + interval.toMs) / 2
    return fromMs <= middleMs && middleMs < toMs
  })
}

/** Points of an operation in order of time; stretches without requests have none. */
export function pointsOf(
  intervals: readonly Interval[],
  { service, operation }: { readonly service: number; readonly operation: number },
  range: HistoryRange
): HistoryPoint[] {
  const stepMs = stepOf(range)
  const points: HistoryPoint[] = []
  const sums = createOperationSums()
  let any = false
  let fromMs = 0
  let toMs = 0
  let step = NaN

  function close(): void {
    if (any) points.push(pointOf(sums, fromMs, toMs))
    clearOperationSums(sums)
    any = false
  }

  for (const interval of within(intervals, range)) {
    const of = stepMs === Infinity ? 0 : Math.floor(interval.fromMs / stepMs)
    if (of !== step) {
      close()
      step = of
      fromMs = interval.fromMs
    }
    toMs = interval.toMs
    if (addOperation(interval, service, operation, sums)) any = true
  }
  close()
  return points
}

function pointOf(sums: OperationSums, fromMs: number, toMs: number): HistoryPoint {
  const { requests } = sums
  const of = (band: number, outcome: number): number => requests[band * OUTCOMES + outcome] as number
  const byOutcome = outcomes.map((_, outcome) => {
    let all = 0
    for (let band = 0; band < BANDS; band++) all += of(band, outcome)
    return all
  })
  const all = byOutcome.reduce((sum, count) => sum + count, 0)
  const tail = outcomes.reduce((sum, _, outcome) => sum + of(Band.gtP99, outcome), 0)
  const ns = new Float64Array(QUANTILES)
  writeQuantiles(sums.sketch, quantiles, ns, 0)
  const [p50 = NaN, p95 = NaN, p99 = NaN, p999 = NaN] = ns
  // As everywhere: a p99 of fewer says nothing.
  const enough = all >= REQUESTS_MIN
  return {
    from_unix_ms: fromMs,
    to_unix_ms: toMs,
    requests: all,
    outcomes: Object.fromEntries(outcomes.map((name, outcome) => [name, byOutcome[outcome] as number])),
    quantiles_ns: { p50, p95, p99: enough ? p99 : null, p999: enough ? p999 : null },
    body: meansOf(sums, 0, of(Band.leP50, Outcome.ok)),
    tail: meansOf(sums, TAIL_CELL, tail)
  }
}

function meansOf({ phaseNs }: OperationSums, first: number, requests: number): HistoryMeans | null {
  if (requests === 0) return null
  const means: Record<string, number> = {}
  for (let phase = 0; phase < PHASES; phase++) {
    means[phases[phase] as string] = exactToNumber(phaseNs, first + phase) / requests
  }
  return { requests, phases_mean_ns: means }
}

/**
 * When another version of a service began to answer within the range: it was not seen for a while, and others were. The
 * first that is known of is no change.
 */
export function versionChanges(
  intervals: readonly Interval[],
  service: number,
  { fromMs, toMs }: HistoryRange
): { readonly atMs: number; readonly version: number }[] {
  const lastSeenMs = new Map<number, number>()
  const changes: { atMs: number; version: number }[] = []
  for (const interval of intervals) {
    const isFirst = lastSeenMs.size === 0
    for (let i = 0; i < interval.versions.length; i += 2) {
      if (interval.versions[i] !== service) continue
      const version = interval.versions[i + 1] as number
      const seenMs = lastSeenMs.get(version) ?? -Infinity
      lastSeenMs.set(version, interval.toMs)
      const isNew = !isFirst && interval.fromMs - seenMs >= VERSION_AWAY_MS
      if (isNew && fromMs <= interval.toMs && interval.fromMs < toMs) changes.push({ atMs: interval.fromMs, version })
    }
  }
  return changes
}
