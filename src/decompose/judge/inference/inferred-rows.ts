import { PHASES } from '../../../model/phases.ts'
import { Evidence, type TraceColumns } from '../../../model/spans.ts'
import { copyBytes, evidenceRowsOf, type TraceCopy, viewTrace } from '../../../model/trace-copy.ts'
import { enlarge, growFloats, growInts } from '../../scratch.ts'

/**
 * What was inferred becomes rows of evidence of the trace itself, so that a kept trace says the same when it is looked at
 * again and its neighbours are long gone.
 */
export const inferredCode = (phase: number): number => Evidence.inferred + phase
/** A phase of the callee, whose runtime was late: network for the caller, the callee's in blame. */
export const inferredCalleeCode = (phase: number): number => Evidence.inferred + PHASES + phase

/** Row of evidence that says how long a call's callee was late, -1 without. */
export function calleeRow(trace: TraceColumns, call: number): number {
  const { evidence, evidenceEnd } = trace
  const end = evidenceEnd[call] as number
  for (let i = call === 0 ? 0 : (evidenceEnd[call - 1] as number); i < end; i++) {
    const phase = (evidence.code[i] as number) - inferredCalleeCode(0)
    if (phase >= 0 && phase < PHASES) return i
  }
  return -1
}

export interface InferredRows {
  readonly begin: () => void
  /** ns of a span from an offset since its start. */
  readonly add: (span: number, code: number, offsetNs: number, ns: number) => void
  /** The trace with the rows; the copy itself when there are none. */
  readonly write: (copy: TraceCopy) => TraceColumns
}

export function createInferredRows(): InferredRows {
  let n = 0
  let spanOf = growInts(16)
  let codeOf = growInts(16)
  let offset = growFloats(16)
  let length = growFloats(16)

  /** Copies a span's rows and puts the new ones behind them. */
  function fill(from: TraceColumns, to: TraceColumns): void {
    let at = 0
    let next = 0
    for (let row = 0; row < from.n; row++) {
      const end = from.evidenceEnd[row] as number
      for (let i = row === 0 ? 0 : (from.evidenceEnd[row - 1] as number); i < end; i++) {
        to.evidence.code[at] = from.evidence.code[i] as number
        to.evidence.a[at] = from.evidence.a[i] as number
        to.evidence.b[at++] = from.evidence.b[i] as number
      }
      for (; next < n && spanOf[next] === row; next++) {
        to.evidence.code[at] = codeOf[next] as number
        to.evidence.a[at] = offset[next] as number
        to.evidence.b[at++] = length[next] as number
      }
      to.evidenceEnd[row] = at
    }
  }

  /** By span, in place; rows are few. */
  function sort(): void {
    for (let i = 1; i < n; i++) {
      for (let j = i; j > 0 && (spanOf[j - 1] as number) > (spanOf[j] as number); j--) swap(j - 1, j)
    }
  }

  function swap(i: number, j: number): void {
    for (const column of [spanOf, codeOf, offset, length]) {
      const cell = column[i] as number
      column[i] = column[j] as number
      column[j] = cell
    }
  }

  return {
    begin() {
      n = 0
    },
    add(span, code, offsetNs, ns) {
      if (ns <= 0) return
      const i = n++
      spanOf = enlarge(spanOf, n)
      codeOf = enlarge(codeOf, n)
      offset = enlarge(offset, n)
      length = enlarge(length, n)
      spanOf[i] = span
      codeOf[i] = code
      offset[i] = offsetNs
      length[i] = ns
    },
    write(copy) {
      const from = viewTrace(copy)
      if (n === 0) return from
      sort()
      const evidenceRows = evidenceRowsOf(from) + n
      const to = viewTrace({ ...copy, evidenceRows, buffer: new ArrayBuffer(copyBytes(copy.n, evidenceRows)) })
      for (const column of [
        'startNs',
        'endNs',
        'spanId',
        'parentId',
        'name',
        'operation',
        'scope',
        'resource',
        'held',
        'flags',
        'kind',
        'outcome'
      ] as const) {
        to[column].set(from[column])
      }
      fill(from, to)
      return to
    }
  }
}
