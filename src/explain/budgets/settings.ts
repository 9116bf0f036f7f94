import { z } from 'zod'
import {
  type Budget,
  type BudgetQuantile,
  budgetQuantiles,
  type BudgetTarget,
  WHOLE_REQUEST
} from '../../model/budgets.ts'
import { Phase, phases } from '../../model/phases.ts'
import { durationMs, section, shareRatio } from '../../runtime/setting-kinds.ts'

const NS_PER_MS = 1e6
/** More entries than this are a policy that globs should say. */
const BUDGETS_MAX = 200

const pattern = z.string().min(1).max(512)
// What nothing proves cannot be promised.
const promised = phases.slice(0, Phase.unattributed)

const thresholdNs = durationMs.transform((ms, context): number => {
  const ns = Math.round(ms * NS_PER_MS)
  if (ns >= 1) return ns
  context.addIssue({ code: 'custom', message: 'expected at least a nanosecond (0.000001ms): clocks tell nothing less' })
  return z.NEVER
})
const allowed = shareRatio.refine((ratio) => ratio > 0 && ratio < 1, 'expected a share between 0% and 100%')

interface Aim {
  readonly thresholdNs: number
  readonly allowedRatio?: number
}
type Aims = Readonly<Partial<Record<BudgetQuantile, Aim | undefined>>>

const targetOf = (share: string) =>
  z
    .union([
      thresholdNs.transform((ns): Aim => ({ thresholdNs: ns })),
      section({
        target: thresholdNs.describe('How long a request may take.'),
        allowed: allowed.describe('Share of the requests that may take longer.')
      }).transform((given): Aim => ({ thresholdNs: given.target, allowedRatio: given.allowed }))
    ])
    .optional()
    .describe(share)

const aims = {
  p50: targetOf('Half of the requests take at most this long.'),
  p95: targetOf('All but 5 % of the requests take at most this long.'),
  p99: targetOf('All but 1 %. Another share than the usual: {target: 250ms, allowed: 0.5%}.'),
  'p99.9': targetOf('All but 0.1 %.')
}

const phaseAims = section(
  Object.fromEntries(promised.map((phase) => [phase, section(aims).optional().describe(`Of ${phase}.`)]))
)

const budget = section({
  service: pattern.describe('The service as in the label service_name, * for any run of characters.'),
  operation: pattern.default('*').describe('The operation, likewise: "GET /buy*".'),
  ...aims,
  phases: phaseAims
    .optional()
    .describe('The same of single phases: {queue_wait: {p99: 20ms}}. What no evidence proves counts as none.')
}).transform(({ service, operation, phases: ofPhases, ...whole }, context): Budget => {
  const targets = [
    ...targetsOf(whole, WHOLE_REQUEST),
    ...promised.flatMap((name, phase) => targetsOf((ofPhases?.[name] ?? {}) as Aims, phase))
  ]
  if (targets.length === 0 && context.issues.length === 0) {
    context.addIssue({ code: 'custom', message: 'no target; say p99: 250ms, for example' })
  }
  return { service, operation, targets }
})

function targetsOf(given: Aims, phase: number): BudgetTarget[] {
  const suffix = phase === WHOLE_REQUEST ? '' : `:${phases[phase] ?? ''}`
  return Object.entries(budgetQuantiles).flatMap(([quantile, share]) => {
    const aim = given[quantile as BudgetQuantile]
    if (aim === undefined) return []
    return [{ name: quantile + suffix, phase, thresholdNs: aim.thresholdNs, allowedRatio: aim.allowedRatio ?? share }]
  })
}

/** `budgets`: how slow operations may be. */
export const budgetsSection = z
  .array(budget)
  .max(BUDGETS_MAX)
  .superRefine((budgets, context) => {
    const seen = new Map<string, number>()
    for (const [i, { service, operation }] of budgets.entries()) {
      // `**` matches what `*` does.
      const key = JSON.stringify([service, operation].map((glob) => glob.replace(/\*+/g, '*')))
      const first = seen.get(key)
      if (first === undefined) seen.set(key, i)
      else {
        const message = `never matches: budgets[${first}] has the same service and operation; say all targets there`
        context.addIssue({ code: 'custom', path: [i], message })
      }
    }
  })
