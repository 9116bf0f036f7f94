import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect } from 'node:net'
import {
  accessUnderTest,
  secretFolder,
  type AccessUnderTest,
  type SecretFolder
} from '../builders/access-under-test.ts'
import { sendGrpc, sendHttp1, sendHttp2, startAcceptor, type Harness } from '../unit/accept/acceptor-under-test.ts'
import { grpcMessage } from '../builders/raw-http2.ts'
import { testExposer, type TestExposer } from '../unit/expose/exposer.ts'

const SENDER = 'token-of-the-senders'
const SCRAPER = 'token-of-prometheus'
const READER = 'token-of-the-people'
const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const body = Buffer.from('a body')
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

let folder: SecretFolder
let access: AccessUnderTest
let harness: Harness
let metrics: TestExposer
beforeAll(async () => {
  folder = secretFolder()
  const entry = (right: string, token: string): object => ({
    file: folder.write(right, `the ${right}: ${token}`.replaceAll(' ', '-').replace(':-', ': ')),
    may: [right]
  })
  access = await accessUnderTest({
    access: {
      credentials: [entry('send', SENDER), entry('read_metrics', SCRAPER), entry('read_traces', READER)] as never
    }
  })
  harness = await startAcceptor({}, { guard: access.guard })
  metrics = testExposer({ tools: { guard: access.guard } })
})
afterAll(async () => {
  await harness.acceptor.close(20)
  await metrics.exposer.app.close()
  folder.remove()
})

const tokens = { [SENDER]: 'send', [SCRAPER]: 'read_metrics', [READER]: 'read_traces' }

test.each(Object.entries(tokens))('%s sends over HTTP and gRPC only with that right', async (token, right) => {
  harness.taken.length = 0
  const headers = { ...PROTOBUF, ...bearer(token) }
  const http1 = await sendHttp1({ port: harness.httpPort, headers, body })
  const http2 = await sendHttp2({ port: harness.httpPort, headers, body })
  const grpc = await sendGrpc({ port: harness.grpcPort, headers: bearer(token), body: grpcMessage(body) })
  const told = [http1.status, http2.status, grpc.trailers['grpc-status']]
  expect(told).toEqual(right === 'send' ? [200, 200, '0'] : [403, 403, '7'])
  expect(harness.taken).toHaveLength(right === 'send' ? 3 : 0)
})

test('without a credential an export is told how to show one', async () => {
  const before = harness.refused('unauthenticated')
  for (const send of [sendHttp1, sendHttp2]) {
    const answer = await send({ port: harness.httpPort, headers: PROTOBUF, body })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toContain('Bearer realm="tailspan"')
    expect(answer.headers['www-authenticate']).toContain('Basic realm="tailspan"')
    expect(answer.headers['content-type']).toBe('application/x-protobuf')
  }
  const grpc = await sendGrpc({ port: harness.grpcPort, body: grpcMessage(body) })
  expect(grpc.trailers['grpc-status']).toBe('16')
  expect(harness.refused('unauthenticated') - before).toBe(3)
})

test('a stranger is refused before a byte of the body has come', async () => {
  const socket = connect(harness.httpPort, '127.0.0.1')
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (part) => {
      resolve(part.toString())
    })
  })
  socket.write(
    'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000\r\n\r\n'
  )
  expect(await answer).toMatch(/^HTTP\/1.1 401 /)
  expect(harness.acceptor.memory()['accept_in_flight']).toBe(0)
  socket.destroy()
})

test.each(Object.entries(tokens))('%s reads what that right is for', async (token, right) => {
  const status = async (url: string): Promise<number> =>
    (await metrics.exposer.app.inject({ url, headers: bearer(token) })).statusCode
  expect(await status('/metrics')).toBe(right === 'read_metrics' ? 200 : 403)
  for (const url of ['/', '/page/main.js', '/api/v1/operations', '/api/v1/learned', '/runbooks/']) {
    expect([url, await status(url)]).toEqual([url, right === 'read_traces' ? 200 : 403])
  }
})

test('without a credential only health is open, and what is not there looks like what is', async () => {
  const answer = async (url: string) => metrics.exposer.app.inject({ url })
  expect((await answer('/healthz')).statusCode).toBe(200)
  expect((await answer('/readyz')).statusCode).toBe(200)
  for (const url of ['/metrics', '/', '/api/v1/operations', '/nothing/here', '/healthz/../metrics', '/%6detrics']) {
    expect([url, (await answer(url)).statusCode]).toEqual([url, 401])
  }
  const refused = await answer('/metrics')
  expect(refused.headers['www-authenticate']).toEqual([
    'Bearer realm="tailspan"',
    'Basic realm="tailspan", charset="UTF-8"'
  ])
  expect(refused.json()).toEqual({ error: 'a bearer token or basic auth is needed' })
})

test('refused reads are counted by reason', async () => {
  const count = (reason: number): number => metrics.exposer.counters.get('tail_reads_refused_total', reason)
  const before = [count(0), count(1)]
  await metrics.exposer.app.inject({ url: '/metrics' })
  await metrics.exposer.app.inject({ url: '/metrics', headers: bearer(READER) })
  expect([count(0), count(1)]).toEqual(before.map((value) => value + 1))
})

test('a token that is taken out of its file is refused from then on, a new one holds', async () => {
  const next = 'the-next-token-of-senders'
  const sends = async (token: string): Promise<number> =>
    (await sendHttp1({ port: harness.httpPort, headers: { ...PROTOBUF, ...bearer(token) }, body })).status
  folder.write('send', `the-send: ${SENDER}\nthe-send: ${next}`)
  await access.look()
  expect([await sends(SENDER), await sends(next)]).toEqual([200, 200])
  folder.write('send', `the-send: ${next}`)
  await access.look()
  expect([await sends(SENDER), await sends(next)]).toEqual([401, 200])
  folder.write('send', 'the-send: short')
  await access.look()
  expect(await sends(next)).toBe(200)
  expect(access.reloads('refused')).toBe(1)
  expect(JSON.stringify(access.logged)).not.toContain('short')
  folder.write('send', `the-send: ${SENDER}`)
  await access.look()
})

// Last, because it leaves nothing for others to guess.
test('sixty guesses a minute are heard, on either port; then senders and readers that are wrong are told to wait', async () => {
  const guess = { ...PROTOBUF, ...bearer('not-a-token-of-anybody') }
  const send = () => sendHttp1({ port: harness.httpPort, headers: guess, body })
  const statuses: number[] = []
  while (statuses.at(-1) !== 429 && statuses.length < 200) statuses.push((await send()).status)
  expect(new Set(statuses.slice(0, -1))).toEqual(new Set([401]))
  const read = await metrics.exposer.app.inject({ url: '/metrics', headers: guess })
  expect(read.statusCode).toBe(429)
  expect(Number(read.headers['retry-after'])).toBeGreaterThan(0)
  expect((await sendHttp1({ port: harness.httpPort, headers: { ...PROTOBUF, ...bearer(SENDER) }, body })).status).toBe(
    200
  )
})
