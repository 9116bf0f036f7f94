import { createCounters } from '../runtime/counters.ts'
import { Fault } from '../runtime/fault.ts'
import { bytesOf, type Folder, openFolder, openSegmentLog, type SegmentLog } from '../runtime/segments/index.ts'
import { durabilityCounters, SkipReason } from './counters.ts'
import { type CountedTrace, createLedger, type Ledger, type PassOn } from './ledger.ts'
import { RecordType, type RequestKind, requestType } from './records.ts'
import { replay, type ReplayTarget, type Survey, survey, surveyTaken } from './replay.ts'
import { type DurabilitySettings } from './settings.ts'

export { durabilityCounters } from './counters.ts'
export { type CountedTrace } from './ledger.ts'
export { type ReplayTarget } from './replay.ts'
export { openSettledTraces } from './settled-traces.ts'

const RETRY_AFTER_MS = 1000
/** A smaller body is copied: that costs less than a place of its own in what is written, and its buffer may be many times as large. */
const HELD_BYTES_MIN = 1 << 14

/** What the pipeline is asked. */
export interface DurablePipeline {
  readonly replay: ReplayTarget
  readonly oldestUncounted: () => number
  /** Undefined where nothing is forwarded. */
  readonly passOn: PassOn | undefined
}

/** Keeps requests on disk until their traces are counted and scraped. Off, it does nothing. */
export interface Durability {
  /**
   * Gives the pipeline what an earlier process had taken and nobody has scraped. Throws BAD_SETTINGS when the folder
   * cannot be used; nothing that lies in it makes this fail.
   */
  readonly open: (pipeline: DurablePipeline) => Promise<void>
  /**
   * Gives a target what this process took from this request on and did not count. Resolves to whether all of it was kept; rejects
   * when the target does.
   */
  readonly readAgain: (from: number, target: ReplayTarget) => Promise<boolean>
  /**
   * Hands a request on by `take` and writes it down. Throws BUSY when too much waits for the disk, and what `take` throws.
   * A body that lasts may be held: then it must stay as it is until `kept` is settled.
   */
  readonly keep: <V extends object>(request: KeptRequest, take: (sequence: number) => V) => V & Custody
  readonly admission: () => { readonly cause: 'durability'; readonly retryAfterMs: number } | undefined
  /** `shownMs` is when the series of its newest operation show more than 0. */
  readonly counted: (trace: CountedTrace, shownMs: number) => void
  /** A scrape begins, in which new series show 0 or everything what it has; call what it gives when all of it was sent. */
  readonly scrape: (showsAll: boolean) => () => void
  readonly tick: (nowMs: number) => void
  /** Whether what is open now will be found by the next process. */
  readonly holds: () => boolean
  readonly close: () => Promise<void>
  readonly counters: { readonly samples: ReturnType<typeof createCounters>['samples'] }
  /** Undefined without a log. */
  readonly state: () => DurabilityState | undefined
  readonly bytes: () => number
}

export interface KeptRequest extends RequestKind {
  readonly body: Uint8Array
  /** Whether the body can be held. */
  readonly lasts: boolean
}

export interface Custody {
  readonly kept?: Promise<boolean>
  readonly holdsBody?: boolean
}

export interface DurabilityState {
  readonly segments: number
  readonly bytes: number
  readonly spareBytes: number
  readonly degraded: boolean
}

export interface DurabilityTools {
  readonly nowMs: () => number
  readonly log: {
    readonly info: (fields: object, message: string) => void
    readonly warn: (fields: object, message: string) => void
    readonly error: (fields: object, message: string) => void
  }
  /** Told how long each sync took. */
  readonly synced: (ms: number) => void
  /** Of the machine, unless a test has another. */
  readonly openFolder?: (path: string) => Promise<Folder>
}

interface Opened {
  readonly log: SegmentLog
  readonly ledger: Ledger
  readonly folder: Folder
  readonly openedMs: number
}

const durabilityOff: Durability = {
  open: () => Promise.resolve(),
  readAgain: () => Promise.resolve(false),
  keep: (_request, take) => take(0),
  admission: () => undefined,
  counted: () => undefined,
  scrape: () => () => undefined,
  tick: () => undefined,
  holds: () => false,
  close: () => Promise.resolve(),
  counters: { samples: () => [] },
  state: () => undefined,
  bytes: () => 0
}

