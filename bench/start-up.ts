import { startService } from '../test/builders/live-service.ts'
import { digits, figureTable, median } from './table.ts'

const STARTS = 5
const BOUND_MS = 1_000

/** From the start of the process to the ready line. */
export async function startUp(): Promise<string> {
  const readyMs: number[] = []
  for (let start = 0; start < STARTS; start++) {
    const service = await startService()
    readyMs.push(service.readyMs)
    await service.stop()
  }
  const middle = median(readyMs)
  return figureTable([
    {
      name: 'cold start to ready',
      measured: `${digits(middle)} ms`,
      bound: `≤ ${BOUND_MS} ms`,
      met: middle <= BOUND_MS
    }
  ])
}
