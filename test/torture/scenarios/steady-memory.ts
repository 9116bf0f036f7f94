import { pause, residentBytesOf } from '../../builders/live-service.ts'
import { defineScenario } from '../scenario.ts'
import { sendOpenLoop } from '../senders/open-loop.ts'
import { slopeOf, type Slope } from '../slope.ts'

const MIB = 1024 ** 2
const BODIES_PER_SECOND = 100
const SPANS_PER_BODY = 100
/** A window's lowest point: between two collections memory only grows. */
const WINDOW_MS = 5_000
const SAMPLE_MS = 100
const HOURS_MS = 3_600_000
/** So much an hour must be outside of what the slope may be. */
const SLOPE_MIB_MAX = 50

interface Facts {
  readonly windows: number
  readonly minutes: number
  readonly slope: Slope
}

export const scenario = defineScenario<Facts>({
  name: 'steady memory',
  thrown: `${BODIES_PER_SECOND * SPANS_PER_BODY} spans a second for minutes, after a warm-up of half as long; the slope of resident memory by regression`,
  longOnly: true,
  // The memory of closed traces fills for as long as it looks back: with less than the warm-up it is full when that ends.
  settings: { assemble: { late_window: '10s' } },
  async run(bed) {
    const account = bed.ledger.account('steady')
    const warmUpMs = bed.pick(1_000, 90_000)
    const forMs = bed.pick(2_000, 180_000)
    const sent = sendOpenLoop(
      {
        address: bed.service.http,
        service: 'steady',
        spansPerBody: SPANS_PER_BODY,
        bodiesPerSecond: BODIES_PER_SECOND,
        senders: 200,
        forMs: warmUpMs + forMs
      },
      account
    )
    await pause(warmUpMs)
    const points: { x: number; y: number }[] = []
    const startedMs = performance.now()
    while (performance.now() - startedMs < forMs) {
      const windowMs = performance.now()
      let lowest = Infinity
      while (performance.now() - windowMs < WINDOW_MS) {
        lowest = Math.min(lowest, residentBytesOf(bed.service.pid).nowBytes)
        await pause(SAMPLE_MS)
      }
      points.push({ x: windowMs / HOURS_MS, y: lowest / MIB })
    }
    await sent
    return { windows: points.length, minutes: forMs / 60_000, slope: slopeOf(points) }
  },
  happened: ({ windows, minutes, slope }) =>
    `${slope.perUnit.toFixed(0)} MiB an hour, 95 % interval ${slope.low.toFixed(0)} to ${slope.high.toFixed(0)}, by the lowest points of ${windows} windows in ${minutes.toFixed(0)} minutes: no more than that can be said of hours`,
  judge({ slope }, tally) {
    const grows = `${slope.low.toFixed(0)} to ${slope.high.toFixed(0)} MiB an hour`
    tally.check('memory does not grow for sure', slope.low <= SLOPE_MIB_MAX, grows)
  }
})
