import { type Decomposition, type ExplainedClaim } from '../model/decomposition.ts'
import { grades, Phase, phases } from '../model/phases.ts'
import { type Strings } from '../runtime/strings.ts'
import { spanIdHex } from './hex.ts'

/** One claim on a span's time: who made it, what it asked for, what it got and why not all. */
export function claimDocument(decomposition: Decomposition, claim: ExplainedClaim, strings: Strings): object {
  const { trace } = decomposition
  const { span, source, phase, grade, askedNs, bookedNs, note } = claim
  return {
    span_id: spanIdHex(trace.spanId, span),
    name: strings.text(trace.name[span] as number),
    source,
    phase: phases[phase],
    grade: phase === Phase.unattributed ? null : grades[grade],
    asked_ns: askedNs,
    booked_ns: bookedNs,
    note
  }
}

/** The claims on one span of a trace that was decomposed with explanations; undefined when it has no such span. */
export function claimsOnSpan(decomposition: Decomposition, spanId: string, strings: Strings): object | undefined {
  const { trace, claims = [] } = decomposition
  for (let row = 0; row < trace.n; row++) {
    if (spanIdHex(trace.spanId, row) !== spanId) continue
    const ofSpan = claims.filter(({ span }) => span === row)
    return { span_id: spanId, claims: ofSpan.map((claim) => claimDocument(decomposition, claim, strings)) }
  }
  return undefined
}
