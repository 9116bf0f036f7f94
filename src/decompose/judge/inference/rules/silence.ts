import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'
import { isLively } from '../stalled.ts'

/** Nothing began or ended in the process while all that was open was overdue: it stood still. */
export const silence: Rule<'silence'> = {
  name: 'silence',
  judge(suspect, findings, tools) {
    if (suspect.kind === PieceKind.beforePeer || suspect.kind === PieceKind.wait) return
    const around = tools.around(suspect)
    if (isLively(around)) return
    findings.stallNs = Math.max(findings.stallNs, around.silentNs)
    findings.weakNs = Math.max(findings.weakNs, around.weakSilentNs)
  }
}
