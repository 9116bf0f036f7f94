import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'
import { isStalled } from '../stalled.ts'

/**
 * Other requests of the process were stretched at the same moment, and hardly any went on as usual: the process stalled. Without
 * one that only this process can have stretched, several slow queries at once would look the same: then it is a weak sign.
 */
export const neighbours: Rule<'neighbours'> = {
  name: 'neighbours',
  judge(suspect, findings, tools) {
    if (suspect.kind === PieceKind.beforePeer || suspect.kind === PieceKind.wait) return
    const around = tools.around(suspect)
    if (!isStalled(around)) return
    const ns = around.coveredShare * (suspect.toNs - suspect.fromNs - suspect.medianNs)
    const own = suspect.kind !== PieceKind.call && suspect.lead === 0
    if (own || around.strong) findings.stallNs = Math.max(findings.stallNs, ns)
    else findings.weakNs = Math.max(findings.weakNs, ns)
  }
}
