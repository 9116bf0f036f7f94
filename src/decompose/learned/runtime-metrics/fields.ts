import { runtimeMetrics } from '../../../model/runtime-metrics.ts'

/** How the points of a figure become intervals. */
interface FieldSpec {
  readonly name: string
  /** A state, not an amount that grows. */
  readonly gauge?: true
  /** A live process cannot leave it unchanged: an equal value is the last one sent again, and its interval goes on. */
  readonly moves?: true
  /** No machine reaches more: the sender's unit is wrong. Of a gauge its value, else per second. */
  readonly max: number
}

const CORES_MAX = 4096

const specs = [
  // Sum of runnable-to-running delays as the runtime samples it (Go: 1 of 8 transitions), seconds.
  { name: 'scheduling_seconds', moves: true, max: 1e6 },
  { name: 'scheduling_count', moves: true, max: 1e12 },
  { name: 'gc_pause_seconds', max: 1.05 },
  { name: 'gc_pause_count', max: 1e6 },
  // CPU seconds by Go's own classes: an overestimate that means something only against each other.
  { name: 'gc_assist_cpu_seconds', moves: true, max: CORES_MAX },
  { name: 'gc_cpu_seconds', moves: true, max: CORES_MAX },
  { name: 'user_cpu_seconds', moves: true, max: CORES_MAX },
  { name: 'allocated_bytes', moves: true, max: 1e13 },
  { name: 'gc_cycles', max: 1e5 },
  { name: 'gc_goal_bytes', gauge: true, max: 1e15 },
  { name: 'gogc_percent', gauge: true, max: Infinity },
  { name: 'processor_limit', gauge: true, max: 65_536 },
  { name: 'goroutines', gauge: true, max: 1e9 },
  { name: 'tokio_workers', gauge: true, max: 65_536 },
  { name: 'tokio_busy_seconds', max: CORES_MAX },
  { name: 'tokio_queue_depth', gauge: true, max: 1e9 },
  { name: 'tokio_blocking_queue_depth', gauge: true, max: 1e9 },
  { name: 'throttled_seconds', max: CORES_MAX },
  { name: 'pool_wait_seconds', max: 1e6 },
  { name: 'pool_wait_count', max: 1e9 }
] as const satisfies readonly FieldSpec[]

export const fields: readonly FieldSpec[] = specs
export const FIELDS = specs.length

/** The figures kept of a process. Amounts are read per second of wall time, gauges as they are. */
export const Field = {
  schedulingSeconds: 0,
  schedulingCount: 1,
  gcPauseSeconds: 2,
  gcPauseCount: 3,
  gcAssistCpuSeconds: 4,
  gcCpuSeconds: 5,
  userCpuSeconds: 6,
  allocatedBytes: 7,
  gcCycles: 8,
  gcGoalBytes: 9,
  gogcPercent: 10,
  processorLimit: 11,
  goroutines: 12,
  tokioWorkers: 13,
  tokioBusySeconds: 14,
  tokioQueueDepth: 15,
  tokioBlockingQueueDepth: 16,
  throttledSeconds: 17,
  poolWaitSeconds: 18,
  poolWaitCount: 19
} as const

export const NO_FIELD = -1

/** The figure that a metric's value or sum gives, and the one that its count gives. */
const fieldsByName: Readonly<Record<string, readonly [value: number, count: number]>> = {
  'go.schedule.duration': [Field.schedulingSeconds, Field.schedulingCount],
  go_sched_latencies_seconds: [Field.schedulingSeconds, Field.schedulingCount],
  tokio_total_scheduled_duration: [Field.schedulingSeconds, NO_FIELD],
  tokio_total_scheduled_count: [Field.schedulingCount, NO_FIELD],
  'go.memory.gc.pause.duration': [Field.gcPauseSeconds, Field.gcPauseCount],
  'process.runtime.go.gc.pause_total_ns': [Field.gcPauseSeconds, NO_FIELD],
  'process.runtime.go.gc.pause_ns': [Field.gcPauseSeconds, Field.gcPauseCount],
  go_gc_duration_seconds: [Field.gcPauseSeconds, Field.gcPauseCount],
  go_sched_pauses_total_gc_seconds: [Field.gcPauseSeconds, Field.gcPauseCount],
  go_gc_pauses_seconds: [Field.gcPauseSeconds, Field.gcPauseCount],
  'go.memory.gc.cycles': [Field.gcCycles, NO_FIELD],
  'go.memory.allocated': [Field.allocatedBytes, NO_FIELD],
  'go.memory.gc.goal': [Field.gcGoalBytes, NO_FIELD],
  'go.config.gogc': [Field.gogcPercent, NO_FIELD],
  'go.processor.limit': [Field.processorLimit, NO_FIELD],
  'go.goroutine.count': [Field.goroutines, NO_FIELD],
  'tokio.workers': [Field.tokioWorkers, NO_FIELD],
  'tokio.worker.busy_duration': [Field.tokioBusySeconds, NO_FIELD],
  'tokio.global_queue_depth': [Field.tokioQueueDepth, NO_FIELD],
  'tokio.worker.local_queue_depth': [Field.tokioQueueDepth, NO_FIELD],
  'tokio.blocking_queue_depth': [Field.tokioBlockingQueueDepth, NO_FIELD],
  'container.cpu.throttling_data.throttled_time': [Field.throttledSeconds, NO_FIELD],
  'db.client.connection.wait_time': [Field.poolWaitSeconds, Field.poolWaitCount],
  'db.client.connections.wait_time': [Field.poolWaitSeconds, Field.poolWaitCount],
  'db.sql.connection.wait_duration': [Field.poolWaitSeconds, NO_FIELD],
  'db.sql.connection.wait': [Field.poolWaitCount, NO_FIELD],
  'pgxpool.empty_acquire_wait_time': [Field.poolWaitSeconds, NO_FIELD]
}

export const valueField = runtimeMetrics.map(({ name }) => fieldsByName[name]?.[0] ?? NO_FIELD)
export const countField = runtimeMetrics.map(({ name }) => fieldsByName[name]?.[1] ?? NO_FIELD)

/** `go.cpu.time` comes by state, and within `gc` by what the collector did. */
export const CPU_TIME = runtimeMetrics.findIndex(({ name }) => name === 'go.cpu.time')
/** Metrics that give the same figure stand for each other, and one is listened to. Only the queues of a runtime add up. */
export const sourceOf = runtimeMetrics.map(({ name }, index) =>
  name === 'tokio.worker.local_queue_depth'
    ? runtimeMetrics.findIndex((metric) => metric.name === 'tokio.global_queue_depth')
    : index
)

export function cpuTimeField(state: string): number {
  if (state === 'user') return Field.userCpuSeconds
  return state === 'gc' ? Field.gcCpuSeconds : NO_FIELD
}

/** Whether a detailed state of `go.cpu.time` is what requests themselves paid to the collector. */
export const isAssist = (detail: string): boolean => detail === 'gc/mark/assist'
