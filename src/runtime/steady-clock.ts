/** How much faster or slower than time itself the clock may go, to come back to the wall clock. */
const DRIFT = 0.1

/**
 * Time of day that never leaps and never goes back (D105). Whoever waits until something is quiet, idle or old would take a
 * wall clock that was set for hours that have passed, or wait for them to pass again.
 */
export function createSteadyClock(wallMs: () => number, monotonicMs: () => number): () => number {
  let steadyMs = wallMs()
  let lastMs = monotonicMs()
  return () => {
    const nowMs = monotonicMs()
    const passedMs = nowMs - lastMs
    lastMs = nowMs
    const behindMs = wallMs() - (steadyMs + passedMs)
    const mostMs = passedMs * DRIFT
    steadyMs += passedMs + Math.max(-mostMs, Math.min(mostMs, behindMs))
    return Math.floor(steadyMs)
  }
}
