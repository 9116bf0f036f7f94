import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'

/**
 * A process that says for how long of a wait it had no time for what was waited for (`tailspan.unwatched_ns`): it made the wait
 * longer by that at most, and what stretched the piece was that, as far as it goes. Of the gap before a callee's span the callee
 * says so (`tailspan.unwatched_before_ns`).
 */
export const unwatched: Rule<'unwatched'> = {
  name: 'unwatched',
  judge(suspect, findings) {
    const lateNs = Math.min(findings.leftNs, suspect.unwatchedNs)
    if (suspect.kind !== PieceKind.beforePeer) findings.stallNs = Math.max(findings.stallNs, lateNs)
    else if (lateNs > findings.stallNs) findings.calleeNs = Math.max(findings.calleeNs, lateNs - findings.stallNs)
  }
}
