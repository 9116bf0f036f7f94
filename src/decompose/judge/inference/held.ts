import type { TraceColumns } from '../../../model/spans.ts'
import { copyTrace, markTrace, type TraceCopy, viewTrace } from '../../../model/trace-copy.ts'
import type { Marks } from '../../../runtime/stage.ts'

/** A trace with something stretched, until what went on beside it is known. */
export interface HeldTrace {
  readonly copy: TraceCopy
  readonly contextRows: number
  readonly suspects: Float64Array
  /** Number of its first request in the ring of neighbours. */
  readonly firstRequest: number
  readonly dueMs: number
}

export interface HeldOptions {
  readonly waitMs: number
  readonly bytesMax: number
  /** Told of a trace that had to go before its time. */
  readonly early: () => void
}

/** Traces in the order in which they came. */
export interface Held {
  readonly add: (trace: TraceColumns, held: Omit<HeldTrace, 'copy' | 'dueMs'>, nowMs: number) => void
  /** Whether the oldest's time has come, or room is needed. */
  readonly due: (nowMs: number) => boolean
  /** The oldest; the caller owns it then. Only when there is one. */
  readonly take: () => HeldTrace
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

const sizeOf = (held: HeldTrace): number => held.copy.buffer.byteLength + held.suspects.byteLength + 256

export function createHeld(options: HeldOptions): Held {
  // A queue: `line[first]` is the oldest. What was taken is let go of in bulk.
  let line: (HeldTrace | undefined)[] = []
  let first = 0
  let bytes = 0
  let askedMs = -Infinity

  return {
    add(trace, held, nowMs) {
      const one: HeldTrace = { ...held, copy: copyTrace(trace), dueMs: nowMs + options.waitMs }
      line.push(one)
      bytes += sizeOf(one)
    },
    due(nowMs) {
      askedMs = nowMs
      const oldest = line[first]
      return oldest !== undefined && (oldest.dueMs <= nowMs || bytes > options.bytesMax)
    },
    take() {
      const oldest = line[first]
      if (oldest === undefined) throw new Error('no trace is held')
      if (oldest.dueMs > askedMs) options.early()
      line[first++] = undefined
      bytes -= sizeOf(oldest)
      if (first >= 64 && first * 2 > line.length) {
        line = line.slice(first)
        first = 0
      }
      return oldest
    },
    mark(marks) {
      for (const held of line) if (held !== undefined) markTrace(viewTrace(held.copy), marks)
    },
    bytes: () => bytes
  }
}
