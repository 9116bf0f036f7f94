import { setTimeout as pause } from 'node:timers/promises'
import { type ReplayTarget } from '../durability/index.ts'
import { Fault } from '../runtime/fault.ts'
import { type FindingsCounter } from './findings-counter.ts'
import { type HeldBack } from './held-back.ts'
import { type RoundKind } from './messages.ts'
import { createRounds, type Rounds } from './rounds.ts'
import { type Loss } from './shard-counters.ts'
import { type FoundMessage, type ShardThread } from './shard-thread.ts'
import { type ShardsReplay } from './shards.ts'

/** Between two looks whether what the thread had found, giants too, is counted. */
const LOOK_MS = 50

export interface LogReadingsParts {
  readonly threadOf: (shard: number) => ShardThread
  readonly findings: FindingsCounter
  readonly heldBack: HeldBack
  /** Gives a target what of the log is not counted, from this request on; resolves to whether all of it was there. */
  readonly readAgain: (from: number, target: ReplayTarget) => Promise<boolean>
  /** Hands requests on to this shard alone. */
  readonly targetFor: (shard: number, round: (nowMs: number, kind: RoundKind) => Promise<void>) => ShardsReplay
  /** Resolves when no round of the other shards is under way. */
  readonly settled: () => Promise<void>
  readonly nowMs: () => number
  readonly lose: (why: Loss, spans: number) => void
}

/**
 * Shards whose thread has ended, where there is a segment log: another thread reads again what of it was not counted.
 *
 *   running --thread ends--> down --another begins, and what the first had found is counted--> reading --all is read--> running
 *                              ^-------------------------- its thread ends --------------------'
 *
 * Meanwhile the shard takes nothing, and takes no part in rounds: it has its own, by the log's time.
 */
export interface LogReadings {
  readonly isReading: (shard: number) => boolean
  readonly ended: (shard: number, why: Loss, lostSpans: number) => void
  /** Reads, if that can begin. */
  readonly start: (shard: number) => void
  /** The answer of a shard that reads; false of any other. */
  readonly answered: (found: FoundMessage) => boolean
  /** All threads have ended for good. */
  readonly stop: () => void
  /** Resolves when the shard is not reading. */
  readonly over: (shard: number) => Promise<unknown>
}

interface Reading {
  readonly rounds: Rounds
  readonly over: PromiseWithResolvers<undefined>
  readonly why: Loss
  /** What the thread held. */
  readonly spans: number
  begun: boolean
}

export function createLogReadings(parts: LogReadingsParts): LogReadings {
  const { threadOf, findings, heldBack } = parts
  const readings = new Map<number, Reading>()

  function createOwnRounds(shard: number): Rounds {
    return createRounds(1, {
      begin(_, phase, nowMs, kind) {
        const thread = threadOf(shard)
        if (thread.isRunning()) thread.begin(phase, nowMs, kind)
        return thread.isRunning()
      },
      count(found) {
        findings.count(found.map((one) => one.findings))
      },
      over: () => undefined,
      onBehind: () => undefined,
      onHung() {
        threadOf(shard).giveUp('hung')
      }
    })
  }

  async function read(shard: number, reading: Reading): Promise<void> {
    const isCurrent = (): boolean => readings.get(shard) === reading
    const round = async (nowMs: number, kind: RoundKind): Promise<void> => {
      reading.rounds.start(nowMs, kind)
      await reading.rounds.settled()
      if (!isCurrent()) throw new Fault('BUSY', 'the thread that read the log has ended')
    }
    // What is found and not counted yet would be read again.
    await parts.settled()
    while (!findings.isDone()) await pause(LOOK_MS, undefined, { ref: false })
    if (!isCurrent()) return
    const target = parts.targetFor(shard, round)
    const isWhole = await parts.readAgain(heldBack.of(shard), onlyTraces(target)).catch(() => false)
    if (!isWhole && isCurrent()) await round(parts.nowMs(), 'replayed').catch(() => undefined)
    if (!isCurrent()) return
    if (!isWhole) parts.lose(reading.why, reading.spans)
    heldBack.asked(shard)
    heldBack.answered(shard, threadOf(shard).state().oldestUncounted)
    readings.delete(shard)
    reading.over.resolve(undefined)
  }

  return {
    isReading: (shard) => readings.has(shard),
    ended(shard, why, lostSpans) {
      const before = readings.get(shard)
      const over = before?.over ?? Promise.withResolvers<undefined>()
      const spans = lostSpans + (before?.spans ?? 0)
      readings.set(shard, { rounds: createOwnRounds(shard), over, why, spans, begun: false })
      before?.rounds.gone(0)
    },
    start(shard) {
      const reading = readings.get(shard)
      if (reading === undefined || reading.begun || !threadOf(shard).isRunning()) return
      reading.begun = true
      void read(shard, reading)
    },
    answered(found) {
      const reading = readings.get(found.shard)
      reading?.rounds.answered(0, found)
      return reading !== undefined
    },
    stop() {
      const stopped = [...readings.values()]
      readings.clear()
      for (const { rounds, over } of stopped) {
        rounds.gone(0)
        over.resolve(undefined)
      }
    },
    over: (shard) => readings.get(shard)?.over.promise ?? Promise.resolve()
  }
}

/** What points said was learned when they came, by all threads. */
function onlyTraces(replay: ShardsReplay): ReplayTarget {
  return {
    ...replay,
    take(request) {
      if (request.signal === 'traces') replay.take(request)
    }
  }
}
