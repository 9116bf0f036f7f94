/** How long bodies may be worked on before sockets, scrapes and timers get their turn. */
const TURN_MS = 2
/** Whoever has waited for longer, or would have to, shows that there is more work than time. */
const WAIT_MS_MAX = 1_000
/** Of the newest in the mean pace. */
const PACE_SHARE = 1 / 32

export interface BodyTurnsTools {
  readonly nowMs: () => number
  /** Runs it once everything else that is ready has had its turn. */
  readonly afterOthers: (turn: () => void) => void
}

/**
 * Shares the thread between bodies that have come and everything else in it. Node hands over all sockets that are ready
 * before it looks at anything else: a thousand bodies of ten milliseconds each are ten seconds without an answer to anybody.
 */
export interface BodyTurns {
  /** Does the work now, or when its turn comes; one after the other, in the order of the calls. */
  readonly take: <T>(work: () => T) => T | Promise<T>
  /** Whether those that come now would have to wait for too long. */
  readonly late: () => boolean
}

export function createBodyTurns({ nowMs, afterOthers }: BodyTurnsTools): BodyTurns {
  const waiting: { readonly sinceMs: number; readonly begin: () => void }[] = []
  /** From the end of one that waited to the end of the next, on average, others' turns included. */
  let paceMs = 0
  let endedMs = 0
  let usedMs = 0
  let isEnding = false

  function timed<T>(work: () => T): T {
    const startMs = nowMs()
    try {
      return work()
    } finally {
      usedMs += nowMs() - startMs
      if (usedMs >= TURN_MS) end()
    }
  }

  function end(): void {
    if (isEnding) return
    isEnding = true
    afterOthers(() => {
      isEnding = false
      usedMs = 0
      for (let next = waiting.shift(); next !== undefined; next = usedMs < TURN_MS ? waiting.shift() : undefined) {
        next.begin()
        keepPace()
      }
      if (waiting.length > 0) end()
    })
  }

  function keepPace(): void {
    const now = nowMs()
    paceMs += (now - endedMs - paceMs) * PACE_SHARE
    endedMs = now
  }

  return {
    take(work) {
      if (usedMs < TURN_MS && waiting.length === 0) return timed(work)
      return new Promise((resolve) => {
        const begin = (): void => {
          // What the work throws becomes the rejection.
          resolve(
            new Promise<ReturnType<typeof work>>((done) => {
              done(timed(work))
            })
          )
        }
        const sinceMs = nowMs()
        if (waiting.length === 0) endedMs = sinceMs
        waiting.push({ sinceMs, begin })
      })
    },
    late: () => waiting.length * paceMs > WAIT_MS_MAX || nowMs() - (waiting[0]?.sinceMs ?? Infinity) > WAIT_MS_MAX
  }
}
