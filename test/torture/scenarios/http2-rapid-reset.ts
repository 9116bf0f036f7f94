import { frame, FrameType } from '../../builders/raw-http2.ts'
import { attack, type AttackFacts, attackSummary } from '../http2-attack.ts'
import { defineScenario } from '../scenario.ts'
import { headers, uint32 } from '../senders/raw-http2.ts'

const CANCEL = uint32(8)
const STREAMS_PER_PIECE = 64

export const scenario = defineScenario<AttackFacts>({
  name: 'HTTP/2 rapid reset',
  thrown: '16 connections that open a call and cancel it in the same breath, as often as they are let (CVE-2023-44487)',
  run: (bed) => attack(bed, { connections: 16, forMs: bed.pick(4_000, 30_000), make: openAndReset }),
  happened: attackSummary,
  judge({ ended }, tally) {
    const calmed = (ended['ENHANCE_YOUR_CALM'] ?? 0) + (ended['INTERNAL_ERROR'] ?? 0) + (ended['none'] ?? 0)
    tally.check('connections that do nothing but reset are ended', calmed > 0, 'none was')
  }
})

function openAndReset(): { next: () => { bytes: Buffer; frames: number } } {
  let stream = -1
  return {
    next() {
      const pieces: Buffer[] = []
      for (let i = 0; i < STREAMS_PER_PIECE; i++) {
        stream += 2
        pieces.push(headers(stream), frame(FrameType.rst, 0, stream, CANCEL))
      }
      return { bytes: Buffer.concat(pieces), frames: pieces.length }
    }
  }
}
