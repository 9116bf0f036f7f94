import { createPrivateKey } from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import { connect as http2Connect, type ClientHttp2Stream } from 'node:http2'
import { connect as netConnect } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import {
  accessUnderTest,
  secretFolder,
  type AccessUnderTest,
  type SecretFolder
} from '../builders/access-under-test.ts'
import { createAuthority, type Authority, type Identity } from '../builders/certificates.ts'
import { sendRaw, startAcceptor, until, type Harness } from '../unit/accept/acceptor-under-test.ts'
import { grpcMessage, tracesMethod } from '../builders/raw-http2.ts'

const LOCAL = ['localhost', '127.0.0.1']
const body = Buffer.from('a body')
let authority: Authority
let stranger: Authority
let first: Identity
let second: Identity
beforeAll(() => {
  authority = createAuthority('the authority')
  stranger = createAuthority('a stranger')
  first = authority.issue({ commonName: 'first', alternatives: LOCAL })
  second = authority.issue({ commonName: 'second', alternatives: LOCAL })
})

let folder: SecretFolder
let harness: Harness
let access: AccessUnderTest
beforeEach(() => {
  folder = secretFolder()
  folder.writeIdentity(first)
  folder.write('ca.crt', authority.cert)
})
afterEach(async () => {
  await harness.acceptor.close(20)
  folder.remove()
})

async function start(tls: object = {}, settings: Parameters<typeof startAcceptor>[0] = {}): Promise<void> {
  const files = { cert_file: folder.path('tls.crt'), key_file: folder.path('tls.key') }
  access = await accessUnderTest({ tls: { ...files, ...tls } })
  harness = await startAcceptor(settings, { guard: access.guard, tls: access.otlp })
}

const startMutual = (tls: object = {}): Promise<void> => start({ client_ca_file: folder.path('ca.crt'), ...tls })

/** One export over HTTP/1.1; gives the status, or why there was none. */
function post(options: ConnectionOptions = {}, port = harness.httpPort): Promise<number | string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-length': String(body.length) }
    const outgoing = httpsRequest(
      {
        port,
        host: '127.0.0.1',
        path: '/v1/traces',
        method: 'POST',
        headers,
        agent: false,
        ca: authority.cert,
        ...options
      },
      (answer) => {
        answer.resume().on('end', () => {
          resolve(answer.statusCode ?? 0)
        })
      }
    )
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message)
    })
    outgoing.end(body)
  })
}

/** A gRPC call over TLS that waits for its message. */
function openCall(port: number): { stream: ClientHttp2Stream; status: Promise<unknown>; peer: () => string } {
  const session = http2Connect(`https://localhost:${port}`, { ca: authority.cert })
  const stream = session.request({
    ':method': 'POST',
    ':path': tracesMethod,
    'content-type': 'application/grpc',
    te: 'trailers'
  })
  const status = new Promise((resolve) => {
    stream.on('trailers', (trailers: Record<string, string>) => {
      resolve(trailers['grpc-status'])
    })
    stream.on('close', () => {
      session.close()
      resolve('closed')
    })
  })
  stream.resume()
  return { stream, status, peer: () => peerName(session.socket as TLSSocket) }
}

function peerName(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject.CN)
}

