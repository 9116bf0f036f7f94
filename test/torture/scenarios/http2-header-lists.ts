import { END_HEADERS, END_STREAM, frame, FrameType, grpcHeaders, headerBlock } from '../../builders/raw-http2.ts'
import { attack, type Attack, type AttackFacts, attackSummary } from '../http2-attack.ts'
import { defineScenario } from '../scenario.ts'
import { headers, indexedLiteral } from '../senders/raw-http2.ts'

/** The first entry of the dynamic table, as an indexed header field. */
const FIRST_ENTRY = 0x80 | 62
const ENTRY_BYTES = 3_900
const NAMES = 3_500
/** Names of a stranger's headers are objects until V8 collects them, which without a limit of memory it puts off. */
const LIMIT_MIB = 512

/** Headers of 16 KB that are 12,000 times the same 4 KB: 47 MB once written out. */
const hpackBomb = Buffer.concat([
  grpcHeaders,
  indexedLiteral('x-bomb', 'x'.repeat(ENTRY_BYTES)),
  Buffer.alloc(12_000, FIRST_ENTRY)
])
const manyHeaders = Buffer.concat([grpcHeaders, headerBlock(Array.from({ length: NAMES }, () => ['a', ''] as const))])
const half = headerBlock([['x-huge', 'y'.repeat(15_000)]])

const WHOLE = END_HEADERS | END_STREAM
const kinds: readonly ((stream: number) => Buffer)[] = [
  (stream) => headers(stream, hpackBomb, WHOLE),
  (stream) => headers(stream, manyHeaders, WHOLE),
  (stream) =>
    Buffer.concat([
      headers(stream, Buffer.concat([grpcHeaders, half]), END_STREAM),
      frame(FrameType.continuation, END_HEADERS, stream, half)
    ])
]

export const scenario = defineScenario<AttackFacts>({
  name: 'HTTP/2 header lists',
  thrown: `HPACK bombs (16 KB that stand for 47 MB), 3,500 headers in one call, headers of 30 KB, on 12 connections; memory_limit ${LIMIT_MIB}MiB`,
  settings: { memory_limit: `${LIMIT_MIB}MiB` },
  limits: { residentMibMax: LIMIT_MIB },
  run: (bed) => {
    let made = 0
    return attack(bed, {
      connections: 12,
      forMs: bed.pick(3_000, 20_000),
      make(): Attack {
        const bytesOf = kinds[made++ % kinds.length] as (stream: number) => Buffer
        return { next: (turn) => ({ bytes: bytesOf(1 + 2 * turn), frames: 1 }) }
      }
    })
  },
  happened: attackSummary,
  judge({ frames }, tally) {
    tally.check('they were thrown', frames > 100, `${frames} frames`)
  }
})
