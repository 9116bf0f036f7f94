import { type TraceColumns } from '../model/spans.ts'

/** Who takes closed traces. Neither may throw, nor keep the columns. */
export interface AssembleNext {
  /** The first `contextRows` rows are PRODUCER spans of an earlier part of the trace: only to be waited for, not counted again. */
  readonly closed: (trace: TraceColumns, contextRows: number) => void
  /** Spans of requests that are counted already; says whether a kept trace took them. */
  readonly late: (trace: TraceColumns) => boolean
}
