import { afterEach, expect, test } from '@jest/globals'
import { connect as http2Connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import { connect } from 'node:net'
import { constants, createGzip, gzipSync } from 'node:zlib'
import { cutReasons } from '../../src/accept/counters.ts'
import { sendGrpc, sendHttp1, sendRaw, startAcceptor, until, type Harness } from '../unit/accept/acceptor-under-test.ts'
import {
  dataFrames,
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  grpcHeaders,
  grpcMessage,
  PREFACE,
  rawHttp2,
  tracesMethod,
  type Frame
} from '../builders/raw-http2.ts'
import { readStatus } from '../unit/accept/status-oracle.ts'

const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const GZIP = { 'content-encoding': 'gzip' }
const KIB = 1024
const MIB = 1024 ** 2
const body = Buffer.from('a body')

let harness: Harness
afterEach(async () => {
  await harness.acceptor.close(50)
})

async function expectStillServing(): Promise<void> {
  const http = await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body })
  const grpc = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(body) })
  expect([http.status, grpc.trailers['grpc-status']]).toEqual([200, '0'])
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
}

/** A gigabyte of zeros, a megabyte when compressed. */
async function gigabyteBomb(): Promise<Buffer> {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  const parts: Buffer[] = []
  gzip.on('data', (part: Buffer) => parts.push(part))
  const zeros = Buffer.alloc(8 * MIB)
  for (let i = 0; i < 128; i++) {
    if (!gzip.write(zeros)) await new Promise((resolve) => gzip.once('drain', resolve))
  }
  await new Promise((resolve) => gzip.end(() => gzip.once('end', resolve)))
  return Buffer.concat(parts)
}

test('a gigabyte of zeros in gzip is refused on both transports in bounded memory, however many come at once', async () => {
  harness = await startAcceptor({ requestBytesMax: 16 * MIB, inFlightBytesMax: 64 * MIB })
  const bomb = await gigabyteBomb()
  let peakBytes = 0
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, harness.acceptor.memory()['accept_in_flight'] ?? 0)
  }, 1)
  const answers = await Promise.all([
    ...Array.from({ length: 4 }, async () => {
      const answer = await sendHttp1({ port: harness.httpPort, headers: { ...PROTOBUF, ...GZIP }, body: bomb })
      return answer.status
    }),
    ...Array.from({ length: 4 }, async () => {
      const ask = { port: harness.grpcPort, headers: { 'grpc-encoding': 'gzip' }, body: grpcMessage(bomb, 1) }
      return Number((await sendGrpc(ask)).headers['grpc-status'])
    })
  ])
  clearInterval(watch)
  for (const status of answers.slice(0, 4)) expect([413, 503]).toContain(status)
  for (const status of answers.slice(4)) expect([8, 14]).toContain(status)
  expect(answers.some((status) => status === 413 || status === 8)).toBe(true)
  expect(peakBytes).toBeLessThanOrEqual(64 * MIB)
  expect(harness.taken).toEqual([])
  await expectStillServing()
}, 20_000)

test('gzip whose trailer lies about its size is inflated all the same', async () => {
  harness = await startAcceptor()
  const plain = Buffer.alloc(300_000, 'x')
  for (const claim of [0, 7, 0xffffffff]) {
    const lying = gzipSync(plain)
    // Several members: the hint is the last one's size, and the whole is larger than that.
    const last = gzipSync(Buffer.alloc(claim === 0xffffffff ? 0 : claim))
    const ask = { port: harness.httpPort, headers: { ...PROTOBUF, ...GZIP }, body: Buffer.concat([lying, last]) }
    expect((await sendHttp1(ask)).status).toBe(200)
    expect(harness.taken.at(-1)?.body.length).toBe(300_000 + (claim === 0xffffffff ? 0 : claim))
  }
})

