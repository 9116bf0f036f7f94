import { type AlertingSettings } from '../../settings/alerting.ts'
import { type Alert } from './alert.ts'
import { causeLines, overBudget } from './causes.ts'
import { recorded } from './recording.ts'
import { asker, count, operationName, seconds, share } from './texts.ts'
import { type Span, type Windows } from './windows.ts'

/** The share over budget is this many times what is allowed, in a long window and, so that it is still going on, in a short one. */
interface Burn {
  readonly factor: number
  readonly long: Span
  readonly short: Span
}

/**
 * Google's windows. A budget that allows much cannot burn that fast: 14.4 times the 5 % of a p95 is 72 % of all requests.
 * No factor asks for more than half of the requests to be slow.
 */
const SHARE_MAX = 0.5
const fast: readonly [Burn, Burn] = [
  { factor: 14.4, long: '1h', short: '5m' },
  { factor: 6, long: '6h', short: '30m' }
]
const slow: readonly [Burn, Burn] = [
  { factor: 3, long: '1d', short: '2h' },
  { factor: 1, long: '3d', short: '6h' }
]

/** Below half a request a second the guard of the burn alerts may never be passed. */
const LOW_TRAFFIC = { requestsPerSecondMax: 0.5, overMin: 20, factor: 5 }

const BUDGET = 'service_name, operation, budget'
// A setting that every replica shows.
const ALLOWED = `max by (${BUDGET}) (tail_budget_allowed_ratio)`
const SELF = 'service_name=%[1]q,operation=%[2]q,budget=%[3]q'

const { overRatio, budgetRequests } = recorded
const tooMuch = (span: Span, factor: number): string =>
  `${overRatio(span)} > clamp_max(${factor} * ${ALLOWED}, ${SHARE_MAX})`

export function budgetAlerts(settings: AlertingSettings, windows: Windows): readonly Alert[] {
  const { first } = asker(overBudget('1h').labels)

  const burning = ({ factor, long, short }: Burn): string =>
    [tooMuch(long, factor), tooMuch(short, factor), `${budgetRequests(long)} > ${settings.requestsMin}`]
      .map((line) => `  ${line}`)
      .join('\n  and\n')

  const burnExpr = (burns: readonly Burn[]): string => burns.map((burn) => `(\n${burning(burn)}\n)`).join('\nor\n')

  const limit = first(`max(tail_budget_threshold_seconds{${SELF}})`, seconds, 'its target')
  /** Of a whole request, or of one phase: the budget is called `p99`, or `p99:queue_wait`. */
  const tookLonger = `{{ if match ":" $labels.budget }}spent more than ${limit} in {{ reReplaceAll "^.*:" "" $labels.budget }}{{ else }}took longer than ${limit}{{ end }}`

  const inShort = `{{ $value | humanizePercentage }} of its requests ${tookLonger}.`

  const shareIn = (span: Span): string =>
    first(
      `${overRatio(span)}{${SELF}}`,
      `In the last ${windows.words(span)} ${share}` +
        first(`${budgetRequests(span)}{${SELF}}`, ` of its ${count} requests`) +
        ` ${tookLonger}; `
    ) + first(`max(tail_budget_allowed_ratio{${SELF}})`, `only ${share} may.`)

  const alsoIn = (span: Span): string =>
    first(`${overRatio(span)}{${SELF}}`, ` In the last ${windows.words(span)} it was ${share}.`)

  function describe([one, other]: readonly [Burn, Burn] | readonly [Burn], causeSpan: '1h' | '1d'): string {
    const more = other === undefined ? '' : alsoIn(other.long)
    return `${shareIn(one.long)}${more}${causeLines(overBudget(causeSpan), windows)}`
  }

  return [
    {
      name: 'TailBudgetBurnFast',
      severity: 'critical',
      subject: 'operation',
      expr: burnExpr(fast),
      summary: `${operationName} is far over its budget {{ $labels.budget }}: ${inShort}`,
      description: describe(fast, '1h')
    },
    {
      name: 'TailBudgetBurnSlow',
      severity: 'warning',
      subject: 'operation',
      expr: burnExpr(slow),
      summary: `${operationName} keeps going over its budget {{ $labels.budget }}: ${inShort}`,
      description: describe(slow, '1d')
    },
    {
      name: 'TailBudgetLowTraffic',
      severity: 'warning',
      subject: 'operation',
      expr: lowTrafficExpr(windows),
      for: windows.length('1h'),
      summary: `${operationName} has few requests, and too many of them are over its budget {{ $labels.budget }}: ${inShort}`,
      description: describe([{ factor: LOW_TRAFFIC.factor, long: '6h', short: '6h' }], '1d')
    }
  ]
}

function lowTrafficExpr(windows: Windows): string {
  const over = `sum by (${BUDGET}) (increase(tail_budget_requests_total{result="over"}[${windows.length('6h')}]))`
  const requestsMax = LOW_TRAFFIC.requestsPerSecondMax * windows.seconds('6h')
  return [
    tooMuch('6h', LOW_TRAFFIC.factor),
    `${budgetRequests('6h')} < ${requestsMax}`,
    `${over} >= ${LOW_TRAFFIC.overMin}`
  ].join('\nand\n')
}
