import { type Labels, type Series } from './rule-case.ts'

/** What happened to one operation in one minute: requests of 10 ms, and requests that waited 200 ms more. */
export interface Minute {
  readonly fast: number
  readonly slow: number
  /** What the slow ones waited for; an instrumented callee's queue without it. */
  readonly wait?: 'queue' | 'own gc' | 'nothing known'
}

export interface OperationHistory {
  readonly service: string
  readonly operation: string
  readonly instance?: string
  readonly minutes: readonly Minute[]
  /** Minutes in which the process began anew, all counters at 0. */
  readonly restarts?: readonly number[]
  readonly budget?: { readonly name: string; readonly seconds: number; readonly allowed: number }
}

const FAST_SECONDS = { processing: 0.008, downstream: 0.002 }
const WAIT_SECONDS = 0.2
const LE = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** As if waits were known to the nanosecond: each request in the bucket of its duration. */
const bucketOf = (seconds: number): number => LE.findIndex((bound) => seconds <= bound)

const localPhase = { queue: 'downstream', 'own gc': 'gc', 'nothing known': 'unattributed' } as const

/** The series that Tailspan shows of such an operation, one value a minute. */
export function operationSeries(history: OperationHistory): Series[] {
  const counters = new Map<string, { name: string; labels: Labels; values: number[] }>()
  const { service, operation, budget, minutes } = history
  const target = history.instance === undefined ? {} : { instance: history.instance }
  const self = { service_name: service, operation, ...target }
  const restarts = new Set(history.restarts)

  function add(minute: number, name: string, labels: Labels, by: number): void {
    const key = JSON.stringify([name, labels])
    let counter = counters.get(key)
    if (counter === undefined) {
      counter = { name, labels, values: Array<number>(minutes.length + 1).fill(0) }
      counters.set(key, counter)
    }
    counter.values[minute + 1] = (counter.values[minute + 1] ?? 0) + by
  }

  for (const [minute, { fast, slow, wait = 'queue' }] of minutes.entries()) {
    const waits = { [localPhase[wait]]: WAIT_SECONDS }
    const parts = [
      // Exactly half of the fast ones are the body; of them only those that went well.
      { requests: fast / 2, band: 'le_p50', result: 'within', extra: {} },
      { requests: fast / 2, band: 'p50_p95', result: 'within', extra: {} },
      { requests: slow, band: 'gt_p99', result: 'over', extra: waits }
    ]
    for (const { requests, band, result, extra } of parts) {
      const seconds: Record<string, number> = { ...FAST_SECONDS, gc: 0, queue_wait: 0, unattributed: 0 }
      for (const [phase, more] of Object.entries(extra)) seconds[phase] = (seconds[phase] ?? 0) + more
      const duration = Object.values(seconds).reduce((sum, one) => sum + one, 0)
      add(minute, 'tail_requests_total', { ...self, band, outcome: 'ok' }, requests)
      for (const [le, bound] of [...LE, Infinity].entries()) {
        const label = bound === Infinity ? '+Inf' : String(bound)
        add(
          minute,
          'tail_request_duration_seconds_bucket',
          { ...self, le: label },
          bucketOf(duration) <= le ? requests : 0
        )
      }
      if (budget !== undefined)
        add(minute, 'tail_budget_requests_total', { ...self, budget: budget.name, result }, requests)
      for (const [phase, each] of Object.entries(seconds)) {
        add(minute, 'tail_phase_seconds_total', { ...self, phase, band }, requests * each)
        if (budget === undefined) continue
        const labels = { ...self, budget: budget.name, result, phase }
        add(minute, 'tail_budget_phase_seconds_total', labels, requests * each)
      }
      if (band === 'p50_p95') continue
      const blame = (culprit: string, at: string, phase: string, each: number): void => {
        const root = { root_service_name: service, root_operation: operation, ...target }
        const labels = { ...root, culprit_service_name: culprit, culprit_operation: at, phase, band }
        add(minute, 'tail_blame_seconds_total', labels, requests * each)
      }
      blame(service, operation, 'processing', FAST_SECONDS.processing)
      blame(
        'inventory',
        'POST /reserve',
        'queue_wait',
        FAST_SECONDS.downstream + (wait === 'queue' ? (extra['downstream'] ?? 0) : 0)
      )
      blame(service, operation, 'gc', extra['gc'] ?? 0)
    }
  }
  for (const { values } of counters.values()) {
    for (let i = 1; i < values.length; i++) {
      values[i] = (values[i] ?? 0) + (restarts.has(i - 1) ? 0 : (values[i - 1] ?? 0))
    }
  }
  const always = (name: string, labels: Labels, value: number): Series => ({
    name,
    labels: { ...self, ...labels },
    values: Array<number>(minutes.length + 1).fill(value)
  })
  return [
    ...counters.values(),
    always('tail_band_threshold_seconds', { quantile: '0.99' }, 0.01),
    ...(budget === undefined
      ? []
      : [
          always('tail_budget_threshold_seconds', { budget: budget.name }, budget.seconds),
          always('tail_budget_allowed_ratio', { budget: budget.name }, budget.allowed)
        ])
  ]
}

export const minutesOf = (count: number, minute: Minute): Minute[] => Array<Minute>(count).fill(minute)
