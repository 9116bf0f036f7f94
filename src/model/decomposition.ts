import type { TraceColumns } from './spans.ts'

/** The requests of one trace: one row per entry span. `service` and `operation` are interned ids. */
export interface RequestColumns {
  n: number
  /** Row of the entry span in the trace. */
  span: Uint32Array
  service: Uint32Array
  operation: Uint32Array
  /** By structure alone; explain may override it (settings, learned streams). */
  class: Uint8Array
  outcome: Uint8Array
  durationNs: Float64Array
  /** PHASE_SLOTS a row: ns by phase and grade. Adds up to durationNs exactly. */
  phaseNs: Float64Array
  /** Waiting before the entry span; 0 without. Outside duration and phases. */
  leadNs: Float64Array
  /** PATTERNS a row: ns of its own critical path that repeated and parallel calls cost; each ns counts once. */
  patternNs: Float64Array
  /** 1 when an instrumented peer's span is missing below it. */
  partial: Uint8Array
  /** Whole number of real requests this one stands for, >= 1. */
  weight: Float64Array
  sampling: Uint8Array
}

/** The root request's critical-path time by whoever spent it. Adds up to the root's duration exactly. */
export interface BlameColumns {
  n: number
  span: Uint32Array
  /** Service and operation of the request that the span belongs to. */
  service: Uint32Array
  operation: Uint32Array
  phase: Uint8Array
  grade: Uint8Array
  ns: Float64Array
}

/** Where the trace crosses from one service or language to another, one row per call or message. */
export interface CrossingColumns {
  n: number
  /** Rows in the trace. */
  caller: Uint32Array
  callee: Uint32Array
  /** Row of the request that pays for it: the caller's, which waits; of a message the consumer's. */
  request: Uint32Array
  /** BOUNDARY_COMPONENTS a row; NaN where the spans do not tell. */
  ns: Float64Array
}

/** Sections of the critical path in time order; on the root host's clock. */
export interface PathColumns {
  n: number
  span: Uint32Array
  startNs: Float64Array
  endNs: Float64Array
}

/** Each span's own time (only in a detailed decomposition). */
export interface OwnTimeColumns {
  /** PHASE_SLOTS a span. */
  phaseNs: Float64Array
  inProcessChildrenNs: Float64Array
  /** Where each span lies on the path's clock. */
  startNs: Float64Array
  endNs: Float64Array
  /** Row of the span above, -1 without. */
  parent: Int32Array
}

/** One claim on a span of a request and what became of it. */
export interface ExplainedClaim {
  readonly request: number
  readonly span: number
  /** An evidence source, or the tree, the body, the remainder. */
  readonly source: string
  readonly phase: number
  readonly grade: number
  readonly askedNs: number
  readonly bookedNs: number
  /** Why it was clipped, or how else to read it; may be empty. */
  readonly note: string
}

/** What decompose says of one trace; reused by the next call, so whoever keeps it copies it. */
export interface Decomposition {
  trace: TraceColumns
  /** Row of the root (or the longest entry span), -1 for a late unit without one of its own. */
  root: number
  /** One root, every parent present, nothing refused. */
  complete: boolean
  /** Evidence that asked for more than there was, by index of the source. */
  conflicts: number
  readonly requests: RequestColumns
  /** Row in `requests` of the root, or -1. */
  rootRequest: number
  /** Worked out when first asked for: only the body's and the tail's roots are. */
  readonly blame: BlameColumns
  /**
   * Adds to the first cells what each Advice would have explained of a request, in ns. Gives the operation of the longest call
   * whose answer is missing, 0 without.
   */
  readonly missingEvidence: (request: number, ns: Float64Array) => number
  /** Adds to the cells of the trace's rows the time that each has on the critical path. */
  readonly addPathNs: (ns: Float64Array) => void
  readonly crossings: CrossingColumns
  readonly path: PathColumns
  /** Filled only when details were asked for. */
  readonly own: OwnTimeColumns
  /** Only when it was asked for why the phases are what they are. */
  claims?: readonly ExplainedClaim[] | undefined
}
