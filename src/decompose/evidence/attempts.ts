import type { TraceColumns, Wants } from '../../model/spans.ts'

/** How often a call was made before, by the semantic conventions of HTTP (now, and before 1.23) and by gRPC's own tracing. */
export const attemptWants: Wants = [
  { from: 'attribute', key: 'http.request.resend_count', type: 'number' },
  { from: 'attribute', key: 'http.resend_count', type: 'number' },
  { from: 'attribute', key: 'previous-rpc-attempts', type: 'number' }
]

/** Whether a span tells of itself that it is another attempt. */
export type IsResent = (trace: TraceColumns, row: number) => boolean

export function createIsResent(firstCode: number): IsResent {
  const endCode = firstCode + attemptWants.length
  return ({ evidence, evidenceEnd }, row) => {
    const end = evidenceEnd[row] as number
    for (let i = row === 0 ? 0 : (evidenceEnd[row - 1] as number); i < end; i++) {
      const code = evidence.code[i] as number
      if (code >= firstCode && code < endCode && (evidence.a[i] as number) > 0) return true
    }
    return false
  }
}
