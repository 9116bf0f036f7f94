import { type RequestColumns } from '../model/decomposition.ts'
import { PATTERNS } from '../model/patterns.ts'
import { GRADES, PHASES, PHASE_SLOTS, UNATTRIBUTED_SLOT } from '../model/phases.ts'
import { Band, BANDS, Outcome, OUTCOMES, QUANTILES } from '../model/requests.ts'
import { DURATION_BUCKETS, durationBounds } from '../model/tail.ts'
import { addWeighted } from './columns.ts'
import { type MutableOperationTable, patternCell } from './operation-table.ts'

const boundsNs = Float64Array.from(durationBounds, (seconds) => Math.round(seconds * 1e9))

export function bucketOf(ns: number): number {
  let bucket = 0
  while (bucket < boundsNs.length && ns > (boundsNs[bucket] as number)) bucket += 1
  return bucket
}

/** The band of a duration. Without a p99 there are no bands; equal to a threshold = the lower band. */
export function bandOf(thresholdNs: Float64Array, row: number, ns: number): number {
  const first = row * QUANTILES
  const p99 = thresholdNs[first + 2] as number
  if (Number.isNaN(p99)) return Band.none
  if (ns > p99) return Band.gtP99
  if (ns > (thresholdNs[first + 1] as number)) return Band.p95P99
  return ns > (thresholdNs[first] as number) ? Band.p50P95 : Band.leP50
}

/** Where one request counts. */
export interface Booking {
  row: number
  band: number
  weight: number
}

/**
 * Adds one request to its row's counters.
 *
 * The phase and lead sums of `le_p50` are the body's: outcome ok only, because fast failures must not make the body look
 * fast. So from the exposed series, for each phase:
 *   body mean = tail_phase_seconds_total{band="le_p50"} / tail_requests_total{band="le_p50", outcome="ok"}
 *   tail mean = tail_phase_seconds_total{band="gt_p99"} / tail_requests_total{band="gt_p99"} over all outcomes
 *   excess    = tail mean - body mean
 * Requests, durations and partial requests count every outcome in every band. What the phases of all bands lack of the
 * sum of durations is the time of failures at or below the p50.
 */
export function bookRequest(table: MutableOperationTable, requests: RequestColumns, i: number, to: Booking): void {
  const { row, band, weight } = to
  const outcome = requests.outcome[i] as number
  const ns = requests.durationNs[i] as number
  table.seen[row] = (table.seen[row] as number) + 1
  const requestCell = (row * BANDS + band) * OUTCOMES + outcome
  table.requests[requestCell] = (table.requests[requestCell] as number) + weight
  const bucket = row * DURATION_BUCKETS + bucketOf(ns)
  table.durationBuckets[bucket] = (table.durationBuckets[bucket] as number) + weight
  addWeighted(table.durationNs, row, ns, weight)
  if (requests.partial[i] !== 0) table.partial[row] = (table.partial[row] as number) + weight
  if (band === Band.leP50 && outcome !== Outcome.ok) return
  const leadNs = requests.leadNs[i] as number
  if (leadNs > 0) addWeighted(table.leadNs, row * BANDS + band, leadNs, weight)
  bookPhases(table, requests.phaseNs, i * PHASE_SLOTS, to)
  if (band === Band.leP50 || band === Band.gtP99) bookPatterns(table, requests.patternNs, i * PATTERNS, to)
}

/** Only of the body and of the tail, as blame: what lies between says nothing about the difference. */
function bookPatterns(table: MutableOperationTable, patternNs: Float64Array, first: number, to: Booking): void {
  const { row, band, weight } = to
  const cell = patternCell(row, band)
  for (let pattern = 0; pattern < PATTERNS; pattern++) {
    const ns = patternNs[first + pattern] as number
    if (ns === 0) continue
    addWeighted(table.patternNs, cell + pattern, ns, weight)
    table.patternRequests[cell + pattern] = (table.patternRequests[cell + pattern] as number) + weight
  }
}

function bookPhases(table: MutableOperationTable, phaseNs: Float64Array, first: number, to: Booking): void {
  const { row, band, weight } = to
  const cell = (row * BANDS + band) * PHASES
  for (let phase = 0; phase < PHASES; phase++) {
    const slot = first + phase * GRADES
    const ns = (phaseNs[slot] as number) + (phaseNs[slot + 1] as number) + (phaseNs[slot + 2] as number)
    if (ns > 0) addWeighted(table.phaseNs, cell + phase, ns, weight)
  }
  if (band !== Band.gtP99) return
  // `unattributed` carries no grade, so nothing may claim to prove it.
  for (let slot = 0; slot < UNATTRIBUTED_SLOT; slot++) {
    const ns = phaseNs[first + slot] as number
    if (ns > 0) addWeighted(table.evidenceNs, row * PHASE_SLOTS + slot, ns, weight)
  }
}
