import { frame, FrameType, grpcHeaders, headerBlock } from '../../builders/raw-http2.ts'
import { attack, type AttackFacts, attackSummary } from '../http2-attack.ts'
import { defineScenario } from '../scenario.ts'
import { headers } from '../senders/raw-http2.ts'

const FRAMES_PER_PIECE = 64

export const scenario = defineScenario<AttackFacts>({
  name: 'HTTP/2 CONTINUATION flood',
  thrown: '16 connections whose headers never end (CVE-2024-27316)',
  limits: { grownMibMax: 256 },
  run: (bed) =>
    attack(bed, {
      connections: 16,
      forMs: bed.pick(3_000, 20_000),
      make: () => ({
        next: (turn) =>
          turn === 0
            ? { bytes: headers(1, grpcHeaders, 0), frames: 1 }
            : { bytes: Buffer.concat(Array.from({ length: FRAMES_PER_PIECE }, continuation)), frames: FRAMES_PER_PIECE }
      })
    }),
  happened: attackSummary,
  judge({ connections, left }, tally) {
    tally.check('endless headers end their connection', connections > left, `${left} of ${connections} were left open`)
  }
})

function continuation(): Buffer {
  return frame(FrameType.continuation, 0, 1, headerBlock([['x-more', 'x'.repeat(100)]]))
}
