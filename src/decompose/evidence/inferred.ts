import { Grade, PHASES } from '../../model/phases.ts'
import { Evidence } from '../../model/spans.ts'
import type { EvidenceSource } from './source.ts'

/** What was inferred from other spans of the process (judge/inference), as it was written into the trace. A late callee is for blame alone. */
export const inferred: EvidenceSource = {
  name: 'inferred',
  wants: [],
  claim(view, claims) {
    const { evidence, evidenceEnd } = view.tree.trace
    const end = evidenceEnd[view.span] as number
    for (let i = view.span === 0 ? 0 : (evidenceEnd[view.span - 1] as number); i < end; i++) {
      const code = (evidence.code[i] as number) - Evidence.inferred
      if (code < 0 || code >= PHASES) continue
      const fromNs = view.startNs + (evidence.a[i] as number)
      claims.spare(code, Grade.inferred, fromNs, fromNs + (evidence.b[i] as number))
    }
  }
}
