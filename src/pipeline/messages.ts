import { type Send } from '../forward/index.ts'
import { type LoggedRows } from '../model/logged.ts'
import { type HeldBytes } from '../model/memory.ts'
import { type CounterSample } from '../runtime/counters.ts'
import { type Settings } from '../settings/settings.ts'
import { type Findings } from './findings.ts'
import { type PackedRows } from './rows.ts'

/** What a shard's thread begins with. */
export interface ShardStart {
  readonly settings: Settings
  readonly buffers: readonly SharedArrayBuffer[]
  /** 1 to `shards`. */
  readonly thread: number
  readonly shards: number
  readonly seed: number
  /** Users' rules since the start, in writing, the latest last: each gave out numbers that evidence is known by. */
  readonly rules: readonly string[]
  readonly startMs: number
  /** Whether turns end: elsewhere they last as long as there is something to do. */
  readonly hurried: boolean
  /** Spans go on to destinations. */
  readonly forwards: boolean
}

export type Phase = 'close' | 'judge'

/**
 * What a round does: closes what is due; the same by the log's time, while it is read again; ends that, with all that still waits
 * judged; or closes everything, at the end.
 */
export type RoundKind = 'usual' | 'replay' | 'replayed' | 'last'

/** To a shard. Buffers are transferred, and given back. */
export type ToShard =
  | {
      readonly kind: 'spans'
      readonly bytes: ArrayBuffer
      readonly length: number
      readonly order: ArrayBuffer
      readonly spans: number
      readonly logged: LoggedRows | undefined
      readonly passedOn: boolean
      readonly nowMs: number
    }
  | {
      readonly kind: 'rows'
      readonly rows: PackedRows
      /** The spans themselves, in the same order, where they go on to destinations. */
      readonly request: ArrayBuffer | undefined
      readonly sequence: number
      readonly nowMs: number
    }
  | { readonly kind: Phase; readonly nowMs: number; readonly round: RoundKind }
  | { readonly kind: 'rules'; readonly rules: string }
  | { readonly kind: 'relieve'; readonly bytes: number; readonly nowMs: number }
  | { readonly kind: 'mark' }
  | { readonly kind: 'flush' }
  /** Spans of the segment log follow; of those that it says are settled nothing counts. */
  | { readonly kind: 'replay'; readonly settled: SharedArrayBuffer }
  /** Four words of each trace that was settled by this moment of the log. */
  | { readonly kind: 'recall'; readonly traceIds: Uint32Array; readonly nowMs: number }

/** What a shard has taken since it last said so. */
export interface Taken {
  readonly spans: number
  readonly length: number
  /** What it came in, to be used again. */
  readonly buffers: readonly { readonly bytes: ArrayBuffer; readonly order: ArrayBuffer }[]
}

/** From a shard. */
export type FromShard =
  | { readonly kind: 'started'; readonly memory: HeldBytes; readonly counters: readonly CounterSample[] }
  | { readonly kind: 'taken'; readonly taken: Taken }
  | {
      readonly kind: 'found'
      /** 0 to `shards` - 1. */
      readonly shard: number
      readonly findings: Findings
      readonly closed: number
      /** Something waits to be judged. */
      readonly due: boolean
      readonly taken: Taken
      readonly state: ShardState
    }
  | { readonly kind: 'marked' }
  /** All that waited for destinations was sent before it. */
  | { readonly kind: 'flushed' }
  /** Spans that go on to destinations. */
  | {
      readonly kind: 'forward'
      readonly send: Send
      readonly bytes: ArrayBuffer
      readonly length: number
      readonly spans: number
    }

/** How a shard stands after a phase. */
export interface ShardState {
  readonly openSpans: number
  /** Spans that are to go on to destinations, and lie here. */
  readonly unsentSpans: number
  readonly openBytes: number
  /** Sequence of the first request of which anything was not found yet; Infinity when all is. */
  readonly oldestUncounted: number
  readonly cpuSeconds: number
  /** Undefined while it is not worth asking again. */
  readonly memory: HeldBytes | undefined
  /** As the samples that it started with. */
  readonly counters: Float64Array
}