test('a declared gRPC length of 4 GB is refused from its prefix, before anything is held for it', async () => {
  harness = await startAcceptor()
  const frames: Frame[] = []
  const socket = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
  socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  socket.write(frame(FrameType.data, 0, 1, Buffer.from([0, 0xff, 0xff, 0xff, 0xff])))
  await until(() => frames.some(({ type, stream }) => type === FrameType.headers && stream === 1))
  expect(harness.refused('too_large')).toBe(1)
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
  await until(() => frames.some(({ type, stream }) => type === FrameType.rst && stream === 1))
  socket.destroy()
  await expectStillServing()
})

test('what is declared is held only as it comes', async () => {
  harness = await startAcceptor({ inFlightBytesMax: 4 * MIB, requestBytesMax: 4 * MIB })
  const sockets = Array.from({ length: 8 }, () => {
    const socket = rawHttp2(harness.grpcPort, () => undefined)
    socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
    socket.write(frame(FrameType.data, 0, 1, grpcMessage(Buffer.alloc(4 * MIB)).subarray(0, 100)))
    return socket
  })
  await until(() => harness.acceptor.memory()['accept_in_flight'] === 8 * 256 * KIB)
  expect((await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body })).status).toBe(200)
  for (const socket of sockets) socket.destroy()
  await until(() => harness.refused('cancelled') === 8)
  await expectStillServing()
})

test('a message in DATA frames of one byte is refused after some thousands of them', async () => {
  harness = await startAcceptor()
  const frames: Frame[] = []
  const socket = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
  socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  socket.write(dataFrames(1, grpcMessage(Buffer.alloc(60_000)), 1))
  await until(() => frames.some(({ type, stream }) => type === FrameType.headers && stream === 1))
  expect(harness.refused('too_large')).toBe(1)
  expect(harness.taken).toEqual([])
  socket.destroy()
  await expectStillServing()
})

test('a small message in DATA frames of one byte is taken', async () => {
  harness = await startAcceptor()
  const frames: Frame[] = []
  const socket = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
  socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  socket.write(dataFrames(1, grpcMessage(body), 1))
  await until(() => frames.some(({ type, flags }) => type === FrameType.headers && (flags & END_STREAM) !== 0))
  expect(harness.taken.map((taken) => taken.body.toString())).toEqual(['a body'])
  socket.destroy()
})

test('a body that stops half-way is 408 or DEADLINE_EXCEEDED when its time is over', async () => {
  harness = await startAcceptor({ bodyTimeoutMs: 60 })
  const head =
    'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 50\r\n\r\nhalf'
  const http = await sendRaw(harness.httpPort, head)
  expect(http.toString('latin1')).toMatch(/^HTTP\/1.1 408 /)
  expect(readStatus(http.subarray(http.indexOf('\r\n\r\n') + 4), PROTOBUF['content-type']).code).toBe(4)
  const frames: Frame[] = []
  const socket = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
  socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  socket.write(frame(FrameType.data, 0, 1, grpcMessage(body).subarray(0, 8)))
  await until(() => frames.some(({ type, flags }) => type === FrameType.headers && (flags & END_STREAM) !== 0))
  expect(harness.refused('timeout')).toBe(2)
  socket.destroy()
  await expectStillServing()
})

test('headers that trickle are 408, and the connection is closed', async () => {
  harness = await startAcceptor({ headersTimeoutMs: 80 })
  const answer = await sendRaw(harness.httpPort, 'POST /v1/traces HTTP/1.1\r\nhost: x\r\n')
  expect(answer.toString()).toMatch(/^HTTP\/1.1 408 /)
  expect(harness.refused('timeout')).toBe(1)
})

test('a connection that says nothing, or only the start of a preface, is closed', async () => {
  harness = await startAcceptor({ headersTimeoutMs: 40 })
  for (const start of ['', 'P', 'PRI', PREFACE.subarray(0, 20)]) {
    // Nothing is told to one that never spoke; one that began to speak HTTP/2 may get SETTINGS and GOAWAY.
    await sendRaw(harness.grpcPort, start)
  }
  expect(harness.counters.get('tail_ingest_connections_cut_total', 1)).toBe(4)
})

