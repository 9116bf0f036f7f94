import { createDecoderCounters, createSpanDecoder, type DecoderTools } from '../accept/index.ts'
import { closingTurnMs } from '../runtime/turns.ts'
import { type Settings } from '../settings/settings.ts'
import { createShard, type ShardNext, type ShardParts } from './shard.ts'
import { type Shards } from './shards.ts'

export interface OwnThreadParts extends Omit<ShardParts, 'closeMs' | 'startMs'> {
  readonly nowMs: () => number
  readonly decoder: DecoderTools
  readonly roundOver: (nowMs: number) => void
}

/** `workers: 1`: the one shard is in the main thread, and what it finds is counted at once. */
export function createOwnThread(settings: Settings, parts: OwnThreadParts, next: ShardNext): Shards {
  const { decompose } = parts
  const counters = createDecoderCounters()
  const decoder = () => createSpanDecoder({ ...parts.decoder, counters, wants: decompose.wants() })
  let spans = decoder()
  let loggedSpans = spans
  /** While the log is read again: the time it was written. */
  let logMs: number | undefined
  let lastMs = parts.nowMs()
  const shard = createShard(settings, { ...parts, startMs: lastMs, closeMs: closingTurnMs }, next)

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
      if (logMs !== undefined) return 0
      const closed = shard.close(nowMs)
      shard.judge(nowMs)
      parts.roundOver(nowMs)
      return closed
    },
    closeDue(nowMs) {
      lastMs = nowMs
      return logMs === undefined ? shard.closeDue(nowMs) : 0
    },
    due: (nowMs) => logMs === undefined && shard.due(nowMs),
    oldestUncounted: shard.oldestUncounted,
    replay: {
      begin(settled) {
        logMs = -Infinity
        // What is read again was counted as taken by the process that took it.
        const uncounted = { ...parts.decoder, counters: createDecoderCounters() }
        loggedSpans = createSpanDecoder({ ...uncounted, wants: decompose.wants() })
        shard.replay.begin(settled.through)
      },
      take({ encoding, body, sequence, passedOn }) {
        const atMs = logMs ?? lastMs
        const refused = loggedSpans[encoding === 'json' ? 'decodeJson' : 'decodeProtobuf'](body, atMs)
        // Whoever does not wait passes them on when they come, and has most of the time.
        if (parts.forward !== undefined && (parts.forward.waits || !passedOn)) {
          parts.forward.arrived({ body, encoding, ...refused }, loggedSpans.batch)
        }
        shard.take(loggedSpans.batch, atMs, sequence)
      },
      recall(traceId) {
        shard.replay.recall(traceId, logMs ?? lastMs)
      },
      goOn(atMs) {
        logMs = atMs
        shard.replay.close(atMs)
        shard.judge(atMs)
        parts.roundOver(lastMs)
      },
      end(nowMs) {
        if (!shard.replay.end(nowMs)) return false
        parts.roundOver(lastMs)
        logMs = undefined
        return true
      }
    },
    settled: () => Promise.resolve(),
    flush() {
      parts.forward?.flush()
      return Promise.resolve(true)
    },
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
    },
    suspend() {
      parts.forward?.flush()
      return Promise.resolve()
    }
  }
}