export function createDurability(settings: DurabilitySettings, tools: DurabilityTools): Durability {
  if (settings.mode === 'off') return durabilityOff
  const { log: lines, nowMs } = tools
  const counters = createCounters(durabilityCounters)
  let opened: Opened | undefined

  async function folder(): Promise<Folder> {
    try {
      return await (tools.openFolder ?? openFolder)(settings.directory)
    } catch (reason) {
      throw new Fault('BAD_SETTINGS', `segment_log.directory: ${Fault.from(reason).message}`, { cause: reason })
    }
  }

  function openLog(at: Folder, found: Survey): SegmentLog {
    return openSegmentLog(
      {
        segmentBytes: settings.segmentBytes,
        bytesMax: settings.bytesMax,
        freeShareMin: settings.freeShareMin,
        whenFull: settings.onError === 'degrade' ? 'drop' : 'fail',
        gatherMs: settings.gatherMs,
        syncEveryMs: settings.mode === 'batch' ? 0 : settings.syncIntervalMs,
        waitingBytesMax: settings.waitingBytesMax
      },
      {
        folder: at,
        nowMs,
        synced: tools.synced,
        failed(reason) {
          counters.add('tail_log_failures_total')
          const next = settings.onError === 'degrade' ? 'requests are kept in memory only' : 'requests are refused'
          lines.error({ err: reason, next }, 'the segment log cannot be written; tried again every second')
        },
        recovered() {
          lines.warn({}, 'the segment log is written again')
        }
      },
      found.start
    )
  }

  function countLosses({ losses, forgotten }: Survey): void {
    counters.add('tail_log_torn_bytes_total', losses.tornBytes)
    counters.add('tail_log_corrupt_bytes_total', losses.corruptBytes)
    counters.add('tail_log_corrupt_records_total', losses.corruptRecords)
    counters.add('tail_log_foreign_files_total', losses.foreignFiles)
    counters.add('tail_log_forgotten_traces_total', forgotten)
  }

  return {
    async open(pipeline) {
      const at = await folder()
      const startMs = performance.now()
      const found = await survey(at)
      countLosses(found)
      const log = openLog(at, found)
      let oldestUnread = found.oldest
      const ledger = createLedger({
        log,
        countedBefore: found.counted,
        oldestUncounted: pipeline.oldestUncounted,
        oldestUnread: () => oldestUnread,
        passOn: pipeline.passOn,
        unscrapedMaxMs: settings.unscrapedMaxMs,
        nowMs
      })
      opened = { log, ledger, folder: at, openedMs: nowMs() }
      await log.append(RecordType.started, Buffer.alloc(0))
      await replay(found, pipeline.replay, {
        folder: at,
        nowMs,
        ageMaxMs: settings.replayAgeMaxMs,
        taken(bytes) {
          counters.add('tail_log_replayed_records_total')
          counters.add('tail_log_replayed_bytes_total', bytes)
        },
        skipped(reason) {
          counters.add('tail_log_skipped_records_total', 1, SkipReason[reason])
        }
      })
      oldestUnread = Infinity
      await log.append(RecordType.recovered, Buffer.alloc(0))
      const { losses, attempts, forgotten } = found
      const requests = counters.get('tail_log_replayed_records_total')
      const ms = Math.round(performance.now() - startMs)
      lines.info({ requests, ms, ...losses, attempts, forgotten }, 'segment log read')
    },
    async readAgain(from, target) {
      if (opened === undefined) return false
      const { log, ledger, folder: at, openedMs } = opened
      const startMs = performance.now()
      let requests = 0
      ledger.write()
      const to = log.nextSequence()
      await log.flush()
      const found = await surveyTaken(at, log.segments(), { from, to })
      await replay(found, target, {
        folder: at,
        nowMs,
        // Of what an earlier process had taken, as old as it may have been when this one began.
        ageMaxMs: settings.replayAgeMaxMs + nowMs() - openedMs,
        taken() {
          requests += 1
        },
        skipped: () => undefined
      })
      const ms = Math.round(performance.now() - startMs)
      lines.info({ from, requests, ms, whole: found.isWhole }, 'segment log read again for a worker')
      return found.isWhole
    },
    keep({ body, lasts, ...kind }, take) {
      if (opened === undefined) throw new Fault('BUSY', 'the segment log is being read')
      const { log } = opened
      if (!log.fits(body.length)) throw new Fault('BUSY', 'too many bytes wait for the disk')
      // What cannot be decoded is not written, so it is tried first; all of it happens before anyone else has a turn.
      const verdict = take(log.nextSequence())
      const holdsBody = lasts && body.length >= HELD_BYTES_MIN
      const kept = holdsBody ? log.appendLent(requestType(kind), body) : log.append(requestType(kind), body)
      return { ...verdict, holdsBody, kept: settings.onError === 'degrade' ? kept.then(() => true) : kept }
    },
    admission() {
      const refuses = settings.onError === 'refuse' && opened?.log.failing() === true
      return refuses ? { cause: 'durability', retryAfterMs: RETRY_AFTER_MS } : undefined
    },
    counted(trace, shownMs) {
      opened?.ledger.counted(trace, shownMs)
    },
    scrape: (showsAll) => opened?.ledger.scrape(showsAll) ?? (() => undefined),
    tick(now) {
      opened?.ledger.tick(now)
    },
    holds: () => opened !== undefined && !opened.log.failing(),
    async close() {
      if (opened === undefined) return
      await opened.ledger.close()
      await opened.log.close()
    },
    counters: {
      samples() {
        if (opened !== undefined) copyCounts(opened)
        return counters.samples()
      }
    },
    state() {
      const segments = opened?.log.segments() ?? []
      return {
        segments: segments.length,
        bytes: bytesOf(segments),
        spareBytes: opened?.log.spareBytes() ?? 0,
        degraded: opened?.log.failing() ?? false
      }
    },
    bytes: () => (opened === undefined ? 0 : opened.log.bufferBytes() + opened.ledger.bytes())
  }

  function copyCounts({ log, ledger }: { readonly log: SegmentLog; readonly ledger: Ledger }): void {
    const set = (name: keyof typeof durabilityCounters, value: number): void => {
      counters.add(name, value - counters.get(name))
    }
    set('tail_log_records_total', log.counts.records)
    set('tail_log_written_bytes_total', log.counts.bytes)
    set('tail_log_unkept_records_total', log.counts.unkept)
    set('tail_log_dropped_segments_total', log.counts.dropped)
    set('tail_log_stuck_files_total', log.counts.stuck)
    set('tail_log_checkpoints_total', ledger.counts.checkpoints)
  }
}
