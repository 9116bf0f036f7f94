import { phases } from '../../src/model/phases.ts'
import { links, type House } from './house.ts'
import { lines, phaseStack, stack, stat, table, waterfall } from './panels.ts'
import {
  ALL_SHOWN,
  attributedShare,
  blameExcess,
  burnRate,
  excess,
  LATELY,
  overBudgetMean,
  patternExcess,
  phaseExcess,
  phaseMean,
  quantile,
  rate,
  ratio,
  select,
  shares,
  threshold,
  waterfallFloor,
  waterfallSteps
} from './queries.ts'

const matchers = 'service_name="$service",operation="$operation"'
const shown = { matchers, over: ALL_SHOWN }
const recently = { matchers, over: LATELY }
const asRoot = { matchers: 'root_service_name="$service",root_operation="$operation"', over: ALL_SHOWN }
const requests = (over: string, by = ''): string => rate(select('tail_requests_total', matchers), over, by)

const numbers = [
  stat(
    { title: 'Requests', description: 'Requests of this operation.', unit: 'reqps', width: 5 },
    { expr: requests('$__rate_interval'), legend: 'requests' }
  ),
  stat(
    {
      title: 'p50',
      description: 'Half of the requests are faster. Exact to 1.1 %, over the last ten minutes.',
      unit: 's',
      width: 4
    },
    { expr: threshold('0.5', matchers), legend: 'p50' }
  ),
  stat(
    {
      title: 'p99',
      description: 'Requests above it are the tail. Exact to 1.1 %, over the last ten minutes.',
      unit: 's',
      width: 5
    },
    { expr: threshold('0.99', matchers), legend: 'p99' }
  ),
  stat(
    {
      title: 'Excess of a slow request',
      description: 'What a request above p99 takes longer than one at or below p50, on average over the time shown.',
      unit: 's',
      width: 5
    },
    { expr: excess(shown), legend: 'excess' }
  ),
  stat(
    { title: 'Explained', description: 'Share of that excess that evidence explains.', unit: 'percentunit', width: 5 },
    { expr: attributedShare(shown), legend: 'explained' }
  )
]

const latency = [
  lines(
    {
      title: 'Duration, with slow requests to open',
      description:
        'Quantiles of the histogram. A dot is a request whose trace Tailspan kept: open it there or in the trace store.',
      unit: 's',
      width: 12
    },
    ...[0.5, 0.95, 0.99].map((q) => ({
      expr: quantile(q, 'tail_request_duration_seconds', matchers, ''),
      legend: `p${q * 100}`,
      ...(q === 0.99 && { exemplars: true as const })
    }))
  ),
  lines(
    {
      title: 'Where the bands begin',
      description: 'Thresholds that part usual from slow requests. Each replica has its own; the largest is shown.',
      unit: 's',
      width: 12
    },
    ...['0.5', '0.95', '0.99', '0.999'].map((q) => ({ expr: threshold(q, matchers), legend: `p${Number(q) * 100}` }))
  ),
  stack(
    {
      title: 'Requests by band',
      description:
        'How many requests stood where in the distribution. `none` is before the operation had 200 requests.',
      unit: 'reqps',
      width: 12
    },
    { expr: requests('$__rate_interval', 'band'), legend: '{{band}}' }
  ),
  lines(
    {
      title: 'Requests that did not go well',
      description: 'Shares of errors and timeouts. They are kept out of what counts as a usual request.',
      unit: 'percentunit',
      width: 12
    },
    ...['error', 'timeout'].map((outcome) => ({
      expr: ratio(
        rate(select('tail_requests_total', `outcome="${outcome}"`, matchers), '$__rate_interval'),
        requests('$__rate_interval')
      ),
      legend: outcome
    }))
  )
]

