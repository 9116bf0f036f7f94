import type { Release } from '../neighbours.ts'
import type { Rule } from '../rule.ts'
import { isLively } from '../stalled.ts'
import { thresholds } from '../thresholds.ts'
import { waitUntil } from './queue.ts'

/**
 * Requests that came one after the other all began their call at the same moment, and nobody was left: something that they
 * waited for was given back, be it a pool's connections or a lock. Who held it need not have a span, and once is enough: no
 * number of servers is learned. Neither requests that wait each for something of their own end together, nor does a process
 * that stood still begin others meanwhile.
 */
export const released: Rule<'released'> = {
  name: 'released',
  judge(suspect, findings, tools) {
    if (suspect.beforeCall === 0 || !isLively(tools.around(suspect)) || !isRelease(tools.released(suspect))) return
    waitUntil(suspect.toNs + suspect.shiftNs, suspect, findings)
  }
}

const isRelease = ({ together, stayed, during, waitedNs, endedNs }: Release): boolean =>
  together >= thresholds.releasedOthers &&
  during >= thresholds.releasedDuring &&
  stayed <= thresholds.releasedStayed * together &&
  endedNs <= thresholds.releasedWithin * waitedNs
