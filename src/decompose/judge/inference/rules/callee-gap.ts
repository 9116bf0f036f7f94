import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'
import { isStalled } from '../stalled.ts'
import { thresholds } from '../thresholds.ts'

/**
 * The gap before the callee's span is network, unless only the caller was stretched (then it is the caller's scheduling) or
 * the callee was (then its runtime was late: in the blame view it is charged to the callee). The weakest rule.
 */
export const calleeGap: Rule<'callee_gap'> = {
  name: 'callee_gap',
  judge(suspect, findings, tools) {
    if (suspect.kind !== PieceKind.beforePeer) return
    const caller = tools.around(suspect)
    const lengthNs = suspect.toNs - suspect.fromNs - suspect.medianNs
    const callerStalled = suspect.accounted === 0 && isStalled(caller)
    const callerNs = caller.coveredShare * lengthNs
    const callerShare = caller.coveredShare
    if (suspect.peerProcess === 0) {
      if (callerStalled) findings.stallNs = callerNs
      return
    }
    const callee = tools.aroundPeer(suspect)
    if (callerStalled && callee.coveredShare < callerShare) findings.stallNs = callerNs
    else if (isStalled(callee)) findings.calleeNs = callee.coveredShare * lengthNs
    else if (isSilent(tools.begunByPeer(suspect))) findings.calleeNs = lengthNs
  }
}

/** The callee began hardly anything while this request and others were on their way to it. */
const isSilent = ({ during, usually }: { readonly during: number; readonly usually: number }): boolean =>
  usually >= thresholds.silentUsually && during <= thresholds.silentShare * usually
