import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect as http2Connect } from 'node:http2'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type RefusalReason } from '../../src/accept/refusals.ts'
import { Fault } from '../../src/runtime/fault.ts'
import {
  sendGrpc,
  sendHttp1,
  sendHttp2,
  sendRaw,
  startAcceptor,
  until,
  type Answer,
  type Harness,
  type Question
} from '../unit/accept/acceptor-under-test.ts'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  grpcMessage,
  headerBlock,
  rawHttp2,
  type Frame
} from '../builders/raw-http2.ts'
import { readStatus } from '../unit/accept/status-oracle.ts'

const BYTES_MAX = 100_000
const PROTOBUF = 'application/x-protobuf'
const JSON_TYPE = 'application/json'
const body = Buffer.from('a body')
const bomb = gzipSync(Buffer.alloc(BYTES_MAX + 1))

let harness: Harness
beforeAll(async () => {
  harness = await startAcceptor({ requestBytesMax: BYTES_MAX, bodyTimeoutMs: 100 })
})
afterAll(() => harness.acceptor.close(100))
beforeEach(() => {
  harness.taken.length = 0
  harness.failure = undefined
  harness.pressure = undefined
})

interface HttpCase {
  readonly name: string
  readonly ask: Omit<Question, 'port'>
  readonly arrange?: () => void
  readonly status: number
  /** Of the answer. */
  readonly type: string
  readonly code: number
  readonly reason: RefusalReason
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds of RetryInfo. */
  readonly retryMs?: number
}

const types = [PROTOBUF, JSON_TYPE]
const httpCases: HttpCase[] = [
  ...types.flatMap((type): HttpCase[] => [
    {
      name: `bytes that the decoder refuses (${type})`,
      ask: { headers: { 'content-type': type }, body },
      arrange: () => {
        harness.failure = new Fault('BAD_PAYLOAD', 'cut short at byte 7')
      },
      ...{ status: 400, type, code: 3, reason: 'bad_payload' }
    },
    {
      name: `a Content-Length over the limit (${type})`,
      ask: { headers: { 'content-type': type }, body: Buffer.alloc(BYTES_MAX + 1) },
      ...{ status: 413, type, code: 8, reason: 'too_large' }
    },
    {
      name: `a chunked body over the limit (${type})`,
      ask: { headers: { 'content-type': type, 'transfer-encoding': 'chunked' }, body: Buffer.alloc(BYTES_MAX + 1) },
      ...{ status: 413, type, code: 8, reason: 'too_large' }
    },
    {
      name: `gzip that inflates over the limit (${type})`,
      ask: { headers: { 'content-type': type, 'content-encoding': 'gzip' }, body: bomb },
      ...{ status: 413, type, code: 8, reason: 'too_large' }
    },
    {
      name: `a decoder that is behind (${type})`,
      ask: { headers: { 'content-type': type }, body },
      arrange: () => {
        harness.failure = new Fault('BUSY', 'behind', { retryable: true })
      },
      ...{ status: 503, type, code: 14, reason: 'busy', headers: { 'retry-after': '2' }, retryMs: 1250 }
    },
    {
      name: `memory pressure (${type})`,
      ask: { headers: { 'content-type': type }, body },
      arrange: () => {
        harness.pressure = { cause: 'memory', retryAfterMs: 4000 }
      },
      ...{ status: 503, type, code: 14, reason: 'memory', headers: { 'retry-after': '5' }, retryMs: 5000 }
    },
    {
      name: `a mistake of ours (${type})`,
      ask: { headers: { 'content-type': type }, body },
      arrange: () => {
        harness.failure = new TypeError('undefined is not a span at /secret/path')
      },
      ...{ status: 500, type, code: 13, reason: 'internal' }
    },
    {
      name: `broken gzip (${type})`,
      ask: { headers: { 'content-type': type, 'content-encoding': 'gzip' }, body },
      ...{ status: 400, type, code: 3, reason: 'bad_payload' }
    },
    {
      name: `gzip that is cut short (${type})`,
      ask: { headers: { 'content-type': type, 'content-encoding': 'gzip' }, body: gzipSync(body).subarray(0, 15) },
      ...{ status: 400, type, code: 3, reason: 'bad_payload' }
    },
    {
      name: `another Content-Encoding (${type})`,
      ask: { headers: { 'content-type': type, 'content-encoding': 'zstd' }, body },
      ...{ status: 415, type, code: 12, reason: 'unsupported_encoding', headers: { 'accept-encoding': 'gzip' } }
    },
    {
      name: `logs (${type})`,
      ask: { path: '/v1/logs', headers: { 'content-type': type }, body },
      ...{ status: 404, type, code: 12, reason: 'not_found' }
    },
    {
      name: `another method (${type})`,
      ask: { method: 'PUT', path: '/v1/traces?x=1', headers: { 'content-type': type }, body },
      ...{ status: 405, type, code: 12, reason: 'method', headers: { allow: 'POST' } }
    }
  ]),
  {
    name: 'another Content-Type',
    ask: { headers: { 'content-type': 'text/plain' }, body },
    ...{ status: 415, type: JSON_TYPE, code: 3, reason: 'unsupported_media_type' }
  },
  {
    name: 'a Content-Type that is none',
    ask: { headers: { 'content-type': 'json' }, body },
    ...{ status: 415, type: JSON_TYPE, code: 3, reason: 'unsupported_media_type' }
  },
  {
    name: 'no Content-Type',
    ask: { body },
    ...{ status: 415, type: JSON_TYPE, code: 3, reason: 'unsupported_media_type' }
  },
  {
    name: 'a gRPC method over plain HTTP',
    ask: {
      path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      headers: { 'content-type': JSON_TYPE },
      body
    },
    ...{ status: 415, type: JSON_TYPE, code: 3, reason: 'unsupported_media_type' }
  },
  {
    name: 'a path that is no URL',
    ask: { path: '/v1/%ff', headers: { 'content-type': PROTOBUF }, body },
    ...{ status: 400, type: PROTOBUF, code: 3, reason: 'bad_payload' }
  },
  {
    name: 'GET of the root',
    ask: { method: 'GET', path: '/' },
    ...{ status: 404, type: JSON_TYPE, code: 12, reason: 'not_found' }
  }
]

