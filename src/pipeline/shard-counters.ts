import { type Counters, createCounters } from '../runtime/counters.ts'

/** Why spans are lost: their thread failed, filled its heap, hung, or was down; or was not done when the process ended. */
export const losses = ['failed', 'heap_full', 'hung', 'down', 'shutdown'] as const
export type Loss = (typeof losses)[number]

/** What happens to each shard; the label is its number. */
export interface ShardCounters extends Pick<Counters, 'samples'> {
  readonly routed: (shard: number, bytes: number) => void
  readonly taken: (shard: number, bytes: number) => void
  readonly cpu: (shard: number, totalSeconds: number) => void
  readonly refused: (shard: number) => void
  readonly behind: (shard: number) => void
  readonly restarted: (shard: number) => void
  readonly lost: (why: Loss, spans: number) => void
  /** Spans that were to go on to destinations. */
  readonly unsent: (spans: number) => void
  readonly decoded: () => void
}

/** Also the list of their names, for `shards` = 0. */
export function shardCounterTable(shards: number) {
  const by = { label: 'shard', values: Array.from({ length: shards }, (_, i) => String(i + 1)) }
  return {
    tail_shard_cpu_seconds_total: { help: 'CPU time of the thread of a shard.', ...by },
    tail_shard_routed_bytes_total: { help: 'Bytes of spans sent to a shard.', ...by },
    tail_shard_taken_bytes_total: {
      help: 'Bytes of spans that a shard has taken; those routed less these are before it.',
      ...by
    },
    tail_shard_refused_total: {
      help: 'Requests refused, to be sent again, because a shard had too much before it or was starting again.',
      ...by
    },
    tail_shard_behind_total: { help: 'Times that nobody waited any longer for a shard.', ...by },
    tail_shard_restarts_total: { help: 'Times that a shard began anew because its thread had ended.', ...by },
    tail_shard_lost_spans_total: {
      help: 'Spans that are not counted because the thread of their shard failed, filled its heap, hung or was down, or was not done when the process ended. With durability they are read again from the log, and only those count here that it does not have.',
      label: 'reason',
      values: losses
    },
    tail_shard_unsent_spans_total: {
      help: 'Spans that were held for destinations, and not passed on because the thread of their shard had ended.'
    },
    tail_shard_decoded_requests_total: {
      help: 'Requests that the main thread decoded, because they are JSON or scanning them was not enough.'
    }
  }
}

export function createShardCounters(shards: number): ShardCounters {
  const counters = createCounters(shardCounterTable(shards))
  return {
    samples: counters.samples,
    routed(shard, bytes) {
      counters.add('tail_shard_routed_bytes_total', bytes, shard)
    },
    taken(shard, bytes) {
      counters.add('tail_shard_taken_bytes_total', bytes, shard)
    },
    cpu(shard, totalSeconds) {
      const counted = counters.get('tail_shard_cpu_seconds_total', shard)
      counters.add('tail_shard_cpu_seconds_total', Math.max(0, totalSeconds - counted), shard)
    },
    refused(shard) {
      counters.add('tail_shard_refused_total', 1, shard)
    },
    behind(shard) {
      counters.add('tail_shard_behind_total', 1, shard)
    },
    restarted(shard) {
      counters.add('tail_shard_restarts_total', 1, shard)
    },
    lost(why, spans) {
      counters.add('tail_shard_lost_spans_total', spans, losses.indexOf(why))
    },
    unsent(spans) {
      counters.add('tail_shard_unsent_spans_total', spans)
    },
    decoded() {
      counters.add('tail_shard_decoded_requests_total')
    }
  }
}
