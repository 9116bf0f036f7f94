import { type Guard, type TlsFront } from '../access/index.ts'
import { type CounterSample } from '../runtime/counters.ts'
import { type PressureCause } from '../runtime/pressure.ts'
import { type DestinationState } from '../model/forwarding.ts'
import { type TailTables } from '../model/tail.ts'
import { type TextSlices } from './text-slices.ts'
import { type Names } from './trace-document.ts'

/** What the clock of host `to` shows while that of `from` shows 0. */
export interface ClockOffset {
  readonly from: string
  readonly to: string
  readonly seconds: number
}

/** An element of `operations` of `analyze --json`; expose reads these of its keys and hands on all of them. */
export interface OperationSummary {
  readonly service: string
  readonly operation: string
  readonly class: string
  readonly requests: number
  readonly quantiles_ns: { readonly p50: number | null; readonly p99: number | null }
  readonly body: { readonly phases_mean_ns: Readonly<Record<string, number>> } | null
  readonly tail: { readonly phases_mean_ns: Readonly<Record<string, number>> } | null
  readonly excess_mean_ns: Readonly<Record<string, number>> | null
  readonly dominant: string | null
}

/** An element of `blame` of `analyze --json`, likewise. */
export interface BlameSummary {
  readonly root: { readonly service: string; readonly operation: string }
  readonly culprit: { readonly service: string; readonly operation: string; readonly phase: string }
  readonly share: number | null
}

/** One operation against one target of its budget; expose hands on the rest of its keys. */
export interface BudgetState {
  readonly service: string
  readonly operation: string
  /** The label. */
  readonly budget: string
  readonly allowed_ratio: number
  readonly state: string
  readonly recent: { readonly over_ratio: number | null }
}

/** Latency budgets as the settings have them, and how operations keep them: those that spend fastest first. */
export interface BudgetsSummary {
  readonly window_seconds: number
  readonly budgets: readonly object[]
  readonly states: readonly BudgetState[]
}

/** Everything that expose shows. It only reads. */
export interface ExposeSources {
  readonly tables: TailTables
  /** The counters of all stages. Samples of one name and label value are added up. */
  readonly counters: readonly { readonly samples: () => readonly CounterSample[] }[]
  readonly memory: () => Readonly<Record<string, number>>
  /** Why senders are told to come back later just now; empty = they are not. */
  readonly pressure: () => { readonly causes: readonly PressureCause[]; readonly memoryLimitBytes: number }
  readonly clockOffsets: () => readonly ClockOffset[]
  readonly learned: () => object
  /** Points and version changes of an operation; undefined for one that history never heard of. */
  readonly history: (
    service: string,
    operation: string,
    range: { readonly fromMs: number; readonly toMs: number; readonly pointsMax: number }
  ) => object | undefined
  /** A kept trace as `analyze --json` shows it, as OTLP/JSON, to draw, and the claims on one span. One at a time. */
  readonly trace: (traceId: string) => TextSlices
  readonly otlp: (traceId: string) => TextSlices
  readonly waterfall: (traceId: string, spansMax: number) => TextSlices
  readonly claims: (traceId: string, spanId: string) => TextSlices
  /** `service.version` of a service in a kept trace, where it said one. */
  readonly versionOf: (traceId: string, service: string) => string | undefined
  readonly operations: () => readonly OperationSummary[]
  readonly blame: () => readonly BlameSummary[]
  readonly budgets: () => BudgetsSummary
  /** `boundaries` of `analyze --json`. */
  readonly boundaries: () => readonly object[]
  /** Where spans go on to, if anywhere. */
  readonly destinations?: () => readonly DestinationState[]
  readonly ready: () => boolean
  /** What an operator should know at once; empty = nothing. */
  readonly warnings?: () => readonly string[]
  /** A scrape begins, in which new series show 0 or everything what it has; what it gives is called when all of it was sent. */
  readonly scrape?: (showsAll: boolean) => () => void
  /** Of the segment log; undefined without one. */
  readonly durability?: () =>
    | {
        readonly segments: number
        readonly bytes: number
        readonly spareBytes: number
        readonly degraded: boolean
      }
    | undefined
  readonly version: string
  readonly startedMs: number
  /** Where spans are taken. */
  readonly otlpPorts: () => { readonly grpc: number; readonly http: number }
}

export interface ExposeTools extends Names {
  readonly nowMs: () => number
  readonly log: { readonly error: (fields: object, message: string) => void }
  /** Says who asks, and whether he may see it. */
  readonly guard: Guard
  /** Undefined = in the clear. */
  readonly tls: TlsFront | undefined
}
