import { type House } from './house.ts'
import { lines, phaseStack, stack, table } from './panels.ts'
import { ALL_SHOWN, LATELY, lostSeconds, phaseExcess, rate, select } from './queries.ts'

/** Phases that a runtime causes: the pool, the scheduler, the collector, the allocator. */
const runtimePhases = 'phase=~"queue_wait|scheduling|gc|allocator"'
const recently = { matchers: '', phases: runtimePhases, over: LATELY }
const runtimePhase = (phase: string): string =>
  `sum by (service_name) ${phaseExcess({ ...recently, phases: `phase="${phase}"` })}`

const costs = [
  phaseStack(
    {
      title: 'Lost to runtimes',
      description:
        'Seconds in each second that slow requests of all services took longer because of pools, schedulers, garbage collectors and allocators.',
      unit: 's',
      width: 12
    },
    { expr: lostSeconds(recently, 'phase'), legend: '{{phase}}' }
  ),
  table(
    {
      title: 'Services whose runtime costs most',
      description: 'Seconds in each second lost by slow requests of a service to its own runtime, by phase.',
      unit: 's',
      width: 12
    },
    'Lost',
    [
      { label: 'service_name', name: 'Service' },
      { label: 'phase', name: 'Phase' },
      {
        expr: `topk(20, ${lostSeconds({ ...recently, over: ALL_SHOWN }, 'service_name, phase')} > 0)`,
        name: 'Lost',
        unit: 's'
      }
    ]
  ),
  ...[
    [
      'queue_wait',
      'Waiting for a turn',
      'Worker pools, channels, connection pools, semaphores: too small, or held too long.'
    ],
    [
      'scheduling',
      'Ready, but not running',
      'Goroutines or tasks woken late: too few threads or cores, a blocked worker, CPU throttling.'
    ],
    [
      'gc',
      'Stopped by the collector',
      'Go: stop-the-world and mark assist. GOGC, GOMEMLIMIT and fewer allocations help.'
    ],
    [
      'allocator',
      'In the allocator',
      'Rust, and Go where a service measures it: contention or large allocations on the way.'
    ]
  ].map(([phase = '', title = '', description = '']) =>
    lines(
      {
        title,
        description: `${description} What a slow request has more of it than a usual one, summed over a service's operations.`,
        unit: 's',
        width: 12,
        height: 7
      },
      { expr: `topk(10, ${runtimePhase(phase)})`, legend: '{{service_name}}' }
    )
  )
]

const evidence = [
  stack(
    {
      title: 'How runtime phases are known',
      description: 'Time of slow requests in these phases by the grade of its evidence, in seconds of each second.',
      unit: 's',
      width: 8
    },
    { expr: rate(select('tail_phase_evidence_seconds_total', runtimePhases), LATELY, 'grade'), legend: '{{grade}}' }
  ),
  lines(
    {
      title: 'Runtime metrics that come',
      description:
        'Points of Go, tokio and cgroup metrics accepted and of no use, in a second. None: no service exports them here.',
      unit: 'cps',
      width: 8
    },
    { expr: rate('tail_metric_points_received_total', '$__rate_interval'), legend: 'accepted' },
    { expr: rate('tail_runtime_points_ignored_total', '$__rate_interval', 'reason'), legend: 'ignored: {{reason}}' }
  ),
  lines(
    {
      title: 'Runtime figures at hand',
      description:
        'Questions in a second for the runtime figures of a process whose spans are judged, by whether there was an answer.',
      unit: 'cps',
      width: 8
    },
    { expr: rate('tail_runtime_readings_total', LATELY, 'result'), legend: '{{result}}' }
  )
]

export const runtime: House = {
  uid: 'tailspan-runtime',
  title: 'Runtime',
  description: 'What Go and tokio runtimes, pools and allocators cost slow requests, and how that is known.',
  variables: ['window'],
  sections: [
    { title: 'What it costs', panels: costs },
    { title: 'How it is known', panels: evidence }
  ]
}
