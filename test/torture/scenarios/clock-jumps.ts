import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pause } from '../../builders/live-service.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { spanBytes, traceBody } from '../senders/bodies.ts'
import { postNoting } from '../senders/noting.ts'

const HOUR_MS = 3_600_000
/** Wrong by so much, one after the other, and right again in the end. */
const jumpsMs = [0, 1_000, -1_000, HOUR_MS, 6 * HOUR_MS, -6 * HOUR_MS, 400 * 24 * HOUR_MS, -24 * HOUR_MS, 0]
/** A clock that comes back does so after an hour at the earliest. */
const SETTLED_MS_MAX = 50_000
const SERVICE = 'jumped'

interface Facts {
  /** How long after each jump what had been sent was counted. */
  readonly settledMs: readonly number[]
  readonly last: Exposition
}

export const scenario = defineScenario<Facts>({
  name: 'clock jumps',
  thrown: `the service's wall clock set wrong by ${jumpsMs.map(spelled).join(', then by ')}, in a module that changes Date`,
  start: {
    nodeArguments: ['--import', fileURLToPath(new URL('../clock.ts', import.meta.url))],
    env: { TORTURE_CLOCK: '{folder}/clock' }
  },
  async run(bed) {
    const account = bed.ledger.account(SERVICE)
    const settledMs: number[] = []
    for (const wrongByMs of bed.pick(jumpsMs.slice(3), jumpsMs)) {
      for (let body = 0; body < 5; body++) {
        const bytes = traceBody(SERVICE, [spanBytes({ name: 'before and after' })])
        await postNoting(bed.service.http, bytes, { account, requests: 1 })
      }
      // Traces are open now.
      writeFileSync(join(bed.folder, 'clock'), String(wrongByMs))
      await pause(bed.pick(100, 2_000))
      const startedMs = performance.now()
      await bed.settled()
      settledMs.push(performance.now() - startedMs)
    }
    return { settledMs, last: await bed.settled() }
  },
  happened: ({ settledMs }) =>
    `traces that were open at a jump were counted at most ${(Math.max(...settledMs) / 1000).toFixed(1)} s after it`,
  judge({ settledMs }, tally) {
    const slowest = Math.max(...settledMs)
    tally.check('no trace waits for the clock to come back', slowest < SETTLED_MS_MAX, `${Math.round(slowest)} ms`)
  }
})

function spelled(ms: number): string {
  return Math.abs(ms) < HOUR_MS ? `${ms / 1000} s` : `${ms / HOUR_MS} h`
}