async function expectRefusal(answer: Answer, expected: HttpCase, refusedBefore: number): Promise<void> {
  expect({ status: answer.status, type: answer.headers['content-type'] }).toEqual({
    status: expected.status,
    type: expected.type
  })
  const status = readStatus(answer.body, expected.type)
  expect({ code: status.code, retryMs: status.retryMs }).toEqual({ code: expected.code, retryMs: expected.retryMs })
  expect(status.message).not.toBe('')
  expect(status.message).not.toContain('secret')
  expect(status.violations).toEqual(expected.reason === 'bad_payload' ? [status.message] : [])
  expect(answer.headers).toMatchObject(expected.headers ?? {})
  expect(harness.refused(expected.reason) - refusedBefore).toBe(1)
  expect(harness.taken).toEqual([])
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
  harness.failure = undefined
  harness.pressure = undefined
  const good = await sendHttp1({ port: harness.httpPort, headers: { 'content-type': PROTOBUF }, body })
  expect(good.status).toBe(200)
}

for (const expected of httpCases) {
  test(`over HTTP/1.1, ${expected.name} is ${expected.status} with a Status, counted, and the next request is taken`, async () => {
    expected.arrange?.()
    const before = harness.refused(expected.reason)
    await expectRefusal(await sendHttp1({ port: harness.httpPort, ...expected.ask }), expected, before)
  })
  if (expected.ask.headers?.['transfer-encoding'] !== undefined) continue
  test(`over HTTP/2, ${expected.name} is ${expected.status} with a Status, counted, and the next request is taken`, async () => {
    expected.arrange?.()
    const before = harness.refused(expected.reason)
    await expectRefusal(await sendHttp2({ port: harness.httpPort, ...expected.ask }), expected, before)
  })
}

interface GrpcCase {
  readonly name: string
  readonly ask: Omit<Question, 'port'>
  readonly arrange?: () => void
  readonly code: number
  readonly reason: RefusalReason
  readonly retryMs?: number
}

