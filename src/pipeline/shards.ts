import { type Encoding, type Refusals } from '../accept/index.ts'
import { type CounterSample } from '../runtime/counters.ts'
import { type HeldBytes } from '../model/memory.ts'
import { type Marks } from '../runtime/stage.ts'
import { type Settings } from '../settings/settings.ts'

/**
 * Where spans become decompositions: one shard in the main thread, or several in threads of their own. Time goes round by round:
 *
 *   tick --> every shard closes traces --> every shard judges what was held --> all that was found is counted, in one order --> roundOver
 */
export interface Shards {
  /** Resolves once all threads are up. */
  readonly ready: () => Promise<void>
  /** Takes one body; `sequence` is its number in the segment log. Throws a Fault where nothing of it counts. */
  readonly traces: (body: Uint8Array, encoding: Encoding, sequence?: number) => Refusals
  /** Begins a round, unless one is under way; gives the number of traces that closed in the last one. */
  readonly tick: (nowMs: number) => number
  /** Between two rounds: closes what is due, so that no round has much to do at once; gives the number of traces. */
  readonly closeDue: (nowMs: number) => number
  /** Resolves when no round is under way. */
  readonly settled: () => Promise<void>
  /** Users' rules from now on; they are checked. */
  readonly setRules: (rules: Settings['decompose']['rules']) => void
  /** Lets go of about so many bytes; gives how many it cannot free. */
  readonly relieve: (bytes: number, nowMs: number) => number
  readonly mark: (marks: Marks) => void
  /** Of this thread. */
  readonly memory: () => Readonly<Record<string, number>>
  /** All that each other thread holds. */
  readonly threadMemory: () => readonly HeldBytes[]
  readonly counters: readonly { readonly samples: () => readonly CounterSample[] }[]
  /** Closes and counts every open trace. */
  readonly shutdown: (nowMs: number) => Promise<void>
}
