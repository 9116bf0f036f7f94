import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createDestinations, refuseLoops } from '../../../src/forward/index.ts'
import { type Client } from '../../../src/forward/destinations/destination.ts'
import { createGrpcClient } from '../../../src/forward/destinations/grpc-client.ts'
import { createHttpClient } from '../../../src/forward/destinations/http-client.ts'
import { createTls } from '../../../src/forward/destinations/tls.ts'
import { createHeaders } from '../../../src/forward/destinations/headers.ts'
import { type DestinationSettings, forwardSection, forwardSettings } from '../../../src/forward/settings.ts'
import { grpcBackend, httpBackend } from '../../builders/otlp-backends.ts'

let folder = ''
const noTls = { caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined }
const file = (name: string): string => join(folder, name)

/** A certificate of its own authority, for localhost. */
function certify(name: string): void {
  const subject = `/CN=${name}`
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync(
    'openssl',
    [...args, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`), '-subj', subject, ...names],
    { stdio: 'ignore' }
  )
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forward-'))
  certify('server')
  certify('client')
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function destinationsOf(entry: object): {
  give: () => void
  until: (holds: () => boolean) => Promise<void>
  sent: () => number
  failure: () => string
  close: () => Promise<void>
} {
  const { destinations: settings } = forwardSettings(forwardSection.parse({ destinations: [{ name: 'a', ...entry }] }))
  const destinations = createDestinations(settings, {
    nowMs: Date.now,
    random: () => 0.5,
    log: { warn: () => undefined, info: () => undefined },
    delivered: () => undefined
  })
  const state = () => destinations.states()[0]
  return {
    give() {
      destinations.offer('all', { bytes: Buffer.from('abc'), spans: 1 })
    },
    async until(holds) {
      const untilMs = performance.now() + 10_000
      while (!holds() && performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve))
      expect(holds()).toBe(true)
    },
    sent: () => state()?.spans[0] ?? 0,
    failure: () => state()?.lastFailure ?? '',
    close: () => destinations.close(0)
  }
}

test.each(['http', 'grpc'])(
  'over %s with TLS: only with the right authority, and with a certificate where one is asked for',
  async (protocol) => {
    const tls = {
      key: readFileSync(file('server.key')),
      cert: readFileSync(file('server.pem')),
      ca: readFileSync(file('client.pem'))
    }
    const backend = await (protocol === 'grpc' ? grpcBackend(undefined, tls) : httpBackend(undefined, tls))
    const { endpoint } = backend
    const client = { cert_file: file('client.pem'), key_file: file('client.key') }
    const trusting = destinationsOf({ endpoint, protocol, tls: { ca_file: file('server.pem'), ...client } })
    trusting.give()
    await trusting.until(() => trusting.sent() === 1)
    const strange = destinationsOf({ endpoint, protocol, tls: client })
    const nameless = destinationsOf({ endpoint, protocol, tls: { ca_file: file('server.pem') } })
    for (const one of [strange, nameless]) {
      one.give()
      await one.until(() => one.failure() !== '')
      expect(one.sent()).toBe(0)
    }
    expect(backend.received).toHaveLength(1)
    for (const one of [trusting, strange, nameless]) await one.close()
    await backend.close()
  }
)

// Scenario: a destination's certificate is exchanged for one of another authority, and the file with the authority after it.
// Guarantees: what is on its way ends; without a restart the new authority is believed, and the old one is no more.
test.each(['http', 'grpc'])('over %s: files of TLS are read again when they change', async (protocol) => {
  const serve = (name: string) => {
    const tls = { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) }
    return protocol === 'grpc' ? grpcBackend(undefined, tls) : httpBackend(undefined, tls)
  }
  const first = await serve('server')
  const second = await serve('client')
  copyFileSync(file('server.pem'), file('authority.pem'))
  const clock = { nowMs: 0 }
  const tools = { nowMs: () => clock.nowMs, log: { warn: () => undefined, info: () => undefined } }
  const tls = createTls({ name: 'a', tls: { ...noTls, caFile: file('authority.pem') } }, tools)
  const create = protocol === 'grpc' ? createGrpcClient : createHttpClient
  const clientOf = ({ endpoint }: { endpoint: string }) =>
    create({ endpoint, timeoutMs: 5_000, concurrency: 1 } as DestinationSettings, {
      headers: () => ({}),
      tls,
      nowMs: () => clock.nowMs
    })
  const [old, renewed] = [clientOf(first), clientOf(second)]
  const kindOf = async (client: Client): Promise<string> => (await client.send(Buffer.from('abc'), false)).kind
  expect([await kindOf(old), await kindOf(renewed)]).toEqual(['taken', 'later'])
  copyFileSync(file('client.pem'), file('authority.pem'))
  expect([await kindOf(old), await kindOf(renewed)]).toEqual(['taken', 'later'])
  clock.nowMs = 5_000
  expect([await kindOf(old), await kindOf(renewed)]).toEqual(['later', 'taken'])
  writeFileSync(file('authority.pem'), 'half of a file')
  clock.nowMs = 10_000
  expect(await kindOf(renewed)).toBe('taken')
  expect(() => createTls({ name: 'a', tls: { ...noTls, caFile: file('authority.pem') } }, tools)).toThrow(
    /destination a: tls: /
  )
  for (const client of [old, renewed]) client.close()
  for (const backend of [first, second]) await backend.close()
})

test('a header from a file is read again when it changes; what is no header value is refused at the start', () => {
  const clock = { nowMs: 0 }
  writeFileSync(file('token'), ' Bearer one\n')
  const settings = { name: 'a', headers: { 'x-a': 'b' }, headersFromFiles: { authorization: file('token') } }
  const headers = createHeaders(settings, () => clock.nowMs)
  expect(headers()).toEqual({ 'x-a': 'b', authorization: 'Bearer one' })
  writeFileSync(file('token'), 'Bearer two')
  expect(headers()['authorization']).toBe('Bearer one')
  clock.nowMs = 5_000
  expect(headers()['authorization']).toBe('Bearer two')
  rmSync(file('token'))
  clock.nowMs = 10_000
  expect(headers()['authorization']).toBe('Bearer two')
  expect(() => createHeaders(settings, () => 0)).toThrow(/destination a: header authorization/)
  writeFileSync(file('token'), 'a\r\nx-evil: 1')
  expect(() => createHeaders(settings, () => 0)).toThrow(/holds no header value/)
})

test.each([
  ['http://127.0.0.1:4318', '127.0.0.1', true],
  ['http://localhost:4318', '127.0.0.1', true],
  ['http://127.0.0.1:4318', '0.0.0.0', true],
  ['http://[::1]:4318', '::', true],
  ['http://127.0.0.1:4319', '0.0.0.0', false],
  ['http://192.0.2.1:4318', '0.0.0.0', false],
  ['http://name.invalid:4318', '0.0.0.0', false]
])('%s while listening at %s: a loop is %s', async (endpoint, host, isLoop) => {
  const refused = refuseLoops([{ name: 'a', endpoint }], [{ host, port: 4318 }])
  if (isLoop) await expect(refused).rejects.toThrow('where Tailspan itself takes spans')
  else await refused
})
