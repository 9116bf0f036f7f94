import { type RetrySettings } from '../settings.ts'

/** When a destination that fails may be asked again: pauses double, and differ by a half so that senders do not come together. */
export interface Backoff {
  readonly failing: () => boolean
  /** Nothing may begin before. */
  readonly untilMs: () => number
  /** `afterMs` is what the destination asked for. */
  readonly fail: (nowMs: number, afterMs: number | undefined) => void
  readonly succeed: () => void
}

/** Nobody may ask for more. */
const ASKED_MS_MAX = 10 * 60_000

export function createBackoff(
  { initialMs, maxMs }: Pick<RetrySettings, 'initialMs' | 'maxMs'>,
  random: () => number
): Backoff {
  let failures = 0
  let untilMs = -Infinity

  return {
    failing: () => failures > 0,
    untilMs: () => untilMs,
    fail(nowMs, afterMs = 0) {
      // Requests under way together fail together: that is one failure.
      if (failures > 0 && nowMs < untilMs) {
        untilMs = Math.max(untilMs, nowMs + Math.min(afterMs, ASKED_MS_MAX))
        return
      }
      const pauseMs = Math.min(initialMs * 2 ** failures, maxMs) * (0.5 + random())
      untilMs = nowMs + Math.max(Math.min(pauseMs, maxMs), Math.min(afterMs, ASKED_MS_MAX))
      failures += 1
    },
    succeed() {
      failures = 0
      untilMs = -Infinity
    }
  }
}
