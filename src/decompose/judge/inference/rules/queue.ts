import type { Suspect } from '../suspects.ts'
import { explain, type Findings, type Rule } from '../rule.ts'

/**
 * A queue rebuilt: FIFO with the k servers that were learned, so the request got its turn when the k-th of those ahead gave
 * its server up. The wait is placed; a request waits in line whatever makes the servers slow, so this comes first.
 */
export const queue: Rule<'queue'> = {
  name: 'queue',
  judge(suspect, findings, tools) {
    if (suspect.lead === 1) waitUntil(tools.turnNs(suspect), suspect, findings)
  }
}

/**
 * The same where who shares the servers is not seen until it is served, as batch jobs are: the request waited for as long as
 * all servers that its process shares were taken.
 */
export const sharedQueue: Rule<'shared_queue'> = {
  name: 'shared_queue',
  judge(suspect, findings, tools) {
    if (suspect.lead === 1) waitUntil(tools.sharedTurnNs(suspect), suspect, findings)
  }
}

/** From its arrival until its turn, on the process's clock, if that is later than what is known. */
export function waitUntil(turnOfProcessNs: number, suspect: Suspect, findings: Findings): void {
  const turnNs = Math.min(suspect.toNs, Math.round(turnOfProcessNs - suspect.shiftNs))
  const fromNs = Math.max(suspect.fromNs, suspect.arrivedNs - suspect.shiftNs)
  if (turnNs <= Math.max(fromNs, findings.turnNs)) return
  findings.turnNs = turnNs
  findings.queueNs += explain(findings, turnNs - fromNs - findings.queueNs)
}
