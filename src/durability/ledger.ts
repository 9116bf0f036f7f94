import { type Custody } from '../model/spans.ts'
import { createOldest } from '../runtime/oldest.ts'
import { type SegmentLog } from '../runtime/segments/index.ts'
import { type CountedLane, createLane } from './counted-lane.ts'
import { checkpointPayload, Lane, RecordType } from './records.ts'

export interface CountedTrace {
  readonly traceId: Uint32Array
  readonly custody: Custody
}

/**
 * Which of the log's spans are done with.
 *
 *   in the log --trace closes and is counted--> counted --a scrape that began after it is served, and it is passed on--> settled
 *
 * A restart finds counters at 0: what is settled is with whoever scrapes and must not be counted again; all else must.
 */
export interface Ledger {
  /** `shownMs` is when the series of its newest operation show more than 0. */
  readonly counted: (trace: CountedTrace, shownMs: number) => void
  /** A scrape begins that shows this, or everything; call what it gives when all of it was sent. */
  readonly scrape: (showsAll: boolean) => () => void
  /** Writes down what was counted. */
  readonly write: () => void
  /** Does so, and settles it when nobody has scraped for long. */
  readonly tick: (nowMs: number) => void
  /** For the last time. */
  readonly close: () => Promise<void>
  readonly counts: { checkpoints: number }
  readonly bytes: () => number
}

/** What is forwarded, beside being counted. */
export interface PassOn {
  /** Spans go on as they arrive, and not with their trace. */
  readonly atOnce: boolean
  /** Hands on what waits for more, and resolves to whether all of it will get there, whatever happens to this process. */
  readonly flush: () => Promise<boolean>
}

export interface LedgerOptions {
  readonly log: SegmentLog
  /** How many of each lane were counted by earlier processes. */
  readonly countedBefore: readonly number[]
  /** Sequence of the first request of which anything is not counted yet. */
  readonly oldestUncounted: () => number
  /** Sequence of the first request of earlier processes that may have to be read yet; Infinity once all are. */
  readonly oldestUnread: () => number
  readonly passOn: PassOn | undefined
  readonly unscrapedMaxMs: number
  readonly nowMs: () => number
}

export function createLedger(options: LedgerOptions): Ledger {
  const { log, oldestUncounted, oldestUnread, passOn, unscrapedMaxMs, nowMs } = options
  const counts = { checkpoints: 0 }
  const unsettled = createOldest()
  const lanes = options.countedBefore.map((before, lane) => createLane(lane, before, { log, unsettled }))
  const shown = lanes[Lane.shown] as CountedLane
  const hidden = lanes[Lane.hidden] as CountedLane
  /** When so many of the hidden, and all before them, are shown. Both grow. */
  let marks: { readonly shownMs: number; counted: number }[] = []
  let settledMs = nowMs()
  let checkpointOldest = 0
  /** What was passed on as it arrived, of requests before this sequence, is as safe as it gets. */
  let passedBefore = passOn === undefined ? Infinity : 0
  let settling: Promise<void> = Promise.resolve()

  /** Everything before this sequence was taken, by this process or one before it. */
  function taken(): number {
    return Math.min(oldestUnread(), log.nextSequence())
  }

  /** Everything before this sequence is settled. */
  function oldest(): number {
    return Math.min(unsettled.value(), oldestUncounted(), passedBefore, taken())
  }

  function write(): void {
    for (const lane of lanes) lane.write()
  }

  function settle(through: readonly number[]): void {
    const moved = lanes.map((lane, i) => lane.settle(through[i] as number))
    if (moved.includes(true)) checkpoint()
  }

  /** What is settled is not read again, so it must be with the destinations' queues first. */
  function settleWhenPassedOn(through: readonly number[]): void {
    settledMs = nowMs()
    if (passOn === undefined) {
      settle(through)
      return
    }
    const before = taken()
    const passed = passOn.flush()
    settling = settling.then(async () => {
      if (!(await passed)) return
      passedBefore = before
      settle(through)
    })
  }

  /** What it says is settled must be written down before it, and be on disk before anything is removed. */
  function checkpoint(): void {
    write()
    const before = oldest()
    checkpointOldest = before
    const settled = lanes.map((lane) => lane.settled())
    const kept = log.append(
      RecordType.checkpoint,
      checkpointPayload({ settled, oldest: before, passedBefore: passOn?.atOnce === true ? passedBefore : before })
    )
    void kept.then((isKept) => {
      if (!isKept) return
      counts.checkpoints += 1
      return log.release(before)
    })
  }

  function isReleasable(): boolean {
    const [first] = log.segments()
    const before = oldest()
    return first !== undefined && first.last < before && before > checkpointOldest
  }

  function hide(trace: CountedTrace, shownMs: number): void {
    hidden.add(trace)
    const last = marks.at(-1)
    if (last === undefined || shownMs > last.shownMs) marks.push({ shownMs, counted: hidden.counted() })
    else last.counted = hidden.counted()
  }

  /** How many of the hidden a scrape shows that begins now. */
  function hiddenShown(): number {
    const now = nowMs()
    const shownNow = marks.filter(({ shownMs }) => shownMs <= now)
    marks = marks.slice(Math.max(0, shownNow.length - 1))
    return shownNow.at(-1)?.counted ?? hidden.settled()
  }

  return {
    counted(trace, shownMs) {
      if (trace.custody.last === 0) return
      if (shownMs > nowMs()) hide(trace, shownMs)
      else shown.add(trace)
    },
    scrape(showsAll) {
      const through = [shown.counted(), showsAll ? hidden.counted() : hiddenShown()]
      return () => {
        settleWhenPassedOn(through)
      }
    },
    write,
    tick(now) {
      write()
      if (log.failing()) return
      if (now - settledMs > unscrapedMaxMs) settleWhenPassedOn(lanes.map((lane) => lane.counted()))
      if (isReleasable()) checkpoint()
    },
    async close() {
      await settling
      const before = taken()
      if ((await passOn?.flush()) === true) passedBefore = before
      checkpoint()
    },
    counts,
    bytes: () => lanes.reduce((sum, lane) => sum + lane.bytes(), 0)
  }
}
