import { afterEach, expect, test } from '@jest/globals'
import { gzipSync } from 'node:zlib'
import { createGuard } from '../../src/access/guard.ts'
import { readCredentials } from '../../src/access/credentials.ts'
import { accessSection, accessSettings } from '../../src/access/settings.ts'
import {
  sendGrpc,
  sendHttp1,
  sendHttp2,
  startAcceptor,
  type Answer,
  type Harness
} from '../unit/accept/acceptor-under-test.ts'
import { grpcMessage } from '../builders/raw-http2.ts'
import { readStatus } from '../unit/accept/status-oracle.ts'

const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const body = Buffer.from('a body')
const unlimited = { requestsPerSecond: Infinity, bytesPerSecond: Infinity, burstMs: 1_000, clientsMax: 100 }
const credentials = readCredentials('shop: token-of-the-shop-1\ncart: token-of-the-cart-1', 'tokens', ['send'])
const guard = createGuard(accessSettings(accessSection.parse({})), {
  credentials: () => credentials,
  guess: () => undefined
})
const bearer = (name: string): Record<string, string> => ({ authorization: `Bearer token-of-the-${name}-1` })

let harness: Harness
afterEach(() => harness.acceptor.close(20))

test('beyond its requests a client is told when to come back, by each protocol in its words', async () => {
  harness = await startAcceptor({ clientLimits: { ...unlimited, requestsPerSecond: 0.5, burstMs: 2_000 } })
  const { httpPort: port } = harness
  expect((await sendHttp1({ port, headers: PROTOBUF, body })).status).toBe(200)
  const http = await sendHttp1({ port, headers: PROTOBUF, body })
  // 2 s, and up to half of it more, so that those who were refused together do not come back together.
  expect([http.status, http.headers['retry-after']]).toEqual([429, '3'])
  expect(readStatus(http.body, 'application/x-protobuf')).toMatchObject({ code: 14, retryMs: 2500 })
  const grpc = await sendGrpc({ port, body: grpcMessage(body) })
  expect(grpc.trailers['grpc-status']).toBe('14')
  const details = Buffer.from(String(grpc.trailers['grpc-status-details-bin']), 'base64')
  expect(readStatus(details, 'application/x-protobuf').retryMs).toBe(2500)
  expect(harness.refused('rate_limited')).toBe(2)
  const later = harness.nowMs() + 2_000
  harness.nowMs = () => later
  expect((await sendHttp1({ port, headers: PROTOBUF, body })).status).toBe(200)
})

test('who guesses too often is told when to come back, by each protocol in its words, and who is right is not', async () => {
  const guessing = createGuard(accessSettings(accessSection.parse({})), {
    credentials: () => credentials,
    guess: () => 2_000
  })
  harness = await startAcceptor({}, { guard: guessing })
  const { httpPort: port } = harness
  const http = await sendHttp1({ port, headers: { ...PROTOBUF, ...bearer('thief') }, body })
  expect([http.status, http.headers['retry-after']]).toEqual([429, '3'])
  expect(readStatus(http.body, 'application/x-protobuf')).toMatchObject({ code: 8, retryMs: 2500 })
  const grpc = await sendGrpc({ port, headers: bearer('thief'), body: grpcMessage(body) })
  expect(grpc.trailers['grpc-status']).toBe('8')
  const details = Buffer.from(String(grpc.trailers['grpc-status-details-bin']), 'base64')
  expect(readStatus(details, 'application/x-protobuf').retryMs).toBe(2500)
  expect(harness.refused('too_many_failures')).toBe(2)
  expect((await sendHttp1({ port, headers: { ...PROTOBUF, ...bearer('shop') }, body })).status).toBe(200)
})

test('bytes count after decompression', async () => {
  harness = await startAcceptor({ clientLimits: { ...unlimited, bytesPerSecond: 1_000 } })
  const zipped = gzipSync(Buffer.alloc(100_000))
  const headers = { ...PROTOBUF, 'content-encoding': 'gzip' }
  expect((await sendHttp1({ port: harness.httpPort, headers, body: zipped })).status).toBe(200)
  const next = await sendHttp1({ port: harness.httpPort, headers, body: zipped })
  expect([next.status, next.headers['retry-after']]).toEqual([429, String(Math.ceil(99.001 * 1.25))])
})

test('clients are told apart by their credential', async () => {
  harness = await startAcceptor({ clientLimits: { ...unlimited, requestsPerSecond: 1 } }, { guard })
  const send = async (name: string): Promise<Answer> =>
    sendHttp1({ port: harness.httpPort, headers: { ...PROTOBUF, ...bearer(name) }, body })
  expect((await send('shop')).status).toBe(200)
  expect((await send('shop')).status).toBe(429)
  expect((await send('cart')).status).toBe(200)
})

const cors = { allowedOrigins: ['https://*.shop.example'], allowedHeaders: ['x-tenant'], maxAgeMs: 600_000 }
const origin = 'https://www.shop.example'
const preflight = {
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,authorization'
  }
}

test.each([
  ['HTTP/1', sendHttp1],
  ['HTTP/2', sendHttp2]
])('a preflight is answered before anybody is asked who he is, over %s', async (_, send) => {
  harness = await startAcceptor({ cors }, { guard })
  const answer = await send({ port: harness.httpPort, ...preflight, body: Buffer.alloc(0) })
  expect(answer.status).toBe(204)
  expect(answer.headers).toMatchObject({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type, content-encoding, authorization, x-tenant',
    'access-control-max-age': '600',
    vary: 'origin'
  })
})

test('a page of an allowed origin can read its answer and every refusal', async () => {
  harness = await startAcceptor({ cors, requestBytesMax: 100 }, { guard })
  const { httpPort: port } = harness
  const shown = { ...PROTOBUF, ...bearer('shop'), origin }
  const answers = [
    await sendHttp1({ port, headers: shown, body }),
    await sendHttp1({ port, headers: { ...PROTOBUF, origin }, body }),
    await sendHttp1({ port, headers: shown, body: Buffer.alloc(200) }),
    await sendHttp1({ port, headers: shown, body, path: '/nothing' })
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 401, 413, 404])
  for (const { headers } of answers) {
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'retry-after',
      vary: 'origin'
    })
  }
})

test.each([
  ['another origin', { allowedOrigins: ['https://*.shop.example'] }, 'https://shop.example.evil'],
  ['a port that was not named', { allowedOrigins: ['https://www.shop.example'] }, 'https://www.shop.example:8443'],
  ['CORS that is off', { allowedOrigins: [] }, origin]
])('%s gets no leave', async (_, overrides, from) => {
  harness = await startAcceptor({ cors: { ...cors, ...overrides } })
  const { httpPort: port } = harness
  const asked = await sendHttp1({ port, method: 'OPTIONS', headers: { ...preflight.headers, origin: from } })
  const sent = await sendHttp1({ port, headers: { ...PROTOBUF, origin: from }, body })
  expect(asked.status).toBe(405)
  for (const { headers } of [asked, sent]) expect(headers).not.toHaveProperty('access-control-allow-origin')
})

test('with * whatever headers a page asks for are allowed', async () => {
  harness = await startAcceptor({ cors: { ...cors, allowedHeaders: ['*'] } })
  const headers = { ...preflight.headers, 'access-control-request-headers': 'x-anything' }
  const answer = await sendHttp1({ port: harness.httpPort, method: 'OPTIONS', headers })
  expect(answer.headers['access-control-allow-headers']).toBe('x-anything')
})
