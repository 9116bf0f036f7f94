import type { Decomposition } from '../model/decomposition.ts'
import type { TraceColumns } from '../model/spans.ts'
import { copyTrace, markTrace, type TraceCopy, viewTrace } from '../model/trace-copy.ts'
import type { Marks } from '../runtime/stage.ts'
import type { DecomposeOptions } from './engine.ts'

/** A trace above this many spans is decomposed in slices of it, so that nothing else waits for long. */
export const GIANT_SPANS = 20_000

export interface Giants {
  /** Copies a giant and lets it wait; false when there is no room: whoever holds it decomposes it at once. */
  readonly add: (trace: TraceColumns, contextRows: number) => boolean
  /** One slice of work. Returns the result when a giant is done; it holds until the next call. Throws what decomposing throws. */
  readonly step: () => Decomposition | undefined
  readonly waiting: () => boolean
  /** Spans of those that wait. */
  readonly spans: () => number
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

type Slices = (trace: TraceColumns, options: DecomposeOptions, slice: number) => Generator<undefined, Decomposition>

/** Giants wait in line, each decomposed slice by slice between other work. */
/** `waitingSpansMax` is of all that wait for their turn. */
export function createGiants(decomposeSliced: Slices, waitingSpansMax: number): Giants {
  const line: { readonly copy: TraceCopy; readonly contextRows: number }[] = []
  let run: Generator<undefined, Decomposition> | undefined
  /** The first of the line is decomposed, and stays there while its result is in use: its names must not be given back. */
  let done = false
  const spansFrom = (first: number): number => line.reduce((sum, { copy }, i) => (i < first ? sum : sum + copy.n), 0)

  return {
    add(trace, contextRows) {
      if (spansFrom(0) + trace.n > waitingSpansMax) return false
      line.push({ copy: copyTrace(trace), contextRows })
      return true
    },
    step() {
      if (done) line.shift()
      done = false
      const head = line[0]
      if (head === undefined) return undefined
      const options = { contextRows: head.contextRows, detail: false }
      run ??= decomposeSliced(viewTrace(head.copy), options, GIANT_SPANS)
      let ended = true
      try {
        const step = run.next()
        ended = step.done === true
        return step.done === true ? step.value : undefined
      } finally {
        if (ended) run = undefined
        done = ended
      }
    },
    waiting: () => line.length > (done ? 1 : 0),
    spans: () => spansFrom(done ? 1 : 0),
    mark(marks) {
      for (const { copy } of line) markTrace(viewTrace(copy), marks)
    },
    bytes: () => line.reduce((sum, { copy }) => sum + copy.buffer.byteLength, 0)
  }
}
