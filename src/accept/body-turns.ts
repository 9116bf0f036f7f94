import { bodyTurnMs } from '../runtime/turns.ts'

/** Whoever has waited for longer, or would have to, shows that there is more work than time. */
const WAIT_MS_MAX = 1_000
/** Of the newest in the mean pace. */
const PACE_SHARE = 1 / 32

export interface BodyTurnsTools {
  /** With fractions: a turn is shorter than two ticks of a clock of whole milliseconds. */
  readonly turnMs: () => number
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

export function createBodyTurns({ turnMs, afterOthers }: BodyTurnsTools): BodyTurns {
  const waiting: { readonly sinceMs: number; readonly begin: () => void }[] = []
  /** From the end of one that waited to the end of the next, on average, others' turns included. */
  let paceMs = 0
  let endedMs = 0
  let usedMs = 0
  /** How long bodies may be worked on before sockets, scrapes and timers get their turn. */
  let limitMs = bodyTurnMs(0)
  let isEnding = false

  function timed<T>(work: () => T): T {
    const startMs = turnMs()
    try {
      return work()
    } finally {
      usedMs += turnMs() - startMs
      if (usedMs >= limitMs) end()
    }
  }

  function end(): void {
    if (isEnding) return
    isEnding = true
    afterOthers(() => {
      isEnding = false
      usedMs = 0
      limitMs = bodyTurnMs(firstWaitedMs())
      for (let next = waiting.shift(); next !== undefined; next = usedMs < limitMs ? waiting.shift() : undefined) {
        next.begin()
        keepPace()
      }
      if (waiting.length > 0) end()
    })
  }

  function firstWaitedMs(): number {
    const [first] = waiting
    return first === undefined ? 0 : turnMs() - first.sinceMs
  }

  function keepPace(): void {
    const now = turnMs()
    paceMs += (now - endedMs - paceMs) * PACE_SHARE
    endedMs = now
  }

  return {
    take(work) {
      if (usedMs < limitMs && waiting.length === 0) return timed(work)
      return new Promise((resolve) => {
        const begin = (): void => {
          // What the work throws becomes the rejection.
          resolve(
            new Promise<ReturnType<typeof work>>((done) => {
              done(timed(work))
            })
          )
        }
        const sinceMs = turnMs()
        if (waiting.length === 0) endedMs = sinceMs
        waiting.push({ sinceMs, begin })
      })
    },
    late: () => waiting.length * paceMs > WAIT_MS_MAX || firstWaitedMs() > WAIT_MS_MAX
  }
}
