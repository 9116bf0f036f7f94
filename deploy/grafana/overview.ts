import { links, type House } from './house.ts'
import { lines, phaseStack, stat, table } from './panels.ts'
import {
  advisedSeconds,
  ALL_SHOWN,
  attributedShare,
  blameExcess,
  budgetSetting,
  burnRate,
  excess,
  LATELY,
  lostSeconds,
  overBudget,
  phaseExcess,
  rate,
  ratio,
  select,
  threshold
} from './queries.ts'

const everywhere = { matchers: '', over: ALL_SHOWN }
const recently = { matchers: '', over: LATELY }
const OPERATION = 'service_name, operation'
const WORST = 10

const numbers = [
  stat(
    { title: 'Requests', description: 'Requests of all operations.', unit: 'reqps', width: 6 },
    { expr: rate('tail_requests_total', '$__rate_interval'), legend: 'requests' }
  ),
  stat(
    {
      title: 'Operations with a known tail',
      description: 'Operations that had 200 requests within the window of Tailspan, so that their p99 is known.',
      unit: 'short',
      width: 6
    },
    { expr: `count(${threshold('0.99', '')})`, legend: 'operations' }
  ),
  stat(
    {
      title: 'Lost to tails',
      description:
        'Seconds in each second that slow requests took longer than usual ones: the mean excess times the slow requests, over all operations. A caller counts the wait for its callee too.',
      unit: 's',
      width: 6
    },
    { expr: lostSeconds(everywhere), legend: 'lost' }
  ),
  stat(
    {
      title: 'Explained',
      description:
        'Share of that time that evidence explains. The rest is unattributed: the companion libraries or rules of your own explain more of it.',
      unit: 'percentunit',
      width: 6
    },
    { expr: attributedShare(everywhere), legend: 'explained' }
  )
]

const operations = table(
  {
    title: 'Operations by tail excess',
    description:
      'What one slow request (above p99) takes longer than a usual one (at or below p50), on average over the time shown, and the phase that adds most to it.',
    unit: 's',
    width: 24,
    height: 11
  },
  'Excess of a slow request',
  [
    { label: 'service_name', name: 'Service', link: links.service('Service') },
    { label: 'operation', name: 'Operation', link: links.operation('Service', 'Operation') },
    { expr: excess(everywhere), name: 'Excess of a slow request', unit: 's' },
    { label: 'phase', name: 'Largest phase' },
    { expr: `topk by (${OPERATION}) (1, ${phaseExcess(everywhere)})`, name: 'Its excess', unit: 's' },
    { expr: threshold('0.5', ''), name: 'p50', unit: 's' },
    { expr: threshold('0.99', ''), name: 'p99', unit: 's' },
    { expr: rate('tail_requests_total', ALL_SHOWN, OPERATION), name: 'Requests', unit: 'reqps' },
    {
      expr: ratio(
        rate(select('tail_requests_total', 'outcome!="ok"'), ALL_SHOWN, OPERATION),
        rate('tail_requests_total', ALL_SHOWN, OPERATION)
      ),
      name: 'Errors and timeouts',
      unit: 'percentunit'
    }
  ]
)

const culprits = table(
  {
    title: 'Culprits',
    description:
      'Who lengthens the slow requests of which operation, wherever in the trace: critical-path time of a slow request minus that of a usual one.',
    unit: 's',
    width: 24,
    height: 10
  },
  'Adds to a slow request',
  [
    { label: 'root_service_name', name: 'Slow at', link: links.service('Slow at') },
    { label: 'root_operation', name: 'Operation', link: links.operation('Slow at', 'Operation') },
    { label: 'culprit_service_name', name: 'Culprit', link: links.service('Culprit') },
    { label: 'culprit_operation', name: 'Doing' },
    { label: 'phase', name: 'Phase' },
    { expr: `topk(30, ${blameExcess(everywhere)} > 0)`, name: 'Adds to a slow request', unit: 's' }
  ]
)

const budgets = table(
  {
    title: 'Budgets',
    description:
      'Requests over each target of the settings, over the time shown. Burn 1 uses a budget up just as fast as it may be; alerts fire above it.',
    unit: 'percentunit',
    width: 12,
    height: 10
  },
  'Burn',
  [
    { label: 'service_name', name: 'Service', link: links.service('Service') },
    { label: 'operation', name: 'Operation', link: links.operation('Service', 'Operation') },
    { label: 'budget', name: 'Budget' },
    { expr: burnRate(everywhere), name: 'Burn', unit: 'short' },
    { expr: overBudget(everywhere), name: 'Over', unit: 'percentunit' },
    { expr: budgetSetting('tail_budget_allowed_ratio', ''), name: 'Allowed', unit: 'percentunit' },
    { expr: budgetSetting('tail_budget_threshold_seconds', ''), name: 'Target', unit: 's' }
  ]
)

const advice = table(
  {
    title: 'What would explain more',
    description:
      'The one switch in a service that would explain most of what its slow requests lose to nobody knows what, and how much that is in each second.',
    unit: 's',
    width: 12,
    height: 10
  },
  'Unattributed',
  [
    { label: 'service_name', name: 'Service', link: links.service('Service') },
    { label: 'operation', name: 'Operation', link: links.operation('Service', 'Operation') },
    { label: 'advice', name: 'Do' },
    { expr: advisedSeconds(everywhere), name: 'Unattributed', unit: 's' }
  ]
)

const overTime = [
  lines(
    {
      title: 'Excess of a slow request',
      description: `The ${WORST} operations with the largest excess at each moment.`,
      unit: 's',
      width: 12
    },
    { expr: `topk(${WORST}, ${excess(recently)})`, legend: '{{service_name}} {{operation}}' }
  ),
  phaseStack(
    {
      title: 'Lost to tails, by phase',
      description: 'Seconds in each second that slow requests took longer than usual ones, by what the time went to.',
      unit: 's',
      width: 12
    },
    { expr: lostSeconds(recently, 'phase'), legend: '{{phase}}' }
  )
]

export const overview: House = {
  uid: 'tailspan-overview',
  title: 'Overview',
  description: 'Which operations have a tail, what it is made of, and who makes it.',
  variables: ['window'],
  sections: [
    { title: 'Now', panels: numbers },
    { title: 'Where to look', panels: [operations, culprits, budgets, advice] },
    { title: 'Over time', panels: overTime }
  ]
}
