import { PieceKind } from '../pieces.ts'
import { explain, type Rule } from '../rule.ts'
import { thresholds } from '../thresholds.ts'

/** A process that collects for more than a tenth of the time: what stalls it, and what makes its own code slow, is gc. */
export const gc: Rule<'gc'> = {
  name: 'gc',
  judge(suspect, findings, tools) {
    if (findings.calleeNs > 0) findings.calleeGc = tools.runtimeOfPeer(suspect).gcShare >= thresholds.gcShare
    if (!(tools.runtime(suspect).gcShare >= thresholds.gcShare)) return
    findings.gcNs = explain(findings, suspect.kind === PieceKind.own ? findings.leftNs : findings.stallNs)
    findings.stallNs = 0
  }
}