test('a preface that comes byte by byte is HTTP/2, and a method that comes byte by byte is HTTP/1.1', async () => {
  harness = await startAcceptor()
  const request = `POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`
  const http2Start = Buffer.concat([
    PREFACE,
    frame(FrameType.settings, 0, 0),
    frame(FrameType.headers, END_HEADERS, 1, grpcHeaders),
    dataFrames(1, grpcMessage(body))
  ])
  for (const [bytes, isDone] of [
    [Buffer.from(request), (answer: Buffer) => answer.toString().startsWith('HTTP/1.1 200 OK')],
    [http2Start, (answer: Buffer) => answer.includes('grpc-status') || harness.taken.length === 2]
  ] as const) {
    const socket = connect({ port: harness.grpcPort, host: '127.0.0.1', noDelay: true })
    let answer = Buffer.alloc(0)
    socket.on('data', (part) => {
      answer = Buffer.concat([answer, part])
    })
    for (const byte of bytes) {
      socket.write(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => isDone(answer))
    socket.destroy()
  }
  expect(harness.taken.map((taken) => taken.body.toString())).toEqual(['{}', 'a body'])
})

test('when too many bytes are under way, new bodies are told when to come back, and are taken when there is room', async () => {
  harness = await startAcceptor({ requestBytesMax: MIB, inFlightBytesMax: MIB })
  const holders = Array.from({ length: 4 }, () => {
    const socket = connect(harness.httpPort, '127.0.0.1')
    socket.write(
      Buffer.concat([
        Buffer.from(
          'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 262144\r\n\r\n'
        ),
        Buffer.alloc(100)
      ])
    )
    return socket
  })
  await until(() => harness.acceptor.memory()['accept_in_flight'] === MIB)
  const http = await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body })
  expect(http.status).toBe(503)
  expect(http.headers['retry-after']).toBe('2')
  expect(readStatus(http.body, PROTOBUF['content-type']).retryMs).toBe(1250)
  const grpc = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(body) })
  expect(grpc.headers['grpc-status']).toBe('14')
  const details = Buffer.from(String(grpc.headers['grpc-status-details-bin']), 'base64')
  expect(readStatus(details, PROTOBUF['content-type']).retryMs).toBe(1250)
  for (const holder of holders) holder.destroy()
  await until(() => harness.acceptor.memory()['accept_in_flight'] === 0)
  await expectStillServing()
})

test('a refused body of many megabytes does not lose its answer', async () => {
  harness = await startAcceptor({ requestBytesMax: MIB })
  const answer = await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body: Buffer.alloc(20 * MIB) })
  expect(answer.status).toBe(413)
  expect(answer.headers.connection).toBe('close')
  const grpc = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(Buffer.alloc(5 * MIB)) })
  expect(grpc.headers['grpc-status']).toBe('8')
})

test('connections beyond connections_max are closed at once, and the others work on', async () => {
  harness = await startAcceptor({ connectionsMax: 2 })
  const held = [connect(harness.httpPort, '127.0.0.1'), connect(harness.grpcPort, '127.0.0.1')]
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  // The listener takes connections in order, but each port in its own turn.
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await sendRaw(harness.httpPort, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n')).toHaveLength(0)
  expect(harness.counters.get('tail_ingest_connections_cut_total', 0)).toBe(1)
  held[0]?.destroy()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect((await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body })).status).toBe(200)
  held[1]?.destroy()
})

test('streams that are reset as soon as they open leave nothing behind', async () => {
  harness = await startAcceptor()
  const socket = rawHttp2(harness.grpcPort, () => undefined)
  for (let stream = 1; stream < 400; stream += 2) {
    socket.write(frame(FrameType.headers, END_HEADERS, stream, grpcHeaders))
    socket.write(frame(FrameType.data, 0, stream, grpcMessage(body).subarray(0, 8)))
    socket.write(frame(FrameType.rst, 0, stream, Buffer.from([0, 0, 0, 8])))
  }
  await until(() => harness.refused('cancelled') === 200)
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
  socket.destroy()
  await expectStillServing()
})

