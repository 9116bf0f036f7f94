import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { sendGrpc, sendHttp1, sendHttp2, startAcceptor, type Harness } from '../unit/accept/acceptor-under-test.ts'
import { grpcMessage, tracesMethod } from '../builders/raw-http2.ts'
import { readResponse } from '../unit/accept/status-oracle.ts'

const metricsMethod = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const JSON_TYPE = { 'content-type': 'application/json' }
const GZIP = { 'content-encoding': 'gzip' }
const body = Buffer.from('a body that only the decoder understands, '.repeat(3000))

let harness: Harness
beforeAll(async () => {
  harness = await startAcceptor()
})
afterAll(() => harness.acceptor.close(100))
beforeEach(() => {
  harness.taken.length = 0
  harness.verdict = { rejected: 0, message: '' }
})

/** One body came, this one. Jest compares buffers byte by byte and takes seconds. */
function expectTaken(signal: string, encoding: string): void {
  expect(harness.taken.map((taken) => [taken.signal, taken.encoding, taken.body.equals(body)])).toEqual([
    [signal, encoding, true]
  ])
}

for (const port of ['grpcPort', 'httpPort'] as const) {
  for (const [name, send] of [
    ['HTTP/1.1', sendHttp1],
    ['HTTP/2', sendHttp2]
  ] as const) {
    test(`OTLP/HTTP over ${name} on ${port} takes protobuf and JSON, plain and gzip, for both signals`, async () => {
      for (const signal of ['traces', 'metrics']) {
        for (const type of [PROTOBUF, JSON_TYPE]) {
          for (const gzip of [false, true]) {
            harness.taken.length = 0
            const answer = await send({
              port: harness[port],
              path: `/v1/${signal}`,
              headers: { ...type, ...(gzip ? GZIP : {}) },
              body: gzip ? gzipSync(body) : body
            })
            expect(answer.status).toBe(200)
            expect(answer.headers['content-type']).toBe(type['content-type'])
            expect(answer.body.toString()).toBe(type === JSON_TYPE ? '{}' : '')
            expectTaken(signal, type === JSON_TYPE ? 'json' : 'protobuf')
          }
        }
      }
    })
  }

  test(`gRPC on ${port} takes plain and gzip messages for both signals`, async () => {
    for (const [path, signal] of [
      [tracesMethod, 'traces'],
      [metricsMethod, 'metrics']
    ] as const) {
      for (const gzip of [false, true]) {
        harness.taken.length = 0
        const answer = await sendGrpc({
          port: harness[port],
          path,
          headers: gzip ? { 'grpc-encoding': 'gzip' } : {},
          body: gzip ? grpcMessage(gzipSync(body), 1) : grpcMessage(body)
        })
        expect(answer.status).toBe(200)
        expect(answer.headers['content-type']).toBe('application/grpc')
        expect(answer.trailers['grpc-status']).toBe('0')
        expect(answer.body.equals(grpcMessage(Buffer.alloc(0)))).toBe(true)
        expectTaken(signal, 'protobuf')
      }
    }
  })
}

test('a call with grpc-encoding gzip may hold a plain message', async () => {
  const { trailers } = await sendGrpc({
    port: harness.grpcPort,
    headers: { 'grpc-encoding': 'gzip' },
    body: grpcMessage(body)
  })
  expect(trailers['grpc-status']).toBe('0')
  expect(harness.taken[0]?.body.equals(body)).toBe(true)
})

test('content types count without their parameters and case', async () => {
  for (const type of ['Application/JSON; charset=UTF-8', 'application/json;charset=utf-8', 'APPLICATION/X-PROTOBUF']) {
    const answer = await sendHttp1({ port: harness.httpPort, headers: { 'content-type': type }, body })
    expect(answer.status).toBe(200)
  }
  const upper = await sendGrpc({
    port: harness.httpPort,
    headers: { 'content-type': 'application/grpc+proto' },
    body: grpcMessage(body)
  })
  expect(upper.trailers['grpc-status']).toBe('0')
})

test('an empty body is a request without spans', async () => {
  const http = await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body: Buffer.alloc(0) })
  const chunked = await sendHttp1({
    port: harness.httpPort,
    headers: { ...PROTOBUF, 'transfer-encoding': 'chunked' }
  })
  const grpc = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(Buffer.alloc(0)) })
  expect([http.status, chunked.status, grpc.trailers['grpc-status']]).toEqual([200, 200, '0'])
  expect(harness.taken.map((taken) => taken.body.length)).toEqual([0, 0, 0])
})

test('refused spans and points are named in partial_success, in the encoding of the request', async () => {
  harness.verdict = { rejected: 3, message: '3 spans without an id' }
  const protobuf = await sendHttp1({ port: harness.httpPort, headers: PROTOBUF, body })
  const json = await sendHttp1({ port: harness.httpPort, headers: JSON_TYPE, body })
  const points = await sendHttp1({ port: harness.httpPort, path: '/v1/metrics', headers: JSON_TYPE, body })
  const grpc = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(body) })
  expect(protobuf.status).toBe(200)
  expect(readResponse(protobuf.body)).toEqual(harness.verdict)
  expect(readResponse(grpc.body.subarray(5))).toEqual(harness.verdict)
  expect(grpc.trailers['grpc-status']).toBe('0')
  const errorMessage = '3 spans without an id'
  expect(JSON.parse(json.body.toString())).toEqual({ partialSuccess: { rejectedSpans: '3', errorMessage } })
  expect(JSON.parse(points.body.toString())).toEqual({ partialSuccess: { rejectedDataPoints: '3', errorMessage } })
})

for (const mixed of [false, true]) {
  test(`two hundred calls at once on one connection keep their bytes apart${mixed ? ', OTLP/HTTP among them' : ''}`, async () => {
    // The sender holds 20 MB: more than Node lets a session hold.
    const session = connect(`http://127.0.0.1:${harness.grpcPort}`, { maxSessionMemory: 100 })
    const sizes = Array.from({ length: 200 }, (_, i) => 100_000 + i)
    const statuses = await Promise.all(
      sizes.map((size, i) => {
        const message = Buffer.alloc(size, 65 + (i % 50))
        const overHttp = mixed && i % 2 === 0
        const stream = session.request({
          ':method': 'POST',
          ':path': overHttp ? '/v1/traces' : tracesMethod,
          'content-type': overHttp ? 'application/x-protobuf' : 'application/grpc'
        })
        stream.end(overHttp ? message : grpcMessage(message))
        return new Promise((resolve) => {
          stream.on('response', (headers) => {
            resolve(headers[':status'])
          })
          stream.resume()
        })
      })
    )
    session.close()
    expect(statuses).toEqual(sizes.map(() => 200))
    expect(harness.taken.map(({ body: came }) => came.length).sort((x, y) => x - y)).toEqual(sizes)
    for (const { body: came } of harness.taken) expect(came.equals(Buffer.alloc(came.length, came[0]))).toBe(true)
  })
}

test('every request is counted with its protocol and its bytes before and after inflation', async () => {
  const before = harness.counters.get('tail_ingest_wire_bytes_total', 1)
  const plainBefore = harness.counters.get('tail_ingest_body_bytes_total', 1)
  const compressed = gzipSync(body)
  await sendHttp1({ port: harness.httpPort, headers: { ...PROTOBUF, ...GZIP }, body: compressed })
  expect(harness.counters.get('tail_ingest_wire_bytes_total', 1) - before).toBe(compressed.length)
  expect(harness.counters.get('tail_ingest_body_bytes_total', 1) - plainBefore).toBe(body.length)
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
})
