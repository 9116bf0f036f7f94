import { afterEach, expect, test } from '@jest/globals'
import { connect as http2Connect } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { Fault } from '../../src/runtime/fault.ts'
import { sendGrpc, sendHttp1, startAcceptor, until, type Harness } from '../unit/accept/acceptor-under-test.ts'
import {
  dataFrames,
  END_HEADERS,
  frame,
  FrameType,
  grpcHeaders,
  grpcMessage,
  rawHttp2,
  tracesMethod,
  type Frame
} from '../builders/raw-http2.ts'

const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const body = Buffer.from('a body')
const STREAM_ID_MAX = 2 ** 31 - 1
const cutReason = { full: 0, silent: 1, idle: 2, age: 3, drain: 4, unread: 5 } as const

let harness: Harness
afterEach(async () => {
  await harness.acceptor.close(20)
})

const cut = (reason: keyof typeof cutReason): number =>
  harness.counters.get('tail_ingest_connections_cut_total', cutReason[reason])
const goaways = (frames: readonly Frame[]): number[] =>
  frames.filter(({ type }) => type === FrameType.goaway).map(({ payload }) => payload.readUInt32BE(0))

interface HeldRequest {
  readonly socket: Socket
  /** Everything that came back. */
  readonly answer: () => string
  readonly finish: () => void
}

/** An HTTP/1.1 request whose last byte is missing. */
function holdHttp1(): HeldRequest {
  const socket = connect(harness.httpPort, '127.0.0.1')
  let answer = ''
  socket.on('data', (part) => {
    answer += part.toString()
  })
  socket.write(
    'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 6\r\n\r\na bod'
  )
  return { socket, answer: () => answer, finish: () => socket.write('y') }
}

test('closing finishes requests under way on both protocols and takes no new connection', async () => {
  harness = await startAcceptor()
  const http = holdHttp1()
  const frames: Frame[] = []
  const grpc = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
  const message = grpcMessage(body)
  grpc.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  grpc.write(frame(FrameType.data, 0, 1, message.subarray(0, 8)))
  await until(() => harness.acceptor.memory()['accept_in_flight'] === 32 * 1024)

  const closed = harness.acceptor.close(5000)
  await until(() => goaways(frames).length > 0)
  await expect(sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body })).rejects.toThrow('ECONNREFUSED')
  http.finish()
  grpc.write(dataFrames(1, message.subarray(8)))
  await closed

  expect(http.answer()).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  expect(http.answer().toLowerCase()).toContain('connection: close')
  const ended = frames.filter(({ type, stream }) => type === FrameType.headers && stream === 1)
  expect(ended).toHaveLength(2)
  expect(goaways(frames).slice(0, 2)).toEqual([STREAM_ID_MAX, 1])
  expect(harness.taken.map((taken) => taken.body.toString())).toEqual(['a body', 'a body'])
  expect(cut('drain')).toBe(0)
})

test('closing cuts what is not done when the grace is over', async () => {
  harness = await startAcceptor()
  const http = holdHttp1()
  await until(() => harness.acceptor.memory()['accept_in_flight'] !== 0)
  await harness.acceptor.close(30)
  await until(() => http.socket.destroyed || http.socket.readableEnded)
  expect(cut('drain')).toBe(1)
  expect(harness.taken).toEqual([])
})

test('closing does not wait for connections that carry nothing', async () => {
  harness = await startAcceptor()
  const silent = connect(harness.grpcPort, '127.0.0.1')
  const session = http2Connect(`http://127.0.0.1:${harness.grpcPort}`)
  await new Promise((resolve) => session.once('remoteSettings', resolve))
  await harness.acceptor.close(60_000)
  expect(cut('drain')).toBe(0)
  silent.destroy()
})

test('closing twice is closing once', async () => {
  harness = await startAcceptor()
  await Promise.all([harness.acceptor.close(50), harness.acceptor.close(50)])
})

test('an old gRPC connection is told to go, and what it sends until then is taken', async () => {
  harness = await startAcceptor({ connectionAgeMaxMs: 60 })
  const frames: Frame[] = []
  const socket = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
  socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  socket.write(dataFrames(1, grpcMessage(body)))
  await new Promise((resolve) => socket.once('close', resolve))
  expect(goaways(frames).slice(0, 2)).toEqual([STREAM_ID_MAX, 1])
  expect(harness.taken).toHaveLength(1)
  expect(cut('age')).toBe(1)
})

