import type { Rule } from '../rule.ts'

/**
 * A call into another language of the process does not wait: its thread runs that code. So what a span that does nothing else takes
 * longer, and no stall explains, is handing over: copying, converting, allocating.
 */
export const handover: Rule<'handover'> = {
  name: 'handover',
  judge(suspect, findings) {
    if (suspect.handsOver === 1) findings.ranNs = findings.leftNs
  }
}
