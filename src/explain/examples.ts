import { type Decomposition } from '../model/decomposition.ts'
import { PHASES } from '../model/phases.ts'
import { Band, BANDS, Outcome, OUTCOMES, RequestClass } from '../model/requests.ts'
import { DURATION_BUCKETS } from '../model/tail.ts'
import { exactToNumber } from '../runtime/exact-sums.ts'
import { grown } from './columns.ts'
import { type Counted } from './counted.ts'
import { type Exemplars, type ExemplarRequest } from './exemplars.ts'
import { type Operations } from './operations.ts'
import { type JudgedRequests, type WantedExamples } from './published-bands.ts'
import { bucketOf } from './request-sums.ts'
import {
  type Candidate,
  dominantPhaseOf,
  type KeptTrace,
  mayBeExample,
  type RetainedTraces
} from './retained-traces.ts'

export interface ExamplesTools {
  readonly retained: RetainedTraces
  readonly exemplars: Exemplars
  /** A band's next usual example is looked for after this long. */
  readonly usualEveryMs: number
  readonly onKept: () => void
  readonly onTooLarge: () => void
}

/** Requests [from, to) of a trace, and where they were counted. */
export interface FoundRequests {
  readonly decomposition: Decomposition
  readonly counted: Counted
  readonly from: number
  readonly to: number
  /** Bands by request, of whoever judged them, and whether any of them may be kept; without, all by what is known now. */
  readonly judged?: JudgedRequests | undefined
}

/** Looks through a trace's counted requests for a reason to keep it, and names it as exemplar when it is kept. */
export interface Examples {
  readonly ensureRows: (rows: number) => void
  readonly consider: (operations: Operations, found: FoundRequests, nowMs: number) => void
  /** Reused. */
  readonly wanted: (row: number, nowMs: number) => WantedExamples
  readonly clearRow: (row: number) => void
}

export function createExamples({ retained, exemplars, usualEveryMs, onKept, onTooLarge }: ExamplesTools): Examples {
  /** When a band's next usual example is due, by row and band; of `none`, when floorNs ends. */
  let dueMs = new Float64Array(0)
  /** Without bands every request may be the slowest: shorter than one that was not wanted needs no second look. */
  let floorNs = new Float64Array(0)
  const candidate: Candidate = { row: 0, request: 0, band: 0, dominantPhase: 0 }
  const exemplar: ExemplarRequest = { band: 0, durationNs: 0, atMs: 0 }

  function isCandidate(operations: Operations, found: FoundRequests, i: number, nowMs: number): boolean {
    const { requests } = found.decomposition
    const { row, band } = found.counted
    candidate.request = i
    candidate.row = row[i] as number
    candidate.band = band[i] as number
    if (!isBanded(operations, found, i)) return false
    if (candidate.band === Band.gtP99) return true
    const due = candidate.row * BANDS + candidate.band
    if (candidate.band === Band.none) {
      return nowMs >= (dueMs[due] as number) || (requests.durationNs[i] as number) > (floorNs[candidate.row] as number)
    }
    if (nowMs < (dueMs[due] as number) || !mayBeExample(candidate.band, requests.outcome[i] as number)) return false
    dueMs[due] = nowMs + usualEveryMs
    operations.changed(candidate.row)
    return true
  }

  const wanted: WantedExamples = { due: 0, floorNs: 0 }

  function raiseFloor(row: number, durationNs: number, nowMs: number): void {
    const due = row * BANDS + Band.none
    if (nowMs >= (dueMs[due] as number)) dueMs[due] = nowMs + usualEveryMs
    floorNs[row] = durationNs
  }

  function offerExemplars(operations: Operations, found: FoundRequests, kept: KeptTrace): void {
    const { requests } = found.decomposition
    const { row, band } = found.counted
    for (let i = found.from; i < found.to; i++) {
      if (!isBanded(operations, found, i)) continue
      exemplar.band = band[i] as number
      exemplar.durationNs = requests.durationNs[i] as number
      exemplars.offer((row[i] as number) * DURATION_BUCKETS + bucketOf(exemplar.durationNs), kept, exemplar)
    }
  }

  return {
    ensureRows(rows) {
      dueMs = grown(dueMs, rows * BANDS)
      floorNs = grown(floorNs, rows)
      exemplars.ensureCells(rows * DURATION_BUCKETS)
    },
    consider(operations, found, nowMs) {
      const { decomposition } = found
      if (found.judged?.mayBeKept === false) return
      let kept: KeptTrace | undefined
      for (let i = found.from; i < found.to; i++) {
        if (!isCandidate(operations, found, i, nowMs)) continue
        const { row } = candidate
        candidate.dominantPhase = dominantPhaseOf(decomposition, i, (phase) => bodyMeanNs(operations, row, phase))
        if (!retained.wants(decomposition, candidate, nowMs)) {
          if (candidate.band === Band.none) {
            raiseFloor(row, decomposition.requests.durationNs[i] as number, nowMs)
            operations.changed(row)
          }
          continue
        }
        kept = retained.keep(decomposition, candidate, nowMs)
        if (kept === undefined) {
          onTooLarge()
          return
        }
      }
      if (kept === undefined) return
      found.counted.kept = true
      onKept()
      exemplar.atMs = nowMs
      offerExemplars(operations, found, kept)
    },
    wanted(row, nowMs) {
      const first = row * BANDS
      wanted.due = 0
      for (let band: number = Band.leP50; band < Band.gtP99; band++) {
        if (nowMs >= (dueMs[first + band] as number)) wanted.due |= 1 << band
      }
      wanted.floorNs = nowMs >= (dueMs[first + Band.none] as number) ? -1 : (floorNs[row] as number)
      return wanted
    },
    clearRow(row) {
      dueMs.fill(0, row * BANDS, (row + 1) * BANDS)
      floorNs[row] = 0
      retained.dropRow(row)
    }
  }
}

function isBanded(operations: Operations, { counted, decomposition }: FoundRequests, i: number): boolean {
  const banded = (counted.class[i] as number) <= RequestClass.message
  return banded && operations.hasRow(decomposition.requests, counted, i)
}

function bodyMeanNs({ table }: Operations, row: number, phase: number): number {
  const requests = table.requests[(row * BANDS + Band.leP50) * OUTCOMES + Outcome.ok] as number
  return requests === 0 ? 0 : exactToNumber(table.phaseNs, (row * BANDS + Band.leP50) * PHASES + phase) / requests
}
