/** Of the value and of a histogram's bounds, where the sender does not say. */
export type MetricUnit = 's' | 'ms' | 'us' | 'ns' | 'bytes' | 'count' | 'ratio' | 'percent'

/** What a metric is evidence of. */
export type MetricMeaning = 'scheduling' | 'gc' | 'queue_wait' | 'throttling' | 'saturation' | 'context'

export interface RuntimeMetric {
  readonly name: string
  readonly unit: MetricUnit
  readonly meaning: MetricMeaning
  /** The one or two attributes that tell its points apart in a way that matters. */
  readonly attributes: readonly [] | readonly [primary: string] | readonly [primary: string, detail: string]
}

const POOL = ['db.client.connection.pool.name'] as const
const WORKER = ['tokio.worker.index'] as const

/** The metrics that say something about phases; every other is counted and ignored. Their order is the metric column's. */
export const runtimeMetrics: readonly RuntimeMetric[] = [
  // Time from runnable to running, 1 of 8 transitions sampled: contrib's producer, OBI, Prometheus' name.
  { name: 'go.schedule.duration', unit: 's', meaning: 'scheduling', attributes: [] },
  { name: 'go_sched_latencies_seconds', unit: 's', meaning: 'scheduling', attributes: [] },
  // Stop-the-world pauses. Of pause_ns only count and sum are worth anything: its bounds end at 10 us.
  { name: 'go.memory.gc.pause.duration', unit: 's', meaning: 'gc', attributes: [] },
  { name: 'process.runtime.go.gc.pause_total_ns', unit: 'ns', meaning: 'gc', attributes: [] },
  { name: 'process.runtime.go.gc.pause_ns', unit: 'ns', meaning: 'gc', attributes: [] },
  { name: 'go_gc_duration_seconds', unit: 's', meaning: 'gc', attributes: [] },
  { name: 'go_sched_pauses_total_gc_seconds', unit: 's', meaning: 'gc', attributes: [] },
  { name: 'go_gc_pauses_seconds', unit: 's', meaning: 'gc', attributes: [] },
  // Shares of it, mark assist above all; an overestimate, so only ratios mean something.
  { name: 'go.cpu.time', unit: 's', meaning: 'gc', attributes: ['go.cpu.state', 'go.cpu.detailed_state'] },
  { name: 'go.memory.gc.cycles', unit: 'count', meaning: 'context', attributes: [] },
  { name: 'go.memory.allocated', unit: 'bytes', meaning: 'context', attributes: [] },
  { name: 'go.memory.gc.goal', unit: 'bytes', meaning: 'context', attributes: [] },
  { name: 'go.config.gogc', unit: 'percent', meaning: 'context', attributes: [] },
  { name: 'go.processor.limit', unit: 'count', meaning: 'context', attributes: [] },
  { name: 'go.goroutine.count', unit: 'count', meaning: 'context', attributes: [] },
  // opentelemetry-instrumentation-tokio.
  { name: 'tokio.workers', unit: 'count', meaning: 'context', attributes: [] },
  { name: 'tokio.worker.busy_duration', unit: 'ms', meaning: 'saturation', attributes: WORKER },
  { name: 'tokio.worker.mean_poll_time', unit: 'ns', meaning: 'saturation', attributes: WORKER },
  { name: 'tokio.worker.local_queue_depth', unit: 'count', meaning: 'saturation', attributes: WORKER },
  { name: 'tokio.global_queue_depth', unit: 'count', meaning: 'saturation', attributes: [] },
  { name: 'tokio.blocking_queue_depth', unit: 'count', meaning: 'saturation', attributes: [] },
  // tokio-metrics through its metrics-rs bridge, as named by default.
  { name: 'tokio_mean_scheduled_duration', unit: 'us', meaning: 'scheduling', attributes: [] },
  { name: 'tokio_total_scheduled_duration', unit: 'us', meaning: 'scheduling', attributes: [] },
  { name: 'tokio_total_scheduled_count', unit: 'count', meaning: 'scheduling', attributes: [] },
  { name: 'tokio_mean_first_poll_delay', unit: 'us', meaning: 'scheduling', attributes: [] },
  { name: 'tokio_slow_poll_ratio', unit: 'ratio', meaning: 'saturation', attributes: [] },
  // Waits for pools: semantic conventions new and old, XSAM/otelsql, otelpgx; and Temporal's task queues.
  { name: 'db.client.connection.wait_time', unit: 's', meaning: 'queue_wait', attributes: POOL },
  { name: 'db.client.connections.wait_time', unit: 'ms', meaning: 'queue_wait', attributes: ['pool.name'] },
  { name: 'db.sql.connection.wait', unit: 'count', meaning: 'queue_wait', attributes: POOL },
  { name: 'db.sql.connection.wait_duration', unit: 'ms', meaning: 'queue_wait', attributes: POOL },
  { name: 'pgxpool.empty_acquire_wait_time', unit: 'ns', meaning: 'queue_wait', attributes: POOL },
  { name: 'temporal_activity_schedule_to_start_latency', unit: 's', meaning: 'queue_wait', attributes: ['task_queue'] },
  {
    name: 'temporal_workflow_task_schedule_to_start_latency',
    unit: 's',
    meaning: 'queue_wait',
    attributes: ['task_queue']
  },
  // The kernel's side, from the Collector's receivers.
  { name: 'container.cpu.throttling_data.throttled_time', unit: 'ns', meaning: 'throttling', attributes: [] },
  {
    name: 'process.context_switches',
    unit: 'count',
    meaning: 'context',
    attributes: ['process.context_switch_type']
  },
  { name: 'process.cpu.time', unit: 's', meaning: 'context', attributes: ['cpu.mode'] }
]

const seconds: Readonly<Record<string, number>> = { s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 }

/** Seconds in one unit of a metric's values, by what its sender says or else by the table; NaN when it is no time. */
export function secondsPerUnit(metric: RuntimeMetric, said: string): number {
  const usual = seconds[metric.unit]
  return usual === undefined ? NaN : Object.hasOwn(seconds, said) ? (seconds[said] ?? usual) : usual
}
