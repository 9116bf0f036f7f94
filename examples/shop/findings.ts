import { type PhaseName } from '../../src/model/phases.ts'
import { type OperationSummary, type TailSummary } from '../../src/explain/index.ts'
import { type Exposition } from '../../test/builders/prometheus-text.ts'
import { readBlameExcess, readOperations } from '../../test/demo/readings.ts'
import { type Truth } from './causes.ts'
import { withoutWireName } from './truth/phase-times.ts'

/** Who is said to make purchases slow, and how much of their excess over the body that is, 0 to 1. */
export interface Finding {
  readonly service: string
  readonly phase: PhaseName
  readonly share: number
}

export interface Findings {
  /** Along the critical path of the slowest purchases. */
  readonly whole: Finding | undefined
  /** In the tails of the service's own operations, wherever it was asked for. */
  readonly local: Finding | undefined
}

/** The requests that all services take part in. */
export const PURCHASE = { service: 'gateway', operation: 'GET /buy/{item}' } as const

interface Excess {
  readonly service: string
  readonly phase: PhaseName
  /** In any unit, as long as it is the same for all. */
  readonly amount: number
}

export function findOnMetrics(exposition: Exposition, service: string): Findings {
  const blame = readBlameExcess(exposition)
    .filter(({ root }) => isPurchase(root))
    .map(({ culprit, phase, seconds }) => ({ service: culprit.service, phase, amount: seconds }))
  const own = readOperations(exposition, new Map())
    .filter((operation) => operation.service === service)
    .flatMap(({ requests, excess }) =>
      excess.map(({ phase, seconds }) => ({ service, phase, amount: requests * seconds }))
    )
  return { whole: largest(blame), local: largest(own) }
}

/** From what `analyze --json` printed. */
export function findInAnalysis(
  { blame, operations }: Pick<TailSummary, 'operations' | 'blame'>,
  service: string
): Findings {
  const whole = blame
    .filter(({ root }) => isPurchase(root))
    .map(({ culprit, excess_mean_ns: amount }) => ({ service: culprit.service, phase: culprit.phase, amount }))
  const own = operations.filter((operation) => operation.service === service).flatMap(excessOf)
  return { whole: largest(whole), local: largest(own) }
}

/** Whether it is what was injected. Time on the wire to somebody without spans is told from theirs by nobody. */
export const isRight = (finding: Finding | undefined, truth: Truth): boolean =>
  finding?.service === truth.service && withoutWireName(finding.phase) === withoutWireName(truth.phase)

const isPurchase = (root: { readonly service: string; readonly operation: string }): boolean =>
  root.service === PURCHASE.service && root.operation === PURCHASE.operation

function excessOf({ service, requests, excess_mean_ns: excess }: OperationSummary): Excess[] {
  if (excess === null) return []
  return Object.entries(excess).map(([phase, ns]) => ({ service, phase: phase as PhaseName, amount: requests * ns }))
}

/** Of each service and phase together, whatever the operation. */
function largest(excess: readonly Excess[]): Finding | undefined {
  const sums = new Map<string, Excess>()
  for (const { service, phase, amount } of excess) {
    const key = `${service} ${phase}`
    sums.set(key, { service, phase, amount: (sums.get(key)?.amount ?? 0) + amount })
  }
  const positive = [...sums.values()].filter(({ amount }) => amount > 0).toSorted((a, b) => b.amount - a.amount)
  const sum = positive.reduce((total, { amount }) => total + amount, 0)
  return positive[0] && { service: positive[0].service, phase: positive[0].phase, share: positive[0].amount / sum }
}
