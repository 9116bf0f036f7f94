import { type House } from './house.ts'
import { lines, stack, stat, table, type Query } from './panels.ts'
import { histogramRate, quantile, rate, ratio, select } from './queries.ts'

const INTERVAL = '$__rate_interval'
/** Other jobs export process metrics too. */
const ofTailspan = (vector: string): string => `${vector} and on (job, instance) tail_build_info`
const counter = (name: string, legend: string, by = ''): Query => ({ expr: rate(name, INTERVAL, by), legend })

const numbers = [
  stat(
    { title: 'Replicas', description: 'Instances of Tailspan that Prometheus scrapes.', unit: 'short', width: 4 },
    { expr: 'count(tail_build_info)', legend: 'replicas' }
  ),
  stat(
    { title: 'Spans', description: 'Spans accepted in a second, all replicas.', unit: 'cps', width: 5 },
    counter('tail_spans_received_total', 'spans')
  ),
  stat(
    {
      title: 'Spans lost',
      description:
        'Share of spans that came and count nowhere: refused, too many in a trace, or late without a kept trace.',
      unit: 'percentunit',
      width: 5
    },
    {
      expr: ratio(
        `(${[
          'tail_spans_rejected_total',
          'tail_spans_over_trace_max_total',
          select('tail_spans_late_total', 'result="ignored"')
        ]
          .map((name) => rate(name, INTERVAL))
          .join(' + ')})`,
        rate('tail_spans_received_total', INTERVAL)
      ),
      legend: 'lost'
    }
  ),
  stat(
    {
      title: 'Traces closed early',
      description: 'Share of traces that closed for want of room or because they were too old, before they were quiet.',
      unit: 'percentunit',
      width: 5
    },
    {
      expr: ratio(
        rate(select('tail_traces_closed_total', 'reason!~"quiet|no_root|late_unit|shutdown"'), INTERVAL),
        rate('tail_traces_closed_total', INTERVAL)
      ),
      legend: 'early'
    }
  ),
  stat(
    {
      title: 'Operations without room',
      description:
        'Requests in a second counted under __other__ because their operation got no series. Raise operations_max.',
      unit: 'reqps',
      width: 5
    },
    counter('tail_series_overflow_total', 'overflow')
  )
]

const intake = [
  lines(
    { title: 'Export requests', description: 'Requests taken and decoded, by protocol.', unit: 'reqps', width: 8 },
    counter('tail_ingest_requests_total', '{{protocol}}', 'protocol')
  ),
  lines(
    {
      title: 'Requests refused',
      description:
        'Requests answered with an error or given up by their sender, by reason. Senders told to come back come back.',
      unit: 'reqps',
      width: 8
    },
    counter('tail_requests_refused_total', '{{reason}}', 'reason')
  ),
  lines(
    {
      title: 'Time to answer an export',
      description: 'From the whole body to the answer.',
      unit: 's',
      width: 8
    },
    ...[0.5, 0.99].map((q) => ({ expr: quantile(q, 'tail_ingest_duration_seconds', '', ''), legend: `p${q * 100}` }))
  ),
  lines(
    {
      title: 'Spans by fate',
      description: 'Spans in a second: accepted, refused, sent twice, late.',
      unit: 'cps',
      width: 8
    },
    counter('tail_spans_received_total', 'accepted'),
    counter('tail_spans_rejected_total', 'refused: {{reason}}', 'reason'),
    counter('tail_spans_duplicate_total', 'sent twice'),
    counter('tail_spans_late_total', 'late, {{result}}', 'result')
  ),
  stack(
    {
      title: 'Traces closed',
      description: 'Traces handed on in a second, by why their time was up.',
      unit: 'cps',
      width: 8
    },
    counter('tail_traces_closed_total', '{{reason}}', 'reason')
  ),
  lines(
    {
      title: 'Bytes taken',
      description: 'Bodies in a second, as they came and after decompression.',
      unit: 'Bps',
      width: 8
    },
    counter('tail_ingest_wire_bytes_total', 'as they came'),
    counter('tail_ingest_body_bytes_total', 'decompressed')
  )
]

