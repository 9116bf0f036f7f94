/** Why one span is refused while the others of its request count; a metric label. */
export const spanRefusalReasons = [
  'trace_id_invalid',
  'span_id_invalid',
  'parent_id_invalid',
  'timestamp_invalid',
  'end_before_start',
  'duration_too_long',
  'in_future',
  'too_old'
] as const
export const SpanRefusal = {
  traceId: 0,
  spanId: 1,
  parentId: 2,
  timestamp: 3,
  endBeforeStart: 4,
  durationTooLong: 5,
  inFuture: 6,
  tooOld: 7
} as const

/** Why one point of a known metric is refused; a metric label. */
export const pointRefusalReasons = [
  'timestamp_invalid',
  'end_before_start',
  'in_future',
  'value_invalid',
  'buckets_invalid'
] as const
export const PointRefusal = { timestamp: 0, endBeforeStart: 1, inFuture: 2, value: 3, buckets: 4 } as const

/** A body of nothing but empty spans has millions. */
const PLACES_MAX = 65_536

/** What of one request was refused. Reused by the next request. */
export interface Refusals {
  rejected: number
  /** Counts in the order of the list of reasons. */
  readonly byReason: Uint32Array
  /** For each of the first PLACES_MAX: how many of the request had been taken before it. */
  readonly places: number[]
  /** For partial_success; empty when nothing was refused. */
  message: string
}

export interface RefusalTally {
  readonly refusals: Refusals
  readonly reset: () => void
  readonly add: (reason: number, takenBefore: number) => void
  readonly finish: () => Refusals
}

/** Counts refusals of `noun`s and words them for the sender: `3 spans refused: 2 trace_id_invalid, 1 end_before_start`. */
export function createRefusalTally(noun: string, reasons: readonly string[]): RefusalTally {
  const refusals: Refusals = { rejected: 0, byReason: new Uint32Array(reasons.length), places: [], message: '' }
  return {
    refusals,
    reset() {
      if (refusals.rejected === 0) return
      refusals.rejected = 0
      refusals.byReason.fill(0)
      refusals.places.length = 0
      refusals.message = ''
    },
    add(reason, takenBefore) {
      refusals.rejected += 1
      if (refusals.places.length < PLACES_MAX) refusals.places.push(takenBefore)
      refusals.byReason[reason] = (refusals.byReason[reason] as number) + 1
    },
    finish() {
      if (refusals.rejected === 0) return refusals
      const parts = reasons.flatMap((reason, i) => {
        const count = refusals.byReason[i] as number
        return count === 0 ? [] : [`${count} ${reason}`]
      })
      const plural = refusals.rejected === 1 ? '' : 's'
      refusals.message = `${refusals.rejected} ${noun}${plural} refused: ${parts.join(', ')}`
      return refusals
    }
  }
}
