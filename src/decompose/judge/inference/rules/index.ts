import type { Rule } from '../rule.ts'
import { answerGap } from './answer-gap.ts'
import { createBudget } from './budget.ts'
import { calleeGap } from './callee-gap.ts'
import { gc } from './gc.ts'
import { handover } from './handover.ts'
import { lateTurn } from './late-turn.ts'
import { leafIdle } from './leaf-idle.ts'
import { type RuleName, ruleNames, type SwitchName } from './names.ts'
import { neighbours } from './neighbours.ts'
import { queue, sharedQueue } from './queue.ts'
import { released } from './released.ts'
import { silence } from './silence.ts'
import { unwatched } from './unwatched.ts'

/** A new rule is a file beside this one, and a line here. */
export function createRules(without: readonly SwitchName[]): Rule[] {
  const all: Record<RuleName, Rule<RuleName>> = {
    queue,
    shared_queue: sharedQueue,
    released,
    silence,
    neighbours,
    answer_gap: answerGap,
    callee_gap: calleeGap,
    leaf_idle: leafIdle,
    late_turn: lateTurn,
    unwatched,
    handover,
    budget: createBudget(),
    gc
  }
  return ruleNames.filter((name) => !without.includes(name)).map((name) => all[name])
}