test('an old HTTP/1.1 connection ends with its next answer', async () => {
  harness = await startAcceptor({ connectionAgeMaxMs: 30 })
  const held = holdHttp1()
  await until(() => cut('age') === 1)
  held.finish()
  await new Promise((resolve) => held.socket.once('end', resolve))
  expect(held.answer()).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  expect(held.answer().toLowerCase()).toContain('connection: close')
})

test('an idle HTTP/2 connection is closed, one with a call under way is not', async () => {
  harness = await startAcceptor({ idleTimeoutMs: 60 })
  const idleFrames: Frame[] = []
  const idle = rawHttp2(harness.grpcPort, (seen) => idleFrames.push(seen))
  const busy = rawHttp2(harness.grpcPort, () => undefined)
  busy.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  await new Promise((resolve) => idle.once('close', resolve))
  expect(goaways(idleFrames)[0]).toBe(STREAM_ID_MAX)
  expect(cut('idle')).toBe(1)
  busy.write(dataFrames(1, grpcMessage(body)))
  await until(() => harness.taken.length === 1)
  busy.destroy()
})

test('a sender that disappears without a word gives back what it held', async () => {
  harness = await startAcceptor()
  const socket = rawHttp2(harness.grpcPort, () => undefined)
  socket.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  socket.write(frame(FrameType.data, 0, 1, grpcMessage(body).subarray(0, 8)))
  await until(() => harness.acceptor.memory()['accept_in_flight'] !== 0)
  socket.destroy()
  await until(() => harness.refused('cancelled') === 1)
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
})

test('more calls than streams_max at once wait their turn in the sender', async () => {
  harness = await startAcceptor({ streamsMax: 4 })
  const session = http2Connect(`http://127.0.0.1:${harness.grpcPort}`)
  await new Promise((resolve) => session.once('remoteSettings', resolve))
  expect(session.remoteSettings.maxConcurrentStreams).toBe(4)
  const done = Array.from({ length: 40 }, () => {
    const stream = session.request({ ':method': 'POST', ':path': tracesMethod, 'content-type': 'application/grpc' })
    stream.end(grpcMessage(body))
    stream.resume()
    return new Promise((resolve) => stream.once('close', resolve))
  })
  await Promise.all(done)
  session.close()
  expect(harness.taken).toHaveLength(40)
})

test('a port that is taken is one clear Fault, and nothing listens afterwards', async () => {
  harness = await startAcceptor()
  const failed = await startAcceptor({ httpPort: harness.httpPort }).catch((error: unknown) => error)
  expect(failed).toBeInstanceOf(Fault)
  expect((failed as Fault).code).toBe('BAD_SETTINGS')
  expect((failed as Fault).message).toContain(`127.0.0.1:${harness.httpPort}`)
  const still = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(body) })
  expect(still.trailers['grpc-status']).toBe('0')
})

test('a sender that leaves its answers unread is cut', async () => {
  harness = await startAcceptor({ headersTimeoutMs: 40, bodyTimeoutMs: 40 })
  const unread = rawHttp2(harness.grpcPort, () => undefined)
  const zeroWindow = Buffer.from([0, 4, 0, 0, 0, 0])
  unread.write(frame(FrameType.settings, 0, 0, zeroWindow))
  unread.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders))
  unread.write(dataFrames(1, grpcMessage(body)))
  await until(() => unread.destroyed)
  expect(harness.taken).toHaveLength(1)
  expect(cut('unread')).toBe(1)
})

test('an idle sender in the middle of a frame is cut all the same', async () => {
  harness = await startAcceptor({ headersTimeoutMs: 40, bodyTimeoutMs: 40, idleTimeoutMs: 20 })
  const slow = rawHttp2(harness.grpcPort, () => undefined)
  slow.write(frame(FrameType.headers, END_HEADERS, 1, grpcHeaders).subarray(0, 20))
  await until(() => slow.destroyed)
  expect(cut('idle')).toBe(1)
  expect(harness.taken).toHaveLength(0)
})
