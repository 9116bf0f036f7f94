import { END_HEADERS, frame, FrameType } from '../../builders/raw-http2.ts'
import { attack, type Attack, type AttackFacts, attackSummary } from '../http2-attack.ts'
import { defineScenario } from '../scenario.ts'
import { headers, uint32 } from '../senders/raw-http2.ts'

const windowUpdate = (stream: number, by: number): Buffer => frame(FrameType.windowUpdate, 0, stream, uint32(by))

/** What RFC 9113 calls an error of the connection: it must end. */
const fatal: Readonly<Record<string, Buffer>> = {
  'a stream with an even id': headers(2),
  'headers on stream 0': headers(0),
  'DATA on a stream that is idle': frame(FrameType.data, 0, 7, Buffer.alloc(64)),
  'a push promise': frame(FrameType.pushPromise, 0, 1, uint32(2)),
  'a frame longer than agreed': frame(FrameType.data, 0, 1, Buffer.alloc(16_385)),
  'SETTINGS on a stream': frame(FrameType.settings, 0, 1),
  'SETTINGS of 5 bytes': frame(FrameType.settings, 0, 0, Buffer.alloc(5)),
  'PING of 7 bytes': frame(FrameType.ping, 0, 0, Buffer.alloc(7)),
  'a CONTINUATION of nothing': frame(FrameType.continuation, END_HEADERS, 1),
  'HPACK of an entry that is not there': headers(1, Buffer.from([0xff, 0xff, 0xff, 0x0f])),
  'a connection window beyond 2^31': Buffer.concat([windowUpdate(0, 0x7fff_ffff), windowUpdate(0, 0x7fff_ffff)]),
  'a connection window update of 0': windowUpdate(0, 0)
}

const STREAMS_PER_PIECE = 32
/** It only has to end: a slow machine may take its time. */
const ENDS_WITHIN_MS = 30_000

/** Calls that make the service reset them, by an error of the stream alone (CVE-2025-8671, "MadeYouReset"). */
function makeReset(): Attack {
  let stream = -1
  return {
    next() {
      const pieces: Buffer[] = []
      for (let i = 0; i < STREAMS_PER_PIECE; i++) {
        stream += 2
        pieces.push(headers(stream), i % 2 === 0 ? windowUpdate(stream, 0) : windowUpdate(stream, 0x7fff_ffff))
      }
      return { bytes: Buffer.concat(pieces), frames: pieces.length }
    }
  }
}

interface Facts {
  readonly misuses: readonly { readonly name: string; readonly facts: AttackFacts }[]
  readonly resets: AttackFacts
}

export const scenario = defineScenario<Facts>({
  name: 'HTTP/2 stream misuse',
  thrown: `${Object.keys(fatal).length} violations of the protocol, 8 connections each; calls that make the service reset them (CVE-2025-8671)`,
  limits: { grownMibMax: 256 },
  async run(bed) {
    const misuses = await Promise.all(
      Object.entries(fatal).map(async ([name, bytes]) => ({
        name,
        facts: await attack(bed, {
          connections: 8,
          forMs: 1_000,
          endsWithinMs: ENDS_WITHIN_MS,
          make: () => ({ next: (turn) => (turn === 0 ? { bytes, frames: 1 } : undefined) })
        })
      }))
    )
    const resets = await attack(bed, {
      connections: 16,
      forMs: bed.pick(3_000, 20_000),
      endsWithinMs: ENDS_WITHIN_MS,
      make: makeReset
    })
    return { misuses, resets }
  },
  happened: ({ misuses, resets }) =>
    `${misuses.length} violations on ${misuses.reduce((sum, { facts }) => sum + facts.connections, 0)} connections; resets: ${attackSummary(resets)}`,
  judge({ misuses, resets }, tally) {
    for (const { name, facts } of misuses) {
      tally.check(`${name} ends the connection`, facts.connections > 0 && facts.left === 0, attackSummary(facts))
    }
    tally.check(
      'connections that do nothing but be reset are ended',
      resets.left < resets.connections,
      attackSummary(resets)
    )
  }
})
