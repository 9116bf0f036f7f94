import { testWith } from './prometheus.ts'
import { expectRules, tailspanIsUp, type Firing, type Series } from './rule-case.ts'

const rulesTest = testWith('promtool')

const MINUTES = 60

/** A counter that grows by this much a minute, on each of these replicas. */
function counter(name: string, labels: Record<string, string>, aMinute: number, instances = ['a:9464']): Series[] {
  const values = Array.from({ length: MINUTES + 1 }, (_, minute) => minute * aMinute)
  return instances.map((instance) => ({ name, labels: { ...labels, instance, job: 'tailspan' }, values }))
}

function expectAlerts(series: readonly Series[], fires: Record<string, readonly Firing[]>): void {
  expectRules({ series: [tailspanIsUp(MINUTES), ...series], minute: MINUTES, fires })
}

const spans = (lateAMinute: number): Series[] => [
  ...counter('tail_spans_received_total', {}, 10_000, ['a:9464', 'b:9464']),
  ...counter('tail_spans_rejected_total', { reason: 'in_future' }, 0, ['a:9464', 'b:9464']),
  ...counter('tail_spans_late_total', { result: 'joined' }, lateAMinute),
  ...counter('tail_spans_late_total', { result: 'ignored' }, lateAMinute),
  ...counter('tail_spans_misfit_total', {}, 0),
  ...counter('tail_spans_over_trace_max_total', {}, 0)
]

rulesTest('lost spans make a ticket above 1 % of both replicas, and a page above 10 %', () => {
  expectAlerts(spans(90), {})
  const lost = (severity: string, summary: string, late: number): Firing => ({
    labels: { severity, lost: 'spans' },
    summary: `${summary} of the spans that services send are missing from the numbers.`,
    description: [`In the last 10 minutes they were refused, or came after their trace was counted. Late: ${late}.`]
  })
  expectAlerts(spans(200), { TailIngestLoss: [lost('warning', '2%', 4000)] })
  expectAlerts(spans(1500), {
    TailIngestLoss: [lost('critical', '15%', 30000), lost('warning', '15%', 30000)]
  })
})

rulesTest('refused export requests are a loss of their own, but not those that ask for no export', () => {
  const requests = (reason: string): Series[] => [
    ...counter('tail_ingest_requests_total', { protocol: 'grpc' }, 95),
    ...counter('tail_requests_refused_total', { reason }, 5)
  ]
  expectAlerts(requests('not_found'), {})
  expectAlerts(requests('busy'), {
    TailIngestLoss: [
      {
        labels: { severity: 'warning', lost: 'export requests' },
        summary: '5% of the export requests that services send are missing from the numbers.',
        description: [
          'In the last 10 minutes they were refused, or came after their trace was counted. Refused, most often for busy: 50.'
        ]
      }
    ]
  })
})

rulesTest('spans that a destination did not get make a ticket above 1 %, for that destination', () => {
  const destination = (name: string, dropped: number): Series[] => [
    ...counter('tail_forward_spans_total', { destination: name, result: 'sent' }, 1_000 - dropped),
    ...counter('tail_forward_spans_total', { destination: name, result: 'queue_full' }, dropped)
  ]
  expectAlerts(destination('tempo', 5), {})
  expectAlerts([...destination('tempo', 0), ...destination('store', 40)], {
    TailForwardLoss: [
      {
        labels: { severity: 'warning', destination: 'store' },
        summary: '4% of the spans for store were not delivered.',
        description: ['In the last 10 minutes they were dropped. Most often as queue_full: 400.']
      }
    ]
  })
})

