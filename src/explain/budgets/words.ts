import { type Budget, type BudgetTarget, isLiteral, WHOLE_REQUEST } from '../../model/budgets.ts'
import { RequestClass, classes } from '../../model/requests.ts'
import { globCovers, globsMeet } from '../../runtime/glob.ts'
import { type ExplainSettings } from '../settings.ts'
import { bySpecificity } from './choice.ts'

/** Clocks of spans tell no less; many SDKs tell microseconds or milliseconds. */
const RESOLUTION_NS = 1_000
/** Budgets that win over one, before the rest is only counted. */
const WINNERS_SHOWN = 3

export interface BudgetWordsTools {
  /** An operation's name as it is counted: ids and numbers are written `{id}`. */
  readonly counted: (operation: string) => string
}

/** What each budget asks for and which wins over it, with what is surprising about it. */
export function describeBudgets(settings: ExplainSettings, tools: BudgetWordsTools): string[] {
  const { budgets } = settings
  if (budgets.length === 0) return []
  const warnings = budgetWarnings(settings, tools)
  return [
    'Budgets. Of those that match an operation only the most specific counts; an operation has all its targets.',
    ...budgets.flatMap((budget, i) => [
      `${i + 1}. ${spell(budget)}: ${budget.targets.map(targetWords).join('; ')}.`,
      ...winners(budgets, i),
      ...warnings.filter(({ at }) => at === i).map(({ text }) => `   Note: ${text}`)
    ]),
    ...warnings.filter(({ at }) => at === undefined).map(({ text }) => `Note: ${text}`)
  ]
}

export interface BudgetWarning {
  /** Index of the budget, if it is about one. */
  readonly at?: number
  readonly text: string
}

/** Budgets that can never count anything, and targets that say nothing. */
export function budgetWarnings(settings: ExplainSettings, tools: BudgetWordsTools): BudgetWarning[] {
  const { budgets, budgetRowsMax } = settings
  const named = budgets.filter(isLiteral).reduce((sum, { targets }) => sum + targets.length, 0)
  return [
    ...budgets.flatMap((budget, at) =>
      [...whyNever(budget, settings, tools), ...budget.targets.flatMap((target) => [...whyIdle(target, budget)])].map(
        (text) => ({ at, text })
      )
    ),
    ...(named > budgetRowsMax
      ? [
          {
            text: `operations named here have ${named} targets, explain.budget_rows_max is ${budgetRowsMax}: the rest will not be counted.`
          }
        ]
      : [])
  ]
}

function* whyNever(budget: Budget, settings: ExplainSettings, { counted }: BudgetWordsTools): Generator<string> {
  const { service, operation } = budget
  const written = counted(operation)
  if (written !== operation) {
    yield `it never matches: operations have ids and numbers written as {id}; say ${JSON.stringify(written)}.`
  }
  const rule = settings.classes.find(({ match }) => globsMeet(match, `${service}/${operation}`))
  if (rule !== undefined && classes.indexOf(rule.class) > RequestClass.message) {
    if (globCovers(rule.match, `${service}/${operation}`)) {
      yield `it never counts: explain.classes makes these operations ${rule.class}, and only request and message have budgets.`
    }
  }
  const sampling = settings.samplings.find((rule) => globsMeet(rule.service, service))
  if (sampling?.kind === 'tail' && globCovers(sampling.service, service)) {
    yield 'it never counts: explain.sampling says that these traces were chosen by how they went (tail).'
  }
}

function* whyIdle(target: BudgetTarget, { targets }: Budget): Generator<string> {
  const { name, thresholdNs } = target
  if (thresholdNs < RESOLUTION_NS) {
    yield `${name}: ${durationWords(thresholdNs)} is less than the clocks of spans tell (0.001ms at best), so nearly all requests will be over.`
  }
  const stricter = targets.find((other) => isImplied(target, other))
  if (stricter !== undefined) {
    yield `${name} adds nothing: ${stricter.name} allows no more requests over ${durationWords(stricter.thresholdNs)}.`
  }
}

/** Whoever keeps `other` keeps `target`: a phase is no longer than its request. */
function isImplied(target: BudgetTarget, other: BudgetTarget): boolean {
  if (other === target || (other.phase !== WHOLE_REQUEST && other.phase !== target.phase)) return false
  return other.thresholdNs <= target.thresholdNs && other.allowedRatio <= target.allowedRatio
}

function winners(budgets: readonly Budget[], at: number): string[] {
  const budget = budgets[at] as Budget
  const above = [...budgets.entries()].filter(
    ([i, other]) =>
      i !== at &&
      (bySpecificity(other, budget) || i - at) < 0 &&
      globsMeet(other.service, budget.service) &&
      globsMeet(other.operation, budget.operation)
  )
  if (above.length === 0) return []
  const shown = above.slice(0, WINNERS_SHOWN).map(([i, other]) => `${i + 1} (${spell(other)})`)
  const rest = above.length > WINNERS_SHOWN ? ` or ${above.length - WINNERS_SHOWN} others` : ''
  return [`   Where it meets ${shown.join(', ')}${rest}, that one wins.`]
}

const spell = ({ service, operation }: Budget): string =>
  `service ${JSON.stringify(service)}, operation ${JSON.stringify(operation)}`

const targetWords = ({ name, thresholdNs, allowedRatio }: BudgetTarget): string =>
  `${name} within ${durationWords(thresholdNs)} for all but ${Number((allowedRatio * 100).toPrecision(6))} %`

/** As in the settings: 1.5s, 250ms, 0.25ms. */
export function durationWords(ns: number): string {
  return ns >= 1e9 ? `${ns / 1e9}s` : `${ns / 1e6}ms`
}
