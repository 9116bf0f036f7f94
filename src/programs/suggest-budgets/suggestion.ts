import { type BudgetQuantile, budgetQuantiles } from '../../model/budgets.ts'

/** What was seen of one operation. */
export interface Observed {
  readonly service: string
  readonly operation: string
  readonly class: string
  /** Requests seen. */
  readonly requests: number
  readonly quantilesNs: Readonly<Record<BudgetQuantile, number | null>>
  /** Why nothing can be said of it, whatever was seen. */
  readonly unfit?: string
}

export interface SuggestedTarget {
  readonly quantile: BudgetQuantile
  readonly seenNs: number
  readonly targetNs: number
}

export interface Suggestion {
  readonly service: string
  readonly operation: string
  readonly requests: number
  readonly targets: readonly SuggestedTarget[]
}

export interface Suggestions {
  /** The busiest operations first. */
  readonly suggested: readonly Suggestion[]
  readonly leftOut: readonly { readonly service: string; readonly operation: string; readonly why: string }[]
}

/** A target is what was seen and this much more: it must not be broken on an ordinary day. */
const HEADROOM = 1.1
/** Targets that a person would set. */
const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]

/** Fewest requests whose q-quantile has a 95 % interval with two ends (of order statistics): 72 for p95, 368 for p99. */
export function requestsNeeded(quantile: BudgetQuantile): number {
  return Math.ceil(Math.log(0.025) / Math.log(1 - budgetQuantiles[quantile]))
}

export function suggest(observed: readonly Observed[], wanted: readonly BudgetQuantile[]): Suggestions {
  const suggested: Suggestion[] = []
  const leftOut: Suggestions['leftOut'][number][] = []
  for (const operation of observed) {
    const why = whyNot(operation, wanted)
    const { service, operation: name, requests } = operation
    if (why !== undefined) leftOut.push({ service, operation: name, why })
    else suggested.push({ service, operation: name, requests, targets: targetsOf(operation, wanted) })
  }
  suggested.sort((a, b) => b.requests - a.requests)
  return { suggested, leftOut }
}

function whyNot(operation: Observed, wanted: readonly BudgetQuantile[]): string | undefined {
  if (operation.unfit !== undefined) return operation.unfit
  if (operation.class !== 'request' && operation.class !== 'message')
    return `${operation.class} operations have no budgets`
  if (targetsOf(operation, wanted).length > 0) return undefined
  const needed = Math.min(...wanted.map(requestsNeeded))
  return `too few requests: ${operation.requests}, at least ${needed} are needed`
}

function targetsOf({ requests, quantilesNs }: Observed, wanted: readonly BudgetQuantile[]): SuggestedTarget[] {
  return wanted.flatMap((quantile) => {
    const seenNs = quantilesNs[quantile]
    if (seenNs === null || requests < requestsNeeded(quantile)) return []
    return [{ quantile, seenNs, targetNs: roundUp(seenNs * HEADROOM) }]
  })
}

/** The next round duration, from a microsecond up. */
export function roundUp(ns: number): number {
  const size = 10 ** Math.max(3, Math.floor(Math.log10(ns)))
  const step = ROUND.find((one) => one * size >= ns) ?? 10
  return Math.round(step * size)
}
