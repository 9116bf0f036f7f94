import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'
import { isLively, isStalled } from '../stalled.ts'

/**
 * A wait span ends when its process notices that the turn has come. For as long as that process stood still meanwhile, the turn
 * may have been there already: it counts as a wait in line all the same, and is not certain.
 */
export const lateTurn: Rule<'late_turn'> = {
  name: 'late_turn',
  judge(suspect, findings, tools) {
    if (suspect.kind !== PieceKind.wait) return
    const around = tools.around(suspect)
    if (isLively(around)) return
    const stalledNs = around.strong && isStalled(around) ? around.coveredShare * findings.leftNs : 0
    findings.doubtedNs = Math.max(stalledNs, around.silentNs)
  }
}