const why = [
  phaseStack(
    {
      title: 'A usual request',
      description: 'What a request at or below p50 that went well spends its time on.',
      unit: 's',
      width: 8
    },
    { expr: `sum by (phase) ${phaseMean('le_p50', recently)}`, legend: '{{phase}}' }
  ),
  phaseStack(
    { title: 'A slow request', description: 'What a request above p99 spends its time on.', unit: 's', width: 8 },
    { expr: `sum by (phase) ${phaseMean('gt_p99', recently)}`, legend: '{{phase}}' }
  ),
  waterfall(
    {
      title: 'From a usual request to a slow one',
      description:
        'Each bar is what a phase adds, on average over the time shown. Phases that a slow request spends less on are left out, so the bars may end beyond it.',
      unit: 's',
      width: 8
    },
    waterfallFloor(phases, shown),
    waterfallSteps(phases, shown)
  ),
  lines(
    {
      title: 'Excess by phase',
      description: 'What a slow request spends more than a usual one. Below zero: a slow request spends less on it.',
      unit: 's',
      width: 12
    },
    { expr: `sum by (phase) ${phaseExcess(recently)}`, legend: '{{phase}}' }
  ),
  stack(
    {
      title: 'How sure the phases of slow requests are',
      description:
        'Time of slow requests by the grade of its evidence: measured by the service, inferred from neighbouring spans, or estimated from runtime metrics; in seconds of each request.',
      unit: 's',
      width: 12
    },
    {
      expr: shares(
        rate(select('tail_phase_evidence_seconds_total', matchers), LATELY, 'grade'),
        rate(select('tail_requests_total', 'band="gt_p99"', matchers), LATELY)
      ),
      legend: '{{grade}}'
    },
    {
      expr: `sum(${phaseMean('gt_p99', { ...recently, phases: 'phase="unattributed"' })})`,
      legend: 'unattributed'
    }
  )
]

const who = [
  table(
    {
      title: 'Culprits of this operation',
      description:
        'Critical-path time of a slow request minus that of a usual one, by who spent it. Only of requests that began here.',
      unit: 's',
      width: 24
    },
    'Adds to a slow request',
    [
      { label: 'culprit_service_name', name: 'Culprit', link: links.service('Culprit') },
      { label: 'culprit_operation', name: 'Doing' },
      { label: 'phase', name: 'Phase' },
      {
        expr: `sum by (culprit_service_name, culprit_operation, phase) (${blameExcess(asRoot)} > 0)`,
        name: 'Adds to a slow request',
        unit: 's'
      }
    ]
  ),
  lines(
    {
      title: 'Retries, hedges and stragglers',
      description:
        'Critical-path time that these cost a slow request more than a usual one. It is in the phases too, mostly as downstream.',
      unit: 's',
      width: 12
    },
    { expr: `sum by (pattern) ${patternExcess(recently)}`, legend: '{{pattern}}' }
  ),
  lines(
    {
      title: 'Requests with a hole',
      description:
        'Share of requests below which the span of an instrumented peer is missing: their wait for it is less certain.',
      unit: 'percentunit',
      width: 12
    },
    {
      expr: ratio(rate(select('tail_requests_partial_total', matchers), LATELY), requests(LATELY)),
      legend: 'partial'
    }
  )
]

const budgets = [
  lines(
    {
      title: 'Burn of each budget',
      description:
        'Share of requests over the target divided by the share that is allowed. Above 1 the budget shrinks.',
      unit: 'short',
      width: 12
    },
    { expr: burnRate(recently), legend: '{{budget}}' }
  ),
  lines(
    {
      title: 'What requests over budget spend',
      description: 'Seconds of each phase in a request over a target, on average, by target.',
      unit: 's',
      width: 12
    },
    { expr: overBudgetMean(recently), legend: '{{budget}}: {{phase}}' }
  )
]

export const operation: House = {
  uid: 'tailspan-operation',
  title: 'Operation',
  description: 'Why the slowest requests of one operation are slow.',
  variables: ['service', 'operation', 'window'],
  sections: [
    { title: 'Now', panels: numbers },
    { title: 'Latency', panels: latency },
    { title: 'Why slow requests are slow', panels: why },
    { title: 'Who makes them slow', panels: who },
    { title: 'Budgets', panels: budgets }
  ]
}
