import { explain, type Rule } from '../rule.ts'

/**
 * A queue rebuilt: FIFO with the k servers that were learned, so the request got its turn when the k-th of those ahead gave
 * its server up. The wait is placed; a request waits in line whatever makes the servers slow, so this comes first.
 */
export const queue: Rule<'queue'> = {
  name: 'queue',
  judge(suspect, findings, tools) {
    if (suspect.lead === 0) return
    const turnNs = Math.min(suspect.toNs, Math.round(tools.turnNs(suspect) - suspect.shiftNs))
    const waitedNs = turnNs - Math.max(suspect.fromNs, suspect.arrivedNs - suspect.shiftNs)
    if (waitedNs <= 0) return
    findings.turnNs = turnNs
    findings.queueNs = explain(findings, waitedNs)
  }
}
