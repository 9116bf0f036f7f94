import { connect } from 'node:net'
import { END_HEADERS, frame, FrameType, grpcHeaders, grpcMessage, PREFACE } from '../../builders/raw-http2.ts'
import { pause } from '../../builders/live-service.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { headers, settings } from '../senders/raw-http2.ts'

const TIMEOUT_MS = 1_000
const BYTE_EVERY_MS = 200
/** Headers, body, two looks for what is idle or unread; the rest is for a slow machine. */
const AGE_MS_MAX = 5 * TIMEOUT_MS + 25_000

const http1Head = 'POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\n'
const opening = Buffer.concat([PREFACE, settings()])

/** What comes at once, and what then trickles a byte at a time. */
const kinds: Readonly<Record<string, readonly [Uint8Array, Uint8Array]>> = {
  'HTTP/1 headers': [Buffer.alloc(0), Buffer.from(`${http1Head}x-${'long'.repeat(5_000)}: y\r\n\r\n`)],
  'HTTP/1 body': [Buffer.from(`${http1Head}content-length: 100000\r\n\r\n`), Buffer.alloc(100_000)],
  'HTTP/1 chunks': [
    Buffer.from(`${http1Head}transfer-encoding: chunked\r\n\r\n`),
    Buffer.from('1\r\nx\r\n'.repeat(10_000))
  ],
  'HTTP/2 preface': [Buffer.alloc(0), Buffer.concat([PREFACE, Buffer.alloc(10_000)])],
  'an HTTP/2 HEADERS frame': [opening, Buffer.concat([headers(1, Buffer.concat([grpcHeaders, Buffer.alloc(10_000)]))])],
  'HTTP/2 DATA': [Buffer.concat([opening, frame(FrameType.headers, END_HEADERS, 1, grpcHeaders)]), dataByteByByte()]
}

/** DATA frames of a byte each: the sender is never silent, and its message never ends. */
function dataByteByByte(): Buffer {
  const message = grpcMessage(Buffer.alloc(5_000))
  return Buffer.concat([...message].map((byte) => frame(FrameType.data, 0, 1, Buffer.from([byte]))))
}

interface Facts {
  readonly opened: number
  readonly oldestMs: Readonly<Record<string, number>>
  readonly left: number
  readonly last: Exposition
}

export const scenario = defineScenario<Facts>({
  name: 'slow-loris',
  thrown: `a byte every ${BYTE_EVERY_MS} ms: ${Object.keys(kinds).join(', ')}`,
  settings: {
    accept: { headers_timeout: `${TIMEOUT_MS}ms`, body_timeout: `${TIMEOUT_MS}ms`, idle_timeout: `${TIMEOUT_MS}ms` }
  },
  limits: { grownMibMax: 256 },
  async run(bed) {
    const each = bed.pick(10, 100)
    const oldestMs: Record<string, number> = {}
    let left = 0
    await Promise.all(
      Object.entries(kinds).map(async ([name, [atOnce, slowly]]) => {
        const ages = await Promise.all(Array.from({ length: each }, () => trickle(bed.service.http, atOnce, slowly)))
        oldestMs[name] = Math.max(...ages.filter((age) => age !== undefined))
        left += ages.filter((age) => age === undefined).length
      })
    )
    return { opened: each * Object.keys(kinds).length, oldestMs, left, last: await bed.settled() }
  },
  happened: ({ opened, oldestMs, left }) =>
    `${opened} connections, ${left} were left; the oldest lived ${Object.entries(oldestMs)
      .map(([name, ms]) => `${(ms / 1000).toFixed(1)} s (${name})`)
      .join(', ')}`,
  judge({ left }, tally) {
    tally.equal(`every one is ended within ${AGE_MS_MAX} ms`, left, 0)
  }
})

/** How long the service bore it; undefined if it still does. */
function trickle(address: string, atOnce: Uint8Array, slowly: Uint8Array): Promise<number | undefined> {
  const [host = '', port = ''] = address.split(':')
  const startedMs = performance.now()
  const socket = connect(Number(port), host)
  socket.on('error', () => undefined)
  socket.resume()
  if (atOnce.length > 0) socket.write(atOnce)
  let at = 0
  const timer = setInterval(() => socket.write(slowly.subarray(at, ++at)), BYTE_EVERY_MS)
  const closed = new Promise<number>((resolve) =>
    socket.once('close', () => {
      resolve(performance.now() - startedMs)
    })
  )
  return Promise.race([closed, pause(AGE_MS_MAX).then(() => undefined)]).finally(() => {
    clearInterval(timer)
    socket.destroy()
  })
}
