import { z } from 'zod'

/** Beyond this the main thread, which reads all sockets and counts all requests, has no more to give out. */
const WORKERS_MAX = 16
const AUTO_MAX = 8

export const workersSection = z
  .union([z.literal('auto'), z.int().min(1).max(WORKERS_MAX)])
  .default('auto')
  .describe(
    `Threads that assemble and split traces. 1: all in the main thread, which costs the least CPU. auto: 1 on up to 2 cores, else one less than there are cores, at most ${AUTO_MAX}. Needs a restart.`
  )

/** On two cores a second thread costs a tenth more CPU and leaves none for anybody else. */
export function workersFrom(written: z.output<typeof workersSection>, cores: number): number {
  if (written !== 'auto') return written
  return cores <= 2 ? 1 : Math.min(cores - 1, AUTO_MAX)
}
