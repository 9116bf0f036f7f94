import { budgetResults } from '../model/budgets.ts'
import { attempts, deliveries } from '../model/forwarding.ts'
import { advices } from '../model/advice.ts'
import { boundaryBands, boundaryComponents } from '../model/boundaries.ts'
import { bands, outcomes, quantiles, samplings } from '../model/requests.ts'
import { patterns } from '../model/patterns.ts'
import { grades, phases } from '../model/phases.ts'
import { languages } from '../model/spans.ts'
import { pressureCauses } from '../runtime/pressure.ts'

export type SeriesType = 'counter' | 'gauge' | 'histogram' | 'unknown'

/** A family of series as readers see it. `unit` is the last word of the name (before `_total`), or empty. */
export interface SeriesFamily {
  readonly name: string
  readonly type: SeriesType
  readonly unit: '' | 'seconds' | 'bytes'
  readonly help: string
  readonly labels: readonly string[]
  /** Closed lists of label values, where there is one. */
  readonly values?: Readonly<Record<string, readonly string[]>>
}

const operation = ['service_name', 'operation'] as const
const culprit = ['root_service_name', 'root_operation', 'culprit_service_name', 'culprit_operation'] as const
/** Bands of blame and of patterns, in the order of their tables. */
export const blameBands = ['le_p50', 'gt_p99'] as const
const provable = phases.slice(0, -1)

