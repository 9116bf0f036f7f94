import { type Exposition } from '../../builders/prometheus-text.ts'
import { pause, residentBytesOf } from '../../builders/live-service.ts'
import { inspect, INSPECTED } from '../inspector.ts'
import { defineScenario } from '../scenario.ts'
import { sendOpenLoop } from '../senders/open-loop.ts'
import { type Point, slopeOf, type Slope } from '../slope.ts'

const MIB = 1024 ** 2
const BODIES_PER_SECOND = 100
const SPANS_PER_BODY = 100
const WINDOW_MS = 5_000
const HOURS_MS = 3_600_000
/** So much an hour must be outside of what the slope may be. */
const SLOPE_MIB_MAX = 50
/** A part that grows by less is not named. */
const NAMED_MIB_MIN = 5
const PART = 'tail_memory_bytes'

interface Facts {
  readonly minutes: number
  readonly resident: readonly Point[]
  readonly slope: Slope
  /** Of each part. */
  readonly parts: ReadonlyMap<string, Slope>
}

export const scenario = defineScenario<Facts>({
  name: 'steady memory',
  thrown: `${BODIES_PER_SECOND * SPANS_PER_BODY} spans a second for minutes, after a warm-up in which all tables fill; what is resident once garbage is collected, its slope by regression`,
  longOnly: true,
  // Tables that fill in the warm-up: with those of the defaults it would take five minutes to an hour, and the slope would be theirs.
  settings: {
    assemble: { late_window: '10s' },
    decompose: { inference: { pieces_max: 65_536, requests_max: 65_536 } },
    explain: { window: '1m', retained_bytes_max: '2MiB' }
  },
  start: { nodeArguments: INSPECTED },
  async run(bed) {
    const account = bed.ledger.account('steady')
    const warmUpMs = bed.pick(1_000, 90_000)
    const forMs = bed.lasting(2_000, 120_000)
    const inspector = await inspect(bed.service.output())
    bed.defer(inspector.close)
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
    const resident: Point[] = []
    const parts = new Map<string, Point[]>()
    for (const startedMs = performance.now(); performance.now() - startedMs < forMs;) {
      await pause(WINDOW_MS)
      // What is garbage says nothing of hours: V8 collects it when its heap has grown by half, which takes minutes.
      await inspector.collectGarbage()
      const x = performance.now() / HOURS_MS
      resident.push({ x, y: residentBytesOf(bed.service.pid).nowBytes / MIB })
      for (const { labels, value } of partsIn(await bed.service.scrape())) {
        const part = labels['part'] ?? ''
        const points = parts.get(part) ?? []
        points.push({ x, y: value / MIB })
        parts.set(part, points)
      }
    }
    await sent
    return {
      minutes: forMs / 60_000,
      resident,
      slope: slopeOf(resident),
      parts: new Map([...parts].map(([part, points]) => [part, slopeOf(points)]))
    }
  },
  happened: ({ minutes, resident, slope, parts }) => {
    const growing = [...parts]
      .filter(([, { low }]) => low >= NAMED_MIB_MIN)
      .map(([part, { perUnit }]) => `${part} ${perUnit.toFixed(0)}`)
    return [
      `${slope.perUnit.toFixed(0)} MiB an hour, 95 % interval ${slope.low.toFixed(0)} to ${slope.high.toFixed(0)}, by ${resident.length} looks in ${minutes.toFixed(0)} minutes`,
      `parts that grow: ${growing.length === 0 ? 'none' : growing.join(', ')}`
    ].join('; ')
  },
  judge({ slope, parts }, tally) {
    const between = ({ low, high }: Slope): string => `${low.toFixed(0)} to ${high.toFixed(0)} MiB an hour`
    tally.check('memory does not grow for sure', slope.low <= SLOPE_MIB_MAX, between(slope))
    for (const [part, of] of parts) {
      tally.check(`part ${part} does not grow for sure`, of.low <= SLOPE_MIB_MAX, between(of))
    }
  }
})

function partsIn({ samples }: Exposition): Exposition['samples'] {
  return samples.filter(({ name }) => name === PART)
}