const cost = [
  lines(
    { title: 'CPU', description: 'Cores in use by each replica.', unit: 'short', width: 8 },
    { expr: ofTailspan(`rate(process_cpu_seconds_total[${INTERVAL}])`), legend: '{{instance}}' }
  ),
  lines(
    { title: 'Memory of the process', description: 'Resident memory of each replica.', unit: 'bytes', width: 8 },
    { expr: ofTailspan('process_resident_memory_bytes'), legend: '{{instance}}' }
  ),
  stack(
    {
      title: 'Memory by part',
      description: 'What each part of the pipeline holds, all replicas.',
      unit: 'bytes',
      width: 8
    },
    { expr: 'sum by (part) (tail_memory_bytes)', legend: '{{part}}' }
  ),
  lines(
    {
      title: 'Event loop lag',
      description: 'How late a timer of each replica comes, 99th percentile. Above 0.2 s: too much work for one core.',
      unit: 's',
      width: 8
    },
    { expr: ofTailspan('nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}}' }
  ),
  lines(
    {
      title: 'Time to answer a scrape',
      description: 'From the request for /metrics to its last byte, 99th percentile by format.',
      unit: 's',
      width: 8
    },
    { expr: quantile(0.99, 'tail_scrape_duration_seconds', '', 'format'), legend: '{{format}}' }
  ),
  lines(
    {
      title: 'Scrapes',
      description: 'Scrapes in a second by format, and those refused or cut off.',
      unit: 'reqps',
      width: 8
    },
    { expr: histogramRate('tail_scrape_duration_seconds', '', 'format'), legend: '{{format}}' },
    counter('tail_scrapes_refused_total', 'refused'),
    counter('tail_scrapes_cut_total', 'cut: {{reason}}', 'reason')
  )
]

const onward = [
  lines(
    {
      title: 'Spans delivered',
      description: 'Spans in a second that a destination has taken.',
      unit: 'cps',
      width: 8
    },
    counter(select('tail_forward_spans_total', 'result="sent"'), '{{destination}}', 'destination')
  ),
  lines(
    {
      title: 'Spans not delivered',
      description: 'Spans in a second that were given up, by destination and why. TailForwardLoss tells of them.',
      unit: 'cps',
      width: 8
    },
    counter(select('tail_forward_spans_total', 'result!="sent"'), '{{destination}}: {{result}}', 'destination, result')
  ),
  lines(
    {
      title: 'Queues',
      description:
        'Share of its room that what waits for a destination takes, of the fullest replica. At 1 spans are dropped.',
      unit: 'percentunit',
      width: 8
    },
    {
      expr: 'max by (destination) (tail_forward_queue_bytes / tail_forward_queue_max_bytes)',
      legend: '{{destination}}'
    }
  ),
  lines(
    {
      title: 'Requests to destinations',
      description: 'Requests in a second by how they ended: taken, later (they are tried again), never.',
      unit: 'reqps',
      width: 8
    },
    counter('tail_forward_requests_total', '{{destination}}: {{result}}', 'destination, result')
  ),
  lines(
    {
      title: 'Time to deliver',
      description: 'From a request’s first byte to its answer, 99th percentile by destination.',
      unit: 's',
      width: 8
    },
    { expr: quantile(0.99, 'tail_forward_duration_seconds', '', 'destination'), legend: '{{destination}}' }
  ),
  stack(
    {
      title: 'Spans by how they went on',
      description: 'Spans in a second: with what was found of them, as they came and why, or not at all and why.',
      unit: 'cps',
      width: 8
    },
    counter('tail_forward_handled_total', '{{how}}', 'how')
  )
]

const trust = [
  lines(
    {
      title: 'Evidence that did not fit',
      description:
        'Claims in a second that asked for more of a span than was left of it, or that cannot be. Many of one source: its unit is wrong.',
      unit: 'cps',
      width: 8
    },
    counter('tail_evidence_conflicts_total', 'clipped: {{source}}', 'source'),
    counter('tail_evidence_implausible_total', 'left out: {{source}}', 'source')
  ),
  lines(
    {
      title: 'Clocks',
      description:
        'How far the clock of one host is ahead of that of another, as estimated and corrected; the ten largest.',
      unit: 's',
      width: 8
    },
    {
      expr: 'topk(10, max by (from_host, to_host) (abs(tail_clock_offset_seconds)))',
      legend: '{{from_host}} to {{to_host}}'
    }
  ),
  table(
    {
      title: 'How services sample',
      description: 'How the traces of each service were chosen before they came. Services with `tail` have no bands.',
      unit: 'none',
      width: 8
    },
    'Replicas that say so',
    [
      { label: 'service_name', name: 'Service' },
      { label: 'sampling', name: 'Sampling' },
      { expr: 'count by (service_name, sampling) (tail_sampling_info)', name: 'Replicas that say so', unit: 'short' }
    ]
  )
]

export const health: House = {
  uid: 'tailspan-health',
  title: 'Health of Tailspan',
  description: 'Whether what the other dashboards say can be trusted, and what Tailspan costs.',
  variables: [],
  sections: [
    { title: 'Now', panels: numbers },
    { title: 'Intake', panels: intake },
    { title: 'Cost', panels: cost },
    { title: 'Passed on to destinations', panels: onward },
    { title: 'Trust', panels: trust }
  ]
}
