import { type Encoding, type Refusals } from '../accept/index.ts'
import { type CounterSample } from '../runtime/counters.ts'
import { type LoggedRequest, type SettledTable } from '../model/logged.ts'
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
  /** Whether it should be called again as soon as others have had their turn. */
  readonly due: (nowMs: number) => boolean
  /** Sequence of the first request of which anything is not counted yet; Infinity when all is. */
  readonly oldestUncounted: () => number
  readonly replay: ShardsReplay
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
  /** Hands on what waits for more before it goes to destinations; resolves to whether all of it was. */
  readonly flush: () => Promise<boolean>
  /** Closes and counts every open trace. */
  readonly shutdown: (nowMs: number) => Promise<void>
  /** Ends without that. */
  readonly suspend: () => Promise<void>
}

/** Reads the segment log of an earlier process. From `begin` to the end time is the log's, and no tick begins a round. */
export interface ShardsReplay {
  /** What is settled was counted and scraped. */
  readonly begin: (settled: SettledTable) => void
  /** Takes spans as they were taken then. Throws what their decoder throws. */
  readonly take: (request: Omit<LoggedRequest, 'signal'>) => void
  /** The trace with this id was settled: what still comes of it is late. */
  readonly recall: (traceId: Uint32Array) => void
  /** A round at this moment of the log, in which all closes that is due. */
  readonly goOn: (atMs: number) => Promise<void> | void
  /** A slice of what is left to count; true when that was all, and the present begins. */
  readonly end: (nowMs: number) => Promise<boolean> | boolean
}
