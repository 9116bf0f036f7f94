/**
 * Time that only moves forward. A wall clock that is set back would otherwise stop all closing until it has caught up.
 */
export interface Elapsed {
  /** Milliseconds since the first call, counting forward steps only. */
  readonly at: (nowMs: number) => number
  /** Goes on from this moment: what lies between was nobody's time. */
  readonly resumeAt: (nowMs: number) => void
}

export function createElapsed(): Elapsed {
  let lastMs: number | undefined
  let elapsedMs = 0
  return {
    at(nowMs) {
      if (lastMs !== undefined && nowMs > lastMs) elapsedMs += nowMs - lastMs
      lastMs = nowMs
      return elapsedMs
    },
    resumeAt(nowMs) {
      lastMs = nowMs
    }
  }
}