const GZIP = { 'grpc-encoding': 'gzip' }
const grpcCases: GrpcCase[] = [
  {
    name: 'bytes that the decoder refuses',
    ask: { body: grpcMessage(body) },
    arrange: () => {
      harness.failure = new Fault('BAD_PAYLOAD', 'cut short at byte 7: 100 % “bad”\n')
    },
    ...{ code: 3, reason: 'bad_payload' }
  },
  {
    name: 'a message over the limit',
    ask: { body: grpcMessage(Buffer.alloc(BYTES_MAX + 1)) },
    ...{ code: 8, reason: 'too_large' }
  },
  {
    name: 'a Content-Length over the limit',
    ask: { headers: { 'content-length': '1000000' }, body: grpcMessage(Buffer.alloc(999_995)) },
    ...{ code: 8, reason: 'too_large' }
  },
  {
    name: 'gzip that inflates over the limit',
    ask: { headers: GZIP, body: grpcMessage(bomb, 1) },
    ...{ code: 8, reason: 'too_large' }
  },
  {
    name: 'a decoder that is behind',
    ask: { body: grpcMessage(body) },
    arrange: () => {
      harness.failure = new Fault('BUSY', 'behind', { retryable: true })
    },
    ...{ code: 14, reason: 'busy', retryMs: 1250 }
  },
  {
    name: 'memory pressure',
    ask: { body: grpcMessage(body) },
    arrange: () => {
      harness.pressure = { cause: 'event_loop', retryAfterMs: 4000 }
    },
    ...{ code: 14, reason: 'event_loop', retryMs: 5000 }
  },
  {
    name: 'a mistake of ours',
    ask: { body: grpcMessage(body) },
    arrange: () => {
      harness.failure = new TypeError('undefined is not a span at /secret/path')
    },
    ...{ code: 13, reason: 'internal' }
  },
  { name: 'broken gzip', ask: { headers: GZIP, body: grpcMessage(body, 1) }, code: 3, reason: 'bad_payload' },
  {
    name: 'a compressed message without grpc-encoding',
    ask: { body: grpcMessage(gzipSync(body), 1) },
    ...{ code: 3, reason: 'bad_payload' }
  },
  { name: 'unknown flags', ask: { body: grpcMessage(body, 2) }, code: 3, reason: 'bad_payload' },
  { name: 'no message', ask: {}, code: 3, reason: 'bad_payload' },
  {
    name: 'half a prefix',
    ask: { body: grpcMessage(body).subarray(0, 3) },
    ...{ code: 3, reason: 'bad_payload' }
  },
  {
    name: 'half a message',
    ask: { body: grpcMessage(body).subarray(0, 7) },
    ...{ code: 3, reason: 'bad_payload' }
  },
  {
    name: 'two messages',
    ask: { body: Buffer.concat([grpcMessage(body), grpcMessage(body)]) },
    ...{ code: 3, reason: 'bad_payload' }
  },
  {
    name: 'another grpc-encoding',
    ask: { headers: { 'grpc-encoding': 'snappy' }, body: grpcMessage(body, 1) },
    ...{ code: 12, reason: 'unsupported_encoding' }
  },
  {
    name: 'a malformed grpc-timeout',
    ask: { headers: { 'grpc-timeout': '10 s' }, body: grpcMessage(body) },
    ...{ code: 3, reason: 'bad_payload' }
  },
  {
    name: 'the logs service',
    ask: { path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export', body: grpcMessage(body) },
    ...{ code: 12, reason: 'not_found' }
  },
  {
    name: 'an unknown method',
    ask: { path: '/v1/traces', body: grpcMessage(body) },
    ...{ code: 12, reason: 'not_found' }
  }
]

for (const expected of grpcCases) {
  test(`over gRPC, ${expected.name} is code ${expected.code} with details, counted, and the next call is taken`, async () => {
    expected.arrange?.()
    const before = harness.refused(expected.reason)
    const answer = await sendGrpc({ port: harness.grpcPort, ...expected.ask })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/grpc')
    expect(answer.headers['grpc-accept-encoding']).toBe('identity,gzip')
    expect(answer.headers['grpc-status']).toBe(String(expected.code))
    const details = Buffer.from(String(answer.headers['grpc-status-details-bin']), 'base64')
    const status = readStatus(details, PROTOBUF)
    expect({ code: status.code, retryMs: status.retryMs }).toEqual({ code: expected.code, retryMs: expected.retryMs })
    expect(decodeURIComponent(String(answer.headers['grpc-message']))).toBe(status.message)
    expect(status.message).not.toContain('secret')
    expect(status.violations).toEqual(expected.reason === 'bad_payload' ? [status.message] : [])
    expect(harness.refused(expected.reason) - before).toBe(1)
    expect(harness.taken).toEqual([])
    expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
    harness.failure = undefined
    harness.pressure = undefined
    const good = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(body) })
    expect(good.trailers['grpc-status']).toBe('0')
  })
}

test('CONNECT over HTTP/2, which has no path, and OPTIONS * are 404 and harm nobody', async () => {
  for (const method of ['CONNECT', 'OPTIONS']) {
    const blocks = headerBlock([
      [':method', method],
      [':authority', 'example.org:1'],
      ...(method === 'CONNECT'
        ? []
        : ([
            [':scheme', 'http'],
            [':path', '*']
          ] as const))
    ])
    const frames: Frame[] = []
    const socket = rawHttp2(harness.grpcPort, (seen) => frames.push(seen))
    socket.write(frame(FrameType.headers, END_HEADERS + END_STREAM, 1, blocks))
    await until(() => frames.some(({ type, flags }) => type === FrameType.data && (flags & END_STREAM) !== 0))
    const answer = frames.find(({ type }) => type === FrameType.data)?.payload
    expect(readStatus(answer ?? Buffer.alloc(0), JSON_TYPE).code).toBe(12)
    socket.destroy()
  }
})

