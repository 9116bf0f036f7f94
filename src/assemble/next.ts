import { type TraceColumns } from '../model/spans.ts'

/**
 * Where a closing stands among those of one moment: by rank, then by order. The same for a trace whatever others are assembled
 * beside it, so that several assemblers' traces can be put in the order in which one would have closed them.
 */
export interface Turn {
  rank: number
  /** Wraps at 2^32. */
  order: number
}

/** Who takes closed traces. Neither may throw, nor keep what it is given. */
export interface AssembleNext {
  /** The first `contextRows` rows are PRODUCER spans of an earlier part of the trace: only to be waited for, not counted again. */
  readonly closed: (trace: TraceColumns, contextRows: number, turn: Turn) => void
  /** Spans of requests that are counted already. */
  readonly late: (trace: TraceColumns, turn: Turn) => void
  /** A span that no trace takes: what keeps its bytes, its id in two words, and why (`Unplaced`). */
  readonly unplaced?: (held: number, high: number, low: number, why: number) => void
  /** Told when nothing that counts is made of what came after a trace had closed. */
  readonly settled?: (trace: TraceColumns, turn: Turn) => void
}