rulesTest('traces without a root make a ticket above 5 %', () => {
  const traces = (withoutRoot: number): Series[] => [
    ...counter('tail_traces_closed_total', { reason: 'quiet' }, 100 - withoutRoot),
    ...counter('tail_traces_closed_total', { reason: 'no_root' }, withoutRoot),
    ...counter('tail_traces_closed_total', { reason: 'late_unit' }, 500),
    ...counter('tail_requests_partial_total', { service_name: 'gateway', operation: 'GET /buy' }, 2)
  ]
  expectAlerts(traces(4), {})
  expectAlerts(traces(8), {
    TailTracesIncomplete: [
      {
        labels: { severity: 'warning' },
        summary: '8% of the traces are closed without their root, or before they are whole.',
        description: [
          'Causes found in them may lie in spans that never came. Most often (240 traces in the last 30 minutes) the reason is no_root. Spans of instrumented peers are missing most below gateway: 60 requests.'
        ]
      }
    ]
  })
})

rulesTest('operations without series make a ticket', () => {
  expectAlerts(counter('tail_series_overflow_total', {}, 0), {})
  expectAlerts(counter('tail_series_overflow_total', {}, 3), {
    TailSeriesOverflow: [
      {
        labels: { severity: 'warning' },
        summary: 'More operations than Tailspan keeps series for.',
        description: [
          '45 requests in the last 15 minutes were counted under __other__: their operations have no bands, no blame and no alerts.'
        ]
      }
    ]
  })
})

rulesTest('a Tailspan that does not answer pages, and so does none at all', () => {
  const down = {
    name: 'up',
    labels: { job: 'tailspan', instance: 'b:9464' },
    values: Array<number>(MINUTES + 1).fill(0)
  }
  const firing = (labels: Record<string, string>, summary: string): Firing => ({
    labels: { severity: 'critical', job: 'tailspan', ...labels },
    summary,
    description: [
      'While it is down its alerts about services are silent, and spans wait in their senders for as long as these can hold them.'
    ]
  })
  expectAlerts([down], {
    TailTargetDown: [firing({ instance: 'b:9464' }, 'Tailspan at b:9464 does not answer.')]
  })
  expectRules({
    series: [{ ...down, labels: { job: 'other' } }],
    minute: MINUTES,
    fires: { TailTargetDown: [firing({}, 'No Tailspan is scraped.')] }
  })
})

rulesTest('a slow scrape is told, and so is a late event loop', () => {
  const gauge = (name: string, value: number): Series => ({
    name,
    labels: { job: 'tailspan', instance: 'a:9464' },
    values: Array<number>(MINUTES + 1).fill(value)
  })
  expectAlerts([gauge('scrape_duration_seconds', 4), gauge('nodejs_eventloop_lag_p99_seconds', 0.1)], {})
  const slow = (scrape: string, lag: string): Record<string, readonly Firing[]> => ({
    TailScrapeSlow: [
      {
        labels: { severity: 'info', job: 'tailspan', instance: 'a:9464' },
        summary: 'Tailspan at a:9464 answers slowly.',
        description: [
          `Its last scrape took ${scrape}; after 10 s it is cut off and the numbers have a hole. Its event loop comes ${lag} late (p99).`
        ]
      }
    ]
  })
  expectAlerts(
    [gauge('scrape_duration_seconds', 6), gauge('nodejs_eventloop_lag_p99_seconds', 0.1)],
    slow('6s', '100ms')
  )
  expectAlerts(
    [gauge('scrape_duration_seconds', 0.1), gauge('nodejs_eventloop_lag_p99_seconds', 0.5)],
    slow('100ms', '500ms')
  )
})

rulesTest('a segment log that cannot be written is told, with what was not kept', () => {
  const degraded: Series = {
    name: 'tail_log_degraded',
    labels: { job: 'tailspan', instance: 'a:9464' },
    values: Array<number>(MINUTES + 1).fill(1)
  }
  expectAlerts([{ ...degraded, values: degraded.values.map(() => 0) }], {})
  expectAlerts([degraded], {
    TailLogDegraded: [
      {
        labels: { severity: 'warning' },
        summary: 'Tailspan cannot write its segment log.',
        description: [
          'What it takes is in memory only and a crash loses it, or senders are told to come back (segment_log.on_error).'
        ]
      }
    ]
  })
})
