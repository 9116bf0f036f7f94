import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect as http2Connect } from 'node:http2'
import { connect } from 'node:net'
import { openToAll } from '../../../src/access/index.ts'
import { createAcceptor, type Acceptor } from '../../../src/accept/acceptor.ts'
import { type Verdict } from '../../../src/accept/answers.ts'
import { type AcceptCounters } from '../../../src/accept/counters.ts'
import { type AcceptNext, type AcceptTools } from '../../../src/accept/intake.ts'
import { refusalReasons, type RefusalReason } from '../../../src/accept/refusals.ts'
import { acceptSection, acceptSettings, type AcceptSettings } from '../../../src/accept/settings.ts'
import { tracesMethod } from '../../builders/raw-http2.ts'

export interface Taken {
  readonly signal: string
  readonly encoding: string
  readonly body: Buffer
  /** The bytes that were handed on, of which `body` is a copy. */
  readonly handed: Uint8Array
  readonly lasts: boolean
}

export interface Harness {
  readonly acceptor: Acceptor
  readonly counters: AcceptCounters
  readonly grpcPort: number
  readonly httpPort: number
  /** Bodies in the order they were handed on. */
  readonly taken: Taken[]
  readonly warnings: string[]
  /** What the next bodies are answered with. */
  verdict: Verdict
  /** Thrown instead of answering. */
  failure: unknown
  pressure: ReturnType<AcceptNext['admission']>
  nowMs: () => number
  readonly refused: (reason: RefusalReason) => number
}

/** An acceptor on free ports whose decoder is a list. */
export async function startAcceptor(
  overrides: Partial<AcceptSettings> = {},
  access: Partial<Pick<AcceptTools, 'guard' | 'tls'>> = {}
): Promise<Harness> {
  const settings = { ...acceptSettings(acceptSection.parse({ grpc_port: 0, http_port: 0 })), ...overrides }
  const taken: Taken[] = []
  const warnings: string[] = []
  const take =
    (signal: string) =>
    (body: Uint8Array, encoding: string, lasts: boolean): Verdict => {
      if (harness.failure !== undefined) throw harness.failure as Error
      taken.push({ signal, encoding, body: Buffer.from(body), handed: body, lasts })
      return harness.verdict
    }
  const acceptor = createAcceptor(
    settings,
    {
      log: { info: () => undefined, warn: (_fields, message) => warnings.push(message) },
      nowMs: () => harness.nowMs(),
      turnMs: () => 0,
      random: () => 0.5,
      guard: openToAll,
      tls: undefined,
      ...access
    },
    { traces: take('traces'), metrics: take('metrics'), admission: () => harness.pressure }
  )
  const { grpc, http } = await acceptor.listen()
  const harness: Harness = {
    acceptor,
    counters: acceptor.counters,
    grpcPort: grpc.port,
    httpPort: http.port,
    taken,
    warnings,
    verdict: { rejected: 0, message: '' },
    failure: undefined,
    pressure: undefined,
    nowMs: () => 1_760_000_000_000,
    refused: (reason) => acceptor.counters.get('tail_requests_refused_total', refusalReasons.indexOf(reason))
  }
  return harness
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Of gRPC, or of Trailers-Only. */
  readonly trailers: IncomingHttpHeaders
}

export interface Question {
  readonly port: number
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export function sendHttp1(question: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port, method = 'POST', path = '/v1/traces', headers = {}, body } = question
    const chunked = body === undefined || headers['transfer-encoding'] !== undefined
    const length = chunked ? {} : { 'content-length': String(body.length) }
    const outgoing = httpRequest({ port, method, path, headers: { ...length, ...headers }, agent: false }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        const { statusCode = 0, headers: received } = answer
        resolve({ status: statusCode, headers: received, body: Buffer.concat(parts), trailers: {} })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

export function sendHttp2(question: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port, method = 'POST', path = '/v1/traces', headers = {}, body } = question
    const session = http2Connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': method, ':path': path, ...headers })
    const parts: Buffer[] = []
    let received: IncomingHttpHeaders = {}
    let status = 0
    let trailers: IncomingHttpHeaders = {}
    stream.on('response', (response) => {
      received = response
      status = response[':status'] ?? 0
      if (response['grpc-status'] !== undefined) trailers = response
    })
    stream.on('trailers', (found: IncomingHttpHeaders) => {
      trailers = found
    })
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', () => undefined)
    stream.on('close', () => {
      session.close()
      resolve({ status, headers: received, body: Buffer.concat(parts), trailers })
    })
    stream.end(body)
  })
}

export function sendGrpc(question: Question): Promise<Answer> {
  const { path = tracesMethod, headers = {} } = question
  return sendHttp2({ ...question, path, headers: { 'content-type': 'application/grpc', te: 'trailers', ...headers } })
}

/** Writes bytes as they are and gives everything that comes back until the other side closes. */
export function sendRaw(port: number, ...parts: (string | Buffer)[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const received: Buffer[] = []
    socket.on('data', (part) => received.push(part))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve(Buffer.concat(received))
    })
    for (const part of parts) socket.write(part)
  })
}

/** Waits until something observable has happened, for events that nobody announces. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