/** Every series that expose itself makes. The renderers, the docs and a test read this table. */
export const series = {
  requestDuration: {
    name: 'tail_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Durations of requests, in one fixed layout of buckets so that replicas add up.',
    labels: operation
  },
  requests: {
    name: 'tail_requests_total',
    type: 'counter',
    unit: '',
    help: 'Requests by band of duration and outcome. Bands move with the traffic and are for exploring.',
    labels: [...operation, 'band', 'outcome'],
    values: { band: bands, outcome: outcomes }
  },
  phaseSeconds: {
    name: 'tail_phase_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time of requests by what it went to. The phases of a request add up to its duration.',
    labels: [...operation, 'phase', 'band'],
    values: { phase: phases, band: bands }
  },
  phaseEvidence: {
    name: 'tail_phase_evidence_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time of requests above their p99 by phase and by how sure the phase is. Series appear on first use.',
    labels: [...operation, 'phase', 'grade'],
    values: { phase: provable, grade: grades }
  },
  blameSeconds: {
    name: 'tail_blame_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Critical-path time of root requests by who spent it, wherever in the trace. Series appear on first use.',
    labels: [...culprit, 'phase', 'band'],
    values: { phase: phases, band: blameBands }
  },
  blameRequests: {
    name: 'tail_blame_requests_total',
    type: 'counter',
    unit: '',
    help: 'Root requests with any critical-path time of this culprit and phase.',
    labels: [...culprit, 'phase', 'band'],
    values: { phase: phases, band: blameBands }
  },
  patternSeconds: {
    name: 'tail_pattern_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: "Requests' own critical-path time that retries, hedges or stragglers cost. It is in the phases too. Series appear on first use.",
    labels: [...operation, 'pattern', 'band'],
    values: { pattern: patterns, band: blameBands }
  },
  patternRequests: {
    name: 'tail_pattern_requests_total',
    type: 'counter',
    unit: '',
    help: 'Requests with any such time of this pattern.',
    labels: [...operation, 'pattern', 'band'],
    values: { pattern: patterns, band: blameBands }
  },
  leadSeconds: {
    name: 'tail_lead_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Waiting before requests that belongs to them, outside their duration. Series appear on first use.',
    labels: [...operation, 'band'],
    values: { band: bands }
  },
  // A gauge by nature, but promtool's linter keeps the label `quantile` for summaries, and leaves only unknown types alone.
  thresholds: {
    name: 'tail_band_threshold_seconds',
    type: 'unknown',
    unit: 'seconds',
    help: 'Durations that part the bands now, by quantile. Never sum them. Absent while unknown.',
    labels: [...operation, 'quantile'],
    values: { quantile: quantiles.map(String) }
  },
  partial: {
    name: 'tail_requests_partial_total',
    type: 'counter',
    unit: '',
    help: 'Requests with a hole: the span of an instrumented peer is missing below them.',
    labels: operation
  },
  budgetRequests: {
    name: 'tail_budget_requests_total',
    type: 'counter',
    unit: '',
    help: 'Requests within and over each target of the latency budgets. Failures count only where they are over. Never moves: made for alerts.',
    labels: [...operation, 'budget', 'result'],
    values: { result: budgetResults }
  },
  budgetPhaseSeconds: {
    name: 'tail_budget_phase_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time of those requests by what it went to. Series appear on first use.',
    labels: [...operation, 'budget', 'result', 'phase'],
    values: { result: budgetResults, phase: phases }
  },
  budgetThreshold: {
    name: 'tail_budget_threshold_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'How long a request (or its phase) may take to be within the target. Every replica says it: never sum.',
    labels: [...operation, 'budget']
  },
  budgetAllowedRatio: {
    name: 'tail_budget_allowed_ratio',
    type: 'gauge',
    unit: '',
    help: 'Share of the requests that may be over the target. Every replica says it: never sum.',
    labels: [...operation, 'budget']
  },
  budgetOperations: {
    name: 'tail_budget_operations',
    type: 'gauge',
    unit: '',
    help: 'Operations that each budget of the settings counts now. 0: no request that it is for has come.',
    labels: ['service_pattern', 'operation_pattern']
  },
  sampling: {
    name: 'tail_sampling_info',
    type: 'gauge',
    unit: '',
    help: 'How the requests of a service were chosen before they came here. Always 1.',
    labels: ['service_name', 'sampling'],
    values: { sampling: samplings }
  },
  advice: {
    name: 'tail_advice_info',
    type: 'gauge',
    unit: '',
    help: 'The one switch that would explain most of the unattributed time of an operation. Always 1.',
    labels: [...operation, 'advice'],
    values: { advice: advices }
  },
  boundary: {
    name: 'tail_boundary_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'What calls from one service and language to another take beside the work itself, in the body and in the tail of the requests that pay. Series appear on first use.',
    labels: ['caller_service_name', 'caller_language', 'callee_service_name', 'callee_language', 'component', 'band'],
    values: {
      caller_language: languages,
      callee_language: languages,
      component: boundaryComponents,
      band: boundaryBands
    }
  },
  clockOffset: {
    name: 'tail_clock_offset_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'How far the clock of one host is ahead of that of another, as estimated and corrected.',
    labels: ['from_host', 'to_host']
  },
  memory: {
    name: 'tail_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of the process by what it is held for. The parts add up to its resident memory.',
    labels: ['part']
  },
  memoryLimit: {
    name: 'tail_memory_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'What the process may use (memory_limit). From 80 % on requests are refused, above 95 % traces are closed early.',
    labels: []
  },
  underPressure: {
    name: 'tail_under_pressure',
    type: 'gauge',
    unit: '',
    help: '1 while requests are refused for this cause, else 0.',
    labels: ['cause'],
    values: { cause: pressureCauses }
  },
  scrapeDuration: {
    name: 'tail_scrape_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the request for /metrics to its last byte, of earlier scrapes.',
    labels: ['format']
  },
  ingestDuration: {
    name: 'tail_ingest_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the whole body of an export request to its answer.',
    labels: []
  },
  logSegments: {
    name: 'tail_log_segments',
    type: 'gauge',
    unit: '',
    help: 'Files of the segment log.',
    labels: []
  },
  logBytes: {
    name: 'tail_log_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of them.',
    labels: []
  },
  logSpareBytes: {
    name: 'tail_log_spare_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of files that nobody needs any more and that are kept to be written over.',
    labels: []
  },
  logDegraded: {
    name: 'tail_log_degraded',
    type: 'gauge',
    unit: '',
    help: '1 while the segment log cannot be written: what is taken is in memory only, or refused.',
    labels: []
  },
  logSyncDuration: {
    name: 'tail_log_sync_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long the disk took to make what was written durable; with durability batch, writing included.',
    labels: []
  },
  forwardSpans: {
    name: 'tail_forward_spans_total',
    type: 'counter',
    unit: '',
    help: 'Spans by destination and what became of them: sent; rejected by a partial success; refused for good; given up after forward.retry; dropped because the queue was full, or at shutdown; lost because the disk did not give them back.',
    labels: ['destination', 'result'],
    values: { result: deliveries }
  },
  forwardRequests: {
    name: 'tail_forward_requests_total',
    type: 'counter',
    unit: '',
    help: 'Requests to a destination by its answer: taken, later (sent again after a pause), never.',
    labels: ['destination', 'result'],
    values: { result: attempts }
  },
  forwardQueue: {
    name: 'tail_forward_queue_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Requests that wait for a destination or are under way.',
    labels: ['destination']
  },
  forwardQueueMax: {
    name: 'tail_forward_queue_max_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'What may wait for a destination at most.',
    labels: ['destination']
  },
  forwardDisk: {
    name: 'tail_forward_queue_disk_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Files of the queue of a destination, unless durability is off.',
    labels: ['destination']
  },
  forwardDegraded: {
    name: 'tail_forward_queue_degraded',
    type: 'gauge',
    unit: '',
    help: '1 while the queue of a destination cannot be written to disk: what comes for it waits in memory only.',
    labels: ['destination']
  },
  forwardHealthy: {
    name: 'tail_forward_healthy',
    type: 'gauge',
    unit: '',
    help: '0 while the last request to a destination failed in a way that may pass.',
    labels: ['destination']
  },
  forwardDuration: {
    name: 'tail_forward_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time of requests to a destination, from the first byte to the answer.',
    labels: ['destination']
  },
  build: {
    name: 'tail_build_info',
    type: 'gauge',
    unit: '',
    help: 'Version of Tailspan. Always 1.',
    labels: ['version']
  }
} as const satisfies Readonly<Record<string, SeriesFamily>>