/** The name in the certificate that a new connection is shown. */
function shownName(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: harness.grpcPort, host: '127.0.0.1', ca: authority.cert }, () => {
      resolve(peerName(socket))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('every protocol is served on either port, with ALPN and without', async () => {
  await start()
  for (const port of [harness.grpcPort, harness.httpPort]) {
    harness.taken.length = 0
    expect(await post({}, port)).toBe(200)
    expect(await post({ ALPNProtocols: ['http/1.1'] }, port)).toBe(200)
    const call = openCall(port)
    call.stream.end(grpcMessage(body))
    expect(await call.status).toBe('0')
    expect(harness.taken.map((taken) => taken.body.toString())).toEqual(['a body', 'a body', 'a body'])
  }
  expect(access.handshakes('ok')).toBe(6)
})

test('OTLP over HTTP/2 that is not gRPC is served too', async () => {
  await start()
  const session = http2Connect(`https://localhost:${harness.httpPort}`, { ca: authority.cert })
  const stream = session.request({ ':method': 'POST', ':path': '/v1/traces', 'content-type': 'application/x-protobuf' })
  const status = new Promise((resolve) => {
    stream.on('response', (headers) => {
      resolve(headers[':status'])
    })
  })
  stream.resume().end(body)
  expect(await status).toBe(200)
  session.close()
})

test('who speaks in the clear is turned away and counted, and nobody else notices', async () => {
  await start()
  const call = openCall(harness.grpcPort)
  expect((await sendRaw(harness.httpPort, 'POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n')).toString()).not.toContain(
    'HTTP/1.1 200'
  )
  await until(() => access.handshakes('failed') === 1)
  call.stream.end(grpcMessage(body))
  expect(await call.status).toBe('0')
})

test('a handshake that does not come is cut after headers_timeout', async () => {
  await start({}, { headersTimeoutMs: 60 })
  const socket = netConnect(harness.httpPort, '127.0.0.1')
  await new Promise((resolve) => socket.on('close', resolve))
  expect(access.handshakes('timeout')).toBe(1)
  expect(await post()).toBe(200)
})

test('closing cuts a handshake that is under way', async () => {
  await start()
  const socket = netConnect(harness.httpPort, '127.0.0.1')
  await new Promise((resolve) => socket.on('connect', resolve))
  const gone = new Promise((resolve) => socket.on('close', resolve))
  await harness.acceptor.close(1000)
  await gone
})

test('TLS below min_version is refused', async () => {
  await start({ min_version: 'TLSv1.3' })
  expect(await post({ maxVersion: 'TLSv1.2' })).not.toBe(200)
  expect(await post()).toBe(200)
  expect(access.handshakes('failed')).toBe(1)
})

test('with client_ca_file, only its certificates come in', async () => {
  await startMutual()
  expect(await post()).not.toBe(200)
  expect(await post(stranger.issue({ commonName: 'shop' }))).not.toBe(200)
  const expired = authority.issue({ commonName: 'shop', notAfter: new Date(Date.now() - 60_000) })
  expect(await post(expired)).not.toBe(200)
  expect(await post(authority.issue({ commonName: 'shop' }))).toBe(200)
  await until(() => access.handshakes('client_certificate') === 3)
  expect(access.handshakes('ok')).toBe(1)
  expect(harness.taken).toHaveLength(1)
})

test('an optional client certificate need not be there, nor hold', async () => {
  await startMutual({ client_certificate: 'optional' })
  expect(await post()).toBe(200)
  expect(await post(stranger.issue({ commonName: 'shop' }))).toBe(200)
})

test('a changed certificate is shown to new connections, and a call under way ends on the old one', async () => {
  await start()
  const call = openCall(harness.grpcPort)
  const message = grpcMessage(body)
  call.stream.write(message.subarray(0, 4))
  await until(() => access.handshakes('ok') === 1)
  folder.writeIdentity(second)
  await access.look()
  expect(access.reloads('ok')).toBe(1)
  expect(await shownName()).toBe('second')
  expect(call.peer()).toBe('first')
  call.stream.end(message.subarray(4))
  expect(await call.status).toBe('0')
})

test('a certificate that does not fit its key keeps the old one, is counted and told once', async () => {
  await start()
  folder.write('tls.crt', second.cert)
  await access.look()
  await access.look()
  expect(await shownName()).toBe('first')
  expect(access.reloads('refused')).toBe(1)
  expect(access.logged.filter(({ level }) => level === 'error')).toHaveLength(1)
  folder.write('tls.key', second.key)
  await access.look()
  expect(await shownName()).toBe('second')
})

test('a certificate file that is gone keeps the old one', async () => {
  await start()
  folder.remove()
  await access.look()
  expect(access.reloads('refused')).toBe(1)
  expect(await post()).toBe(200)
})

test('a certificate that its authority takes back is refused from the next look on, a session begun with it too', async () => {
  const [lost, shop] = [authority.issue({ commonName: 'lost' }), authority.issue({ commonName: 'shop' })]
  folder.write('crl.pem', authority.revoke([]))
  await startMutual({ client_crl_file: folder.path('crl.pem') })
  const session = await sessionOf(lost)
  expect(await post({ ...lost, session })).toBe(200)
  folder.write('crl.pem', authority.revoke([lost]))
  await access.look()
  expect(await post(lost)).not.toBe(200)
  expect(await post({ ...lost, session })).not.toBe(200)
  expect(await post(shop)).toBe(200)
  await until(() => access.handshakes('client_certificate') === 2)
})

test('an optional certificate that was taken back counts as none', async () => {
  const lost = authority.issue({ commonName: 'lost' })
  folder.write('crl.pem', authority.revoke([lost]))
  const files = { cert_file: folder.path('tls.crt'), key_file: folder.path('tls.key') }
  const client = { client_ca_file: folder.path('ca.crt'), client_certificate: 'optional' as const }
  access = await accessUnderTest({
    tls: { ...files, ...client, client_crl_file: folder.path('crl.pem') },
    access: { credentials: [{ certificates: ['*'], may: ['send'] }] }
  })
  harness = await startAcceptor({}, { guard: access.guard, tls: access.otlp })
  expect(await post(lost)).toBe(401)
  expect(await post(authority.issue({ commonName: 'shop' }))).toBe(200)
})

test('a list that has expired lets nobody in, and one that is none is refused', async () => {
  const shop = authority.issue({ commonName: 'shop' })
  folder.write('crl.pem', authority.revoke([], new Date(Date.now() - 60_000)))
  await startMutual({ client_crl_file: folder.path('crl.pem') })
  expect(await post(shop)).not.toBe(200)
  folder.write('crl.pem', authority.revoke([]))
  await access.look()
  expect(await post(shop)).toBe(200)
  folder.write('crl.pem', 'no list')
  await access.look()
  expect(access.reloads('refused')).toBe(1)
  expect(JSON.stringify(access.logged.at(-1)?.fields)).toContain('crl.pem')
  expect(await post(shop)).toBe(200)
})

test('a key with a passphrase is opened with what its file says, which is never told', async () => {
  const passphrase = 'correct horse battery staple'
  const encrypted = createPrivateKey(first.key).export({
    ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc' },
    passphrase
  })
  folder.write('tls.key', encrypted.toString())
  folder.write('passphrase', `${passphrase}\n`)
  await start({ key_passphrase_file: folder.path('passphrase') })
  expect(await post()).toBe(200)
  folder.write('passphrase', `${passphrase} no more`)
  await access.look()
  expect(access.reloads('refused')).toBe(1)
  expect(await post()).toBe(200)
  expect(JSON.stringify(access.logged)).toContain('tls.key')
  expect(JSON.stringify(access.logged)).not.toContain(passphrase)
  await expect(start()).rejects.toThrow(/tls\.key: /)
})

/** Of a connection that was made with this certificate, for another to resume. */
function sessionOf(identity: Identity): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: harness.httpPort, host: '127.0.0.1', ca: authority.cert, ...identity })
    socket.on('session', (ticket: Buffer) => {
      resolve(ticket)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('a session begun under an authority that is no longer trusted cannot be resumed', async () => {
  await startMutual()
  const shop = authority.issue({ commonName: 'shop' })
  const session = await sessionOf(shop)
  expect(await post({ ...shop, session })).toBe(200)
  folder.write('ca.crt', stranger.cert)
  await access.look()
  expect(await post({ ...shop, session })).not.toBe(200)
  expect(await post(stranger.issue({ commonName: 'shop' }))).toBe(200)
})
