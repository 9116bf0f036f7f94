import { createDecoderCounters, createMetricDecoder, createSpanDecoder, type DecoderTools } from '../accept/index.ts'
import { type LoggedRequest, type SettledThrough } from '../model/logged.ts'
import { type MetricPoints } from '../model/metric-points.ts'
import { type Settings } from '../settings/settings.ts'
import { createShard, type ShardNext, type ShardParts } from './shard.ts'
import { type Shards } from './shards.ts'

export interface OwnThreadParts extends ShardParts {
  readonly decoder: DecoderTools
  readonly roundOver: (nowMs: number, replaying: boolean) => void
  readonly learnPoints: (points: MetricPoints) => void
  /** Nothing that the log brought is left to count. */
  readonly onReplayed: () => void
}

export interface OwnThread extends Shards {
  /** Sequence of the first request of which anything is not counted yet; Infinity when all is. */
  readonly oldestUncounted: () => number
  readonly replay: PipelineReplay
}

/** Reads the segment log of an earlier process. */
export interface PipelineReplay {
  /** What of a trace was settled: counted and scraped. Until `end` traces close by the log's time. */
  readonly begin: (settledThrough: SettledThrough) => void
  /** Takes a request as it was taken then. Throws what its decoder throws. */
  readonly take: (request: LoggedRequest) => void
  /** The trace with this id was settled: what still comes of it is late. */
  readonly recall: (traceId: Uint32Array, atMs: number) => void
  /** Closes what was due by this moment of the log. */
  readonly goOn: (atMs: number) => void
  /** A slice of what is left to count; true when that was all, and the present begins. */
  readonly end: (nowMs: number) => boolean
}

/** `workers: 1`: the one shard is in the main thread, and what it finds is counted at once. */
export function createOwnThread(settings: Settings, parts: OwnThreadParts, next: ShardNext): OwnThread {
  const { decompose } = parts
  const counters = createDecoderCounters()
  const shard = createShard(settings, parts, next)
  const decoder = () => createSpanDecoder({ ...parts.decoder, counters, wants: decompose.wants() })
  let spans = decoder()
  // What is read again was counted as taken by the process that took it.
  const loggedTools = { ...parts.decoder, counters: createDecoderCounters() }
  let loggedSpans = spans
  const loggedPoints = createMetricDecoder(loggedTools)
  /** While the log is read again: the time it was written. */
  let replayMs: number | undefined
  let lastMs = parts.nowMs()

  return {
    ready: () => Promise.resolve(),
    traces(body, encoding, sequence) {
      const refused = encoding === 'json' ? spans.decodeJson(body, lastMs) : spans.decodeProtobuf(body, lastMs)
      parts.forward?.arrived({ body, encoding, ...refused }, spans.batch)
      shard.take(spans.batch, lastMs, sequence)
      return refused
    },
    tick(nowMs) {
      lastMs = nowMs
      const closed = shard.close(nowMs, replayMs)
      shard.judge(nowMs)
      parts.roundOver(nowMs, replayMs !== undefined)
      return closed
    },
    closeDue(nowMs) {
      lastMs = nowMs
      return replayMs === undefined ? shard.closeDue(nowMs) : 0
    },
    oldestUncounted: shard.oldestUncounted,
    replay: {
      begin(settledThrough) {
        replayMs = -Infinity
        loggedSpans = createSpanDecoder({ ...loggedTools, wants: decompose.wants() })
        shard.replay.begin(settledThrough)
      },
      take({ signal, encoding, body, sequence, atMs, passedOn }) {
        const decode = encoding === 'json' ? 'decodeJson' : 'decodeProtobuf'
        if (signal === 'metrics') {
          loggedPoints[decode](body, atMs)
          parts.learnPoints(loggedPoints.points)
        } else {
          const refused = loggedSpans[decode](body, atMs)
          // Whoever does not wait passes them on when they come, and has most of the time.
          if (parts.forward !== undefined && (parts.forward.waits || !passedOn)) {
            parts.forward.arrived({ body, encoding, ...refused }, loggedSpans.batch)
          }
          shard.take(loggedSpans.batch, atMs, sequence)
        }
      },
      recall: shard.replay.recall,
      goOn(atMs) {
        replayMs = atMs
        shard.replay.goOn(atMs)
      },
      end(nowMs) {
        if (!shard.replay.end(nowMs)) return false
        parts.onReplayed()
        replayMs = undefined
        return true
      }
    },
    settled: () => Promise.resolve(),
    setRules() {
      spans = decoder()
    },
    relieve: shard.relieve,
    mark: shard.mark,
    memory: () => ({ ...shard.memory(), decoder: spans.memory() }),
    counters: [counters, shard.counters, ...(parts.forward === undefined ? [] : [parts.forward.counters])],
    threadMemory: () => [],
    shutdown(nowMs) {
      lastMs = nowMs
      shard.closeAll(nowMs)
      shard.judge(Infinity)
      return Promise.resolve()
    }
  }
}
