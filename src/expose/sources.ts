import { type CounterSample } from '../runtime/counters.ts'
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
  readonly ready: () => boolean
  readonly version: string
  readonly startedMs: number
  /** Where spans are taken. */
  readonly otlpPorts: () => { readonly grpc: number; readonly http: number }
}

export interface ExposeTools extends Names {
  readonly nowMs: () => number
  readonly log: { readonly error: (fields: object, message: string) => void }
}
