import { addExact, createExactSums, type ExactSums } from './exact-sums.ts'

const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** A histogram of Tailspan's own work. */
export interface DurationHistogram {
  readonly observe: (ms: number) => void
  readonly cells: DurationCells
}

/** As the exposition reads a histogram. */
export interface DurationCells {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  readonly first: number
  readonly sums: ExactSums
  readonly sum: number
  readonly native: boolean
  readonly sketch: undefined
  readonly exemplars: undefined
}

export function createDurationHistogram(): DurationHistogram {
  const counts = new Float64Array(bounds.length + 1)
  const sums = createExactSums(1)
  return {
    observe(ms) {
      const bucket = bounds.findIndex((bound) => ms <= bound * 1e3)
      const cell = bucket === -1 ? bounds.length : bucket
      counts[cell] = (counts[cell] as number) + 1
      addExact(sums, 0, Math.max(0, Math.round(ms * 1e6)))
    },
    cells: { bounds, counts, first: 0, sums, sum: 0, native: false, sketch: undefined, exemplars: undefined }
  }
}
