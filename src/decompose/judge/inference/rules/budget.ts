import type { Findings, Rule } from '../rule.ts'
import { thresholds } from '../thresholds.ts'

/** Intervals whose claims are remembered; metrics come every few seconds, and requests are judged within one or two. */
const INTERVALS_MAX = 4096

/**
 * Witnesses that a slow far side could have stretched as well count only while the runtime's own sum of scheduling delays has
 * room for them. It is a budget, not a label: it cannot say which request was late.
 */
export function createBudget(): Rule<'budget'> {
  const claimed = new Map<number, number>()
  const takes = (findings: Findings): number => Math.min(findings.leftNs, findings.weakNs - findings.stallNs)
  return {
    name: 'budget',
    judge(suspect, findings, tools) {
      if (findings.weakNs <= findings.stallNs) return
      const { budgetId, budgetNs } = tools.runtime(suspect)
      if (budgetId < 0) return
      const ns = takes(findings)
      const already = claimed.get(budgetId) ?? 0
      claimed.set(budgetId, already + ns)
      if (claimed.size > INTERVALS_MAX) claimed.delete(claimed.keys().next().value as number)
      if (already + ns <= thresholds.budget * budgetNs) findings.stallNs = findings.weakNs
    }
  }
}
