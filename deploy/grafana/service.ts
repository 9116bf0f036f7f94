import { links, type House } from './house.ts'
import { lines, phaseStack, stat, table } from './panels.ts'
import {
  ALL_SHOWN,
  attributedShare,
  blamedSeconds,
  blameExcess,
  excess,
  LATELY,
  lostSeconds,
  phaseExcess,
  rate,
  select,
  threshold
} from './queries.ts'

const matchers = 'service_name="$service"'
const shown = { matchers, over: ALL_SHOWN }
const recently = { matchers, over: LATELY }
const culprit = 'culprit_service_name="$service"'
const OPERATION = 'service_name, operation'

const numbers = [
  stat(
    { title: 'Requests', description: 'Requests of all operations of this service.', unit: 'reqps', width: 6 },
    { expr: rate(select('tail_requests_total', matchers), '$__rate_interval'), legend: 'requests' }
  ),
  stat(
    {
      title: 'Lengthens slow requests by',
      description: 'Seconds in each second by which this service lengthens slow requests, its own roots included.',
      unit: 's',
      width: 6
    },
    { expr: `sum(${blamedSeconds({ matchers: culprit, over: ALL_SHOWN }, 'phase')})`, legend: 'blamed' }
  ),
  stat(
    {
      title: 'Explained',
      description:
        'Share of what its slow requests take longer that evidence explains. Low: this service needs more instrumentation.',
      unit: 'percentunit',
      width: 6
    },
    { expr: attributedShare(shown), legend: 'explained' }
  ),
  stat(
    {
      title: 'Requests with a hole',
      description: 'Requests in a second below which the span of an instrumented peer is missing.',
      unit: 'reqps',
      width: 6
    },
    { expr: rate(select('tail_requests_partial_total', matchers), ALL_SHOWN), legend: 'partial' }
  )
]

const causes = [
  table(
    {
      title: 'Whose slow requests it lengthens',
      description:
        'Root operations and what this service adds to one of their slow requests, by what it was doing and the phase.',
      unit: 's',
      width: 12,
      height: 10
    },
    'Adds to a slow request',
    [
      { label: 'root_service_name', name: 'Slow at', link: links.service('Slow at') },
      { label: 'root_operation', name: 'Operation', link: links.operation('Slow at', 'Operation') },
      { label: 'culprit_operation', name: 'Doing here' },
      { label: 'phase', name: 'Phase' },
      { expr: `${blameExcess({ matchers: culprit, over: ALL_SHOWN })} > 0`, name: 'Adds to a slow request', unit: 's' }
    ]
  ),
  phaseStack(
    {
      title: 'What it lengthens slow requests with',
      description: 'Seconds in each second that this service adds to slow requests of anyone, by phase.',
      unit: 's',
      width: 12,
      height: 10
    },
    { expr: blamedSeconds({ matchers: culprit, over: LATELY }, 'phase'), legend: '{{phase}}' }
  ),
  lines(
    {
      title: 'By where the request began',
      description:
        'Seconds in each second that this service adds to slow requests, by root operation; the ten largest.',
      unit: 's',
      width: 24
    },
    {
      expr: `topk(10, ${blamedSeconds({ matchers: culprit, over: LATELY }, 'root_service_name, root_operation')})`,
      legend: '{{root_service_name}} {{root_operation}}'
    }
  )
]

const own = [
  table(
    {
      title: 'Its operations',
      description: 'What one slow request of each takes longer than a usual one. Waiting for peers is downstream here.',
      unit: 's',
      width: 24,
      height: 10
    },
    'Excess of a slow request',
    [
      { label: 'operation', name: 'Operation', link: links.operation('Service', 'Operation') },
      { label: 'service_name', name: 'Service' },
      { expr: excess(shown), name: 'Excess of a slow request', unit: 's' },
      { label: 'phase', name: 'Largest phase' },
      { expr: `topk by (${OPERATION}) (1, ${phaseExcess(shown)})`, name: 'Its excess', unit: 's' },
      { expr: threshold('0.5', matchers), name: 'p50', unit: 's' },
      { expr: threshold('0.99', matchers), name: 'p99', unit: 's' },
      { expr: rate(select('tail_requests_total', matchers), ALL_SHOWN, OPERATION), name: 'Requests', unit: 'reqps' }
    ]
  ),
  phaseStack(
    {
      title: 'Lost in its own slow requests',
      description: 'Seconds in each second that slow requests of this service took longer than its usual ones.',
      unit: 's',
      width: 24
    },
    { expr: lostSeconds(recently, 'phase'), legend: '{{phase}}' }
  )
]

export const service: House = {
  uid: 'tailspan-service',
  title: 'Service',
  description: 'Whose tails a service causes, and its own.',
  variables: ['service', 'window'],
  sections: [
    { title: 'Now', panels: numbers },
    { title: 'The tails it causes', panels: causes },
    { title: 'Its own tails', panels: own }
  ]
}
