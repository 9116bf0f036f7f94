import { type FoundMessage } from '../../src/pipeline/shard-thread.ts'

/** The state of a shard that holds nothing. */
const state = {
  openSpans: 0,
  unsentSpans: 0,
  openBytes: 0,
  oldestUncounted: Infinity,
  cpuSeconds: 0,
  memory: {},
  counters: new Float64Array(0)
}

/** The answer of a shard that found nothing and holds nothing, but for what is said here. */
export function shardAnswer(said: Partial<FoundMessage> = {}): FoundMessage {
  const findings = { cells: new Float64Array(0), length: 0, copies: [] }
  const taken = { spans: 0, length: 0, buffers: [] }
  return { kind: 'found', shard: 0, findings, closed: 0, due: false, taken, state, ...said }
}
