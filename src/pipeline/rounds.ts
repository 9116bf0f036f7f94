import { type Phase, type RoundKind } from './messages.ts'
import { type FoundMessage } from './shard-thread.ts'

/**
 * A shard that takes longer for a phase is left behind: what it found is counted when it comes. At the end it has longer, because what
 * is not counted then is lost; whoever stops the process waits 30 s for all of its end. While the log is read nobody is left behind,
 * because rounds follow each other as fast as they can: a shard that takes so long hangs.
 */
const PHASE_MS_MAX: Readonly<Record<RoundKind, number>> = {
  usual: 2_000,
  replay: 20_000,
  replayed: 20_000,
  last: 8_000
}
/** Rounds that go on without a shard before it is given up: 20 s of ticks. Not by a clock, because this thread may have stood still itself. */
const HUNG_ROUNDS = 400

export interface RoundsNext {
  /** Asks a shard for its part of a phase; false when it takes no part. */
  readonly begin: (shard: number, phase: Phase, nowMs: number, kind: RoundKind) => boolean
  readonly count: (found: readonly FoundMessage[]) => void
  readonly over: (nowMs: number) => void
  /** A shard is left behind. */
  readonly onBehind: (shard: number) => void
  /** Nothing is to be expected of it any more. */
  readonly onHung: (shard: number) => void
}

/**
 * Rounds of all shards, so that what they find is the same as if one had found it:
 *
 *   idle --tick--> close --all have answered, or time is up--> judge --the same--> idle
 *                      `--the same, and nothing waits to be judged--^
 *
 * What was found in a phase is counted at its end. A shard that is behind takes no part until it has answered:
 *
 *   taking part --too long--> behind --answers--> taking part
 *                                `--for HUNG_ROUNDS--> hung --gone--> taking part
 */
export interface Rounds {
  /** Begins a round, unless one is under way. */
  readonly start: (nowMs: number, kind?: RoundKind) => void
  readonly answered: (shard: number, found: FoundMessage) => void
  /** The shard has ended: nobody waits for it. */
  readonly gone: (shard: number) => void
  readonly settled: () => Promise<void>
  /** Traces closed in the last round. */
  readonly closed: () => number
}

export function createRounds(shards: number, next: RoundsNext): Rounds {
  let phase: Phase | 'idle' = 'idle'
  let nowMs = 0
  let kind: RoundKind = 'usual'
  let closed = 0
  let timer: NodeJS.Timeout | undefined
  let found: FoundMessage[] = []
  let settled: (() => void)[] = []
  const waiting = new Set<number>()
  /** The rounds that went on without each. */
  const behind = new Map<number, number>()

  function ask(for_: Phase): void {
    phase = for_
    for (let shard = 0; shard < shards; shard++) {
      if (!behind.has(shard) && next.begin(shard, for_, nowMs, kind)) waiting.add(shard)
    }
    if (waiting.size === 0) finish()
    else timer = setTimeout(isReplay() ? giveUp : leaveBehind, PHASE_MS_MAX[kind])
  }

  const isReplay = (): boolean => kind === 'replay' || kind === 'replayed'

  function giveUp(): void {
    for (const shard of waiting) next.onHung(shard)
  }

  function leaveBehind(): void {
    for (const shard of waiting) {
      behind.set(shard, 0)
      next.onBehind(shard)
    }
    waiting.clear()
    finish()
  }

  function finish(): void {
    clearTimeout(timer)
    const counted = found
    found = []
    next.count(counted)
    if (phase === 'close') {
      closed = counted.reduce((sum, one) => sum + one.closed, 0)
      if (kind !== 'usual' || counted.some(({ due }) => due)) {
        ask('judge')
        return
      }
    }
    phase = 'idle'
    next.over(nowMs)
    const told = settled
    settled = []
    for (const resolve of told) resolve()
  }

  function goOnWithout(shard: number, rounds: number): void {
    behind.set(shard, rounds)
    if (rounds === HUNG_ROUNDS) next.onHung(shard)
  }

  function heard(shard: number): void {
    if (waiting.delete(shard) && waiting.size === 0) finish()
  }

  return {
    start(atMs, as = 'usual') {
      if (phase !== 'idle') return
      nowMs = atMs
      kind = as
      for (const [shard, missed] of behind) goOnWithout(shard, missed + 1)
      ask('close')
    },
    answered(shard, message) {
      if (behind.delete(shard)) {
        next.count([message])
        return
      }
      found.push(message)
      heard(shard)
    },
    gone(shard) {
      behind.delete(shard)
      heard(shard)
    },
    settled: () =>
      phase === 'idle'
        ? Promise.resolve()
        : new Promise((resolve) => {
            settled.push(resolve)
          }),
    closed: () => closed
  }
}
