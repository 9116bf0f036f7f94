import { Language } from '../../../../model/spans.ts'
import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'

/**
 * The answer was there and the caller did not notice. A tokio reactor is polled when a worker parks: its own scheduling, with
 * or without witnesses. For others only with witnesses, and not when the far side's neighbours were stretched even more.
 */
export const answerGap: Rule<'answer_gap'> = {
  name: 'answer_gap',
  judge(suspect, findings, tools) {
    if (suspect.kind !== PieceKind.afterPeer) return
    if (suspect.language === Language.rust) {
      findings.stallNs = findings.leftNs
      return
    }
    if (findings.stallNs === 0 || suspect.peerProcess === 0) return
    const { coveredShare } = tools.around(suspect)
    const peer = tools.aroundPeer(suspect)
    if (peer.witnesses > 0 && peer.coveredShare > coveredShare) findings.stallNs = 0
  }
}