test('a connection that speaks neither HTTP/1 nor HTTP/2 is closed without a word, and counted', async () => {
  harness = await startAcceptor()
  const unknown = cutReasons.indexOf('unknown_protocol')
  const clientHello = Buffer.from([22, 3, 1, 0, 100, 1, 0, 0])
  for (const start of [
    clientHello,
    'HELO example.org\r\n',
    'INVALID CONNECTION PREFACE\r\n\r\n',
    'get / HTTP/1.1\r\n\r\n'
  ]) {
    expect(await sendRaw(harness.grpcPort, start)).toHaveLength(0)
  }
  expect(harness.counters.get('tail_ingest_connections_cut_total', unknown)).toBe(4)
  await expectStillServing()
})

test('a session is not ended for calls that it was refused, however many', async () => {
  harness = await startAcceptor({ requestBytesMax: 64 * KIB })
  const session = http2Connect(`http://127.0.0.1:${harness.grpcPort}`)
  const huge = grpcMessage(Buffer.alloc(128 * KIB))
  for (let call = 0; call < 400; call++) {
    expect(await exportOn(session, huge)).toBe('8')
  }
  expect(await exportOn(session, grpcMessage(body))).toBe('0')
  session.close()
})

/** Gives grpc-status. */
function exportOn(session: ClientHttp2Session, message: Buffer): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': tracesMethod, 'content-type': 'application/grpc' })
    let status: unknown
    const note = (headers: IncomingHttpHeaders): void => {
      status ??= headers['grpc-status']
    }
    stream.on('response', note).on('trailers', note).on('error', reject)
    stream.on('close', () => {
      resolve(status)
    })
    stream.resume()
    stream.end(message)
  })
}

test('bytes that are no HTTP/2 after the preface end the connection and nothing else', async () => {
  harness = await startAcceptor()
  await sendRaw(harness.grpcPort, PREFACE, Buffer.alloc(1000, 0xff))
  await expectStillServing()
})

test('four hundred mutated conversations leave a process that serves, holds nothing and made no mistake of its own', async () => {
  harness = await startAcceptor({ headersTimeoutMs: 200, bodyTimeoutMs: 200 })
  const head =
    'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
  const http1 = Buffer.from(`${head}5\r\nhello\r\n0\r\n\r\n${head}3;x=y\r\nabc\r\n0\r\n\r\n`)
  const http2 = Buffer.concat([
    PREFACE,
    frame(FrameType.settings, 0, 0),
    frame(FrameType.headers, END_HEADERS, 1, grpcHeaders),
    dataFrames(1, grpcMessage(gzipSync(body), 1), 9),
    frame(FrameType.windowUpdate, 0, 0, Buffer.from([0, 0, 1, 0])),
    frame(FrameType.headers, END_HEADERS, 3, grpcHeaders),
    dataFrames(3, grpcMessage(body))
  ])
  let state = 20_261_121
  const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below
  for (let round = 0; round < 20; round++) {
    const conversations = Array.from({ length: 20 }, (_, i) => {
      const bytes = Buffer.from(i % 2 === 0 ? http1 : http2)
      // The preface stays whole, or nothing behind it would be read.
      const from = i % 2 === 0 ? 0 : PREFACE.length
      for (let change = random(4); change >= 0; change--) bytes[from + random(bytes.length - from)] = random(256)
      const sent = bytes.subarray(0, from + random(bytes.length - from + 1))
      return new Promise((resolve) => {
        const socket = connect(harness.grpcPort, '127.0.0.1')
        socket.on('error', () => undefined).on('data', () => undefined)
        socket.write(sent, () => setTimeout(() => socket.destroy(), 5))
        socket.on('close', resolve)
      })
    })
    await Promise.all(conversations)
  }
  await until(() => harness.acceptor.memory()['accept_in_flight'] === 0)
  expect(harness.refused('internal')).toBe(0)
  expect(harness.warnings).toEqual([])
  await expectStillServing()
})