test('an OTLP/HTTP sender over HTTP/2 that waits for 100 Continue gets it', async () => {
  const session = http2Connect(`http://127.0.0.1:${harness.httpPort}`)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/v1/traces',
    'content-type': PROTOBUF,
    expect: '100-continue'
  })
  const status = new Promise((resolve) => {
    stream.once('response', (headers) => {
      resolve(headers[':status'])
    })
  })
  await new Promise((resolve) => stream.once('continue', resolve))
  stream.end(body)
  expect(await status).toBe(200)
  session.close()
})

test('gRPC subtypes and gRPC-Web are 415, not a call', async () => {
  for (const type of ['application/grpc+json', 'application/grpc-web+proto']) {
    const answer = await sendGrpc({
      port: harness.grpcPort,
      headers: { 'content-type': type },
      body: grpcMessage(body)
    })
    expect(answer.status).toBe(415)
    expect(readStatus(answer.body, JSON_TYPE).code).toBe(3)
  }
})

test('a deadline that passes while the body comes is DEADLINE_EXCEEDED, and nothing of it counts', async () => {
  let nowMs = 0
  harness.nowMs = () => (nowMs += 2000)
  const answer = await sendGrpc({
    port: harness.grpcPort,
    headers: { 'grpc-timeout': '1S' },
    body: grpcMessage(body)
  })
  harness.nowMs = () => 0
  expect(answer.headers['grpc-status']).toBe('4')
  expect(harness.taken).toEqual([])
})

test('a mistake of ours is logged once in ten seconds and counted each time', async () => {
  let nowMs = 2e12
  harness.nowMs = () => nowMs
  harness.warnings.length = 0
  harness.failure = new TypeError('a bug')
  const before = harness.refused('internal')
  const ask = { port: harness.httpPort, headers: { 'content-type': PROTOBUF }, body }
  for (const atMs of [2e12, 2e12 + 100, 2e12 + 20_000]) {
    nowMs = atMs
    await sendHttp1(ask)
  }
  expect(harness.refused('internal') - before).toBe(3)
  expect(harness.warnings).toHaveLength(2)
})

const brokenRequests: readonly (readonly [string, string, number, number])[] = [
  ['a method and words that are no HTTP', 'GET up, stand up\r\n\r\n', 400, 3],
  ['a header without a colon', 'POST /v1/traces HTTP/1.1\r\nHost x\r\n\r\n', 400, 3],
  [
    'a Content-Length beside chunks',
    'POST / HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n',
    400,
    3
  ],
  ['a request without Host for nothing we have', 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', 404, 12],
  ['an unknown Expect', 'POST / HTTP/1.1\r\nexpect: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n', 404, 12],
  ['headers of 100 KB', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`, 431, 8]
]
for (const [name, request, status, code] of brokenRequests) {
  test(`${name} are answered with ${status} and a Status in JSON, and the connection is closed`, async () => {
    const [head = '', text = ''] = (await sendRaw(harness.httpPort, request)).toString().split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head).toContain(`content-type: ${JSON_TYPE}`)
    expect(readStatus(Buffer.from(text), JSON_TYPE).code).toBe(code)
  })
}

test('a broken chunk in a body is 400 in the type of the request, counted once, and the connection is closed', async () => {
  const before = harness.refused('bad_payload')
  const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${PROTOBUF}\r\ntransfer-encoding: chunked\r\n\r\n`
  const answer = await sendRaw(harness.httpPort, `${head}5\r\nhello\r\nzz\r\n`)
  const split = answer.indexOf('\r\n\r\n')
  expect(answer.subarray(0, split).toString()).toMatch(/^HTTP\/1.1 400 /)
  expect(readStatus(answer.subarray(split + 4), PROTOBUF).code).toBe(3)
  expect(harness.refused('bad_payload') - before).toBe(1)
  expect(harness.refused('cancelled')).toBe(0)
})

test('a sender that hangs up half-way is counted as cancelled and its bytes are given back', async () => {
  const before = harness.refused('cancelled')
  const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${PROTOBUF}\r\ncontent-length: 50\r\n\r\nhalf`
  const socket = connect(harness.httpPort, '127.0.0.1')
  socket.write(head)
  await until(() => harness.acceptor.memory()['accept_in_flight'] !== 0)
  socket.destroy()
  await until(() => harness.refused('cancelled') - before === 1)
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
})
