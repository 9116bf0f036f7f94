import { boundaryComponents } from '../../src/model/boundaries.ts'
import { type House, links } from './house.ts'
import { lines, stat, table } from './panels.ts'
import { ALL_SHOWN, histogramMean, histogramRate, LATELY, quantile } from './queries.ts'

const BOUNDARY = 'tail_boundary_seconds'
const LANGUAGES = 'caller_language, callee_language'
const EDGE = `caller_service_name, ${LANGUAGES}, callee_service_name, component`
const TAIL = 'band="gt_p99"'
const BODY = 'band="le_p50"'
const WORST = 10

const mean = (band: string, over: string, by: string): string =>
  `(${histogramMean(BOUNDARY, { matchers: band, over }, by)})`
const excess = (over: string, by: string): string => `${mean(TAIL, over, by)}\n- ${mean(BODY, over, by)}`

const says = {
  network: 'the wire, the accept backlog, and the far runtime before its span began',
  marshalling: 'encoding, decoding, and handing over within a process (FFI)',
  queue: 'waiting on the far side for a turn'
} as const

const components = boundaryComponents.map((component) =>
  stat(
    {
      title: `Slow requests: ${component}`,
      description: `Mean of one crossing in requests above p99: ${says[component]}.`,
      unit: 's',
      width: 8
    },
    {
      expr: histogramMean(BOUNDARY, { matchers: `${TAIL},component="${component}"`, over: ALL_SHOWN }, ''),
      legend: component
    }
  )
)

const edges = table(
  {
    title: 'Edges by what crossing adds to slow requests',
    description:
      'From which service and language to which, and what network, marshalling and queue there take in slow requests more than in usual ones, for one call.',
    unit: 's',
    width: 24,
    height: 11
  },
  'More in slow requests',
  [
    { label: 'caller_service_name', name: 'From', link: links.service('From') },
    { label: 'caller_language', name: 'In' },
    { label: 'callee_service_name', name: 'To', link: links.service('To') },
    { label: 'callee_language', name: 'Written in' },
    { label: 'component', name: 'What' },
    { expr: excess(ALL_SHOWN, EDGE), name: 'More in slow requests', unit: 's' },
    { expr: mean(BODY, ALL_SHOWN, EDGE), name: 'Usual', unit: 's' },
    { expr: mean(TAIL, ALL_SHOWN, EDGE), name: 'Slow', unit: 's' }
  ]
)

const languages = [
  lines(
    {
      title: 'Between languages: a usual request',
      description: 'Mean of one crossing in requests at or below p50, by the languages on both sides.',
      unit: 's',
      width: 12
    },
    {
      expr: mean(BODY, LATELY, `${LANGUAGES}, component`),
      legend: '{{caller_language}} to {{callee_language}}: {{component}}'
    }
  ),
  lines(
    {
      title: 'Between languages: a slow request',
      description: 'Mean of one crossing in requests above p99, by the languages on both sides.',
      unit: 's',
      width: 12
    },
    {
      expr: mean(TAIL, LATELY, `${LANGUAGES}, component`),
      legend: '{{caller_language}} to {{callee_language}}: {{component}}'
    }
  ),
  lines(
    {
      title: 'Crossings counted',
      description: 'Crossings in a second in usual and slow requests, by the languages on both sides.',
      unit: 'cps',
      width: 12
    },
    { expr: histogramRate(BOUNDARY, '', LANGUAGES), legend: '{{caller_language}} to {{callee_language}}' }
  ),
  lines(
    {
      title: 'The slowest crossings',
      description: `Duration that 95 % of the crossings in slow requests stay below; the ${WORST} slowest edges at each moment.`,
      unit: 's',
      width: 12
    },
    {
      expr: `topk(${WORST}, ${quantile(0.95, BOUNDARY, TAIL, EDGE)})`,
      legend: '{{caller_service_name}} to {{callee_service_name}}: {{component}}'
    }
  )
]

export const boundary: House = {
  uid: 'tailspan-boundary',
  title: 'Boundary',
  description: 'What calls between services and languages (Go, Rust) take beside the work itself.',
  variables: ['window'],
  sections: [
    { title: 'Slow requests', panels: components },
    { title: 'Edges', panels: [edges] },
    { title: 'Languages', panels: languages }
  ]
}
