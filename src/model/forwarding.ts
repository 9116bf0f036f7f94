import { type ExactSums } from '../runtime/exact-sums.ts'

/** What became of spans that were to go to a destination; a metric label. */
export const deliveries = ['sent', 'rejected', 'refused', 'gave_up', 'queue_full', 'shutdown', 'lost'] as const
export const Delivery = { sent: 0, rejected: 1, refused: 2, gaveUp: 3, queueFull: 4, shutdown: 5, lost: 6 } as const

/** How requests to a destination ended. */
export const attempts = ['taken', 'later', 'never'] as const

/** A destination that spans are forwarded to, as it is now. Counts since the start. */
export interface DestinationState {
  readonly name: string
  /** By Delivery. */
  readonly spans: Float64Array
  /** By how they ended, in the order of `attempts`. */
  readonly requests: Float64Array
  /** Waiting and under way. */
  readonly queueBytes: number
  readonly queueBytesMax: number
  /** Of that, what takes memory. */
  readonly memoryBytes: number
  /** Undefined of a queue in memory. */
  readonly disk: QueueOnDisk | undefined
  /** From the first byte sent to the whole answer. */
  readonly durations: {
    readonly bounds: readonly number[]
    readonly counts: Float64Array
    readonly first: number
    readonly sums: ExactSums
    readonly sum: number
    readonly native: boolean
    readonly sketch: undefined
    readonly exemplars: undefined
  }
  /** False while the last request failed. */
  readonly healthy: boolean
  /** What it said last when it failed, empty before. */
  readonly lastFailure: string
}

export interface QueueOnDisk {
  /** Of its files. */
  readonly bytes: number
  /** Nothing new is kept. */
  readonly degraded: boolean
}
