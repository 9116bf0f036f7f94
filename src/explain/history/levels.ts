import { type Interval } from './interval.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** How fine history is, by its age: intervals of `widthMs` from `fromAgeMs` on. Each width divides the next. */
const levels = [
  { fromAgeMs: 0, widthMs: MINUTE_MS },
  { fromAgeMs: HOUR_MS, widthMs: 5 * MINUTE_MS },
  { fromAgeMs: 6 * HOUR_MS, widthMs: 15 * MINUTE_MS }
] as const

/** The shortest stretch that history tells from another. */
export const FINEST_MS = MINUTE_MS

/**
 * The oldest neighbouring intervals that lie in one of a width for which all of them are old enough, as [from, to) of the
 * list; undefined when all is as it should be. The list is in order of time.
 */
export function nextToMerge(intervals: readonly Interval[], nowMs: number): readonly [number, number] | undefined {
  for (let from = 0; from < intervals.length; from++) {
    for (const { fromAgeMs, widthMs } of levels) {
      const to = endOfWidth(intervals, from, widthMs)
      const last = intervals[to - 1] as Interval
      if (to - from > 1 && nowMs - last.toMs >= fromAgeMs) return [from, to]
    }
  }
  return undefined
}

/** Behind the last interval that lies in the same stretch of `widthMs` as this one. */
function endOfWidth(intervals: readonly Interval[], from: number, widthMs: number): number {
  const untilMs = (Math.floor((intervals[from] as Interval).fromMs / widthMs) + 1) * widthMs
  let to = from + 1
  while (to < intervals.length && (intervals[to] as Interval).toMs <= untilMs) to += 1
  return to
}
