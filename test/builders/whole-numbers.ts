import { createRandom } from './random.ts'

/** Whole numbers from 0 to below a bound, the same for the same seed. */
export function wholeNumbers(seed: number): (below: number) => number {
  const next = createRandom(seed)
  return (below) => Math.floor(next() * below)
}
