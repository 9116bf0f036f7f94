import { Readable } from 'node:stream'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { challenges, peerOf } from '../access/index.ts'
import { free } from '../runtime/free-memory.ts'
import { answerOf, signals, type Signal } from './answers.ts'
import { addCors } from './cors.ts'
import { isRefusal, type Intake } from './intake.ts'
import { refusalCodes, type Refusal } from './refusals.ts'
import { type CorsSettings } from './settings.ts'
import { statusOf, type Encoding } from './status.ts'

/** What is left of a refused body is read into nothing for this long, so that the sender reads its answer before the end. */
export const LINGER_MS = 1000
/** Up to here Node reads what is left by itself, and the connection lives. */
const LEFT_BYTES_MAX = 64 * 1024

export const contentTypes: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json'
}
const pathSignals: ReadonlyMap<string, Signal> = new Map(signals.map((signal) => [`/v1/${signal}`, signal]))

export interface AppParts {
  readonly cors: CorsSettings
  readonly intake: Intake
  /** Whether this request is the last its connection should carry. */
  readonly isLast: (request: FastifyRequest) => boolean
}

/** OTLP/HTTP, whatever version of HTTP carries it. Bodies are read by the intake; Fastify never buffers one. */
export function createApp(parts: AppParts): FastifyInstance {
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      answerError(parts, request, reply, error)
    }
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null)
  })
  addCors(app, parts.cors)
  for (const [path, signal] of pathSignals) {
    app.post(path, (request, reply) => answer(parts, request, reply, signal))
  }
  app.setNotFoundHandler((request, reply) => {
    sendRefusal(parts, request, reply, parts.intake.refuse(notFound(request)))
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    answerError(parts, request, reply, error)
  })
  return app
}

async function answer(parts: AppParts, request: FastifyRequest, reply: FastifyReply, signal: Signal): Promise<unknown> {
  const { intake } = parts
  const encoding = encodingOf(request)
  if (encoding === undefined) return sendRefusal(parts, request, reply, intake.refuse(unsupportedMediaType(request)))
  const compression = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (compression !== 'identity' && compression !== 'gzip' && compression !== '') {
    return sendRefusal(parts, request, reply, intake.refuse(unsupportedEncoding))
  }
  const outcome = await intake.take({
    signal,
    protocol: encoding === 'json' ? 'http_json' : 'http_protobuf',
    gzip: compression === 'gzip',
    declaredBytes: declaredBytes(request),
    timeoutMs: Infinity,
    source: request.raw,
    authorization: request.headers.authorization,
    peer: peerOf(request.raw.socket),
    // Over HTTP/1 each piece has memory of its own; over HTTP/2 it is a part of what the socket read.
    release: request.raw.httpVersionMajor === 1 ? free : keep
  })
  if (isRefusal(outcome)) return sendRefusal(parts, request, reply, outcome)
  if (parts.isLast(request)) reply.header('connection', 'close')
  return reply.header('content-type', contentTypes[encoding]).send(answerOf(signal, outcome, encoding))
}

function keep(): void {
  // Memory that others still read is left to the garbage collector.
}

/** Every error is a google.rpc.Status in the sender's own content type. */
function sendRefusal(parts: AppParts, request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  if (refusal.reason === 'cancelled') return reply.hijack()
  const encoding = encodingOf(request) ?? 'json'
  const status = statusOf(refusal, encoding)
  reply.code(refusalCodes[refusal.reason].http).header('content-type', contentTypes[encoding])
  if (refusal.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(refusal.retryAfterMs / 1000))
  if (refusal.reason === 'unsupported_encoding') reply.header('accept-encoding', 'gzip')
  if (refusal.reason === 'unauthenticated') reply.header('www-authenticate', challenges)
  if (refusal.reason === 'method') reply.header('allow', 'POST')
  if (request.raw.httpVersionMajor !== 1) return reply.send(status)
  const late = refusal.reason === 'timeout'
  const unread = isMuchLeft(request)
  if (late || unread || parts.isLast(request)) reply.header('connection', 'close')
  if (late || !unread) return reply.send(status)
  return reply.header('content-length', status.length).send(lingering(status, request.raw))
}

/** Gives the whole answer at once and ends when the sender has stopped sending, or after LINGER_MS. */
function lingering(answer: Buffer, source: Readable): Readable {
  async function* parts(): AsyncGenerator<Buffer> {
    yield answer
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(stop, LINGER_MS)
      // Its pieces have memory of their own, which would pile up until the next collection of garbage.
      source.once('end', stop).once('close', stop).on('data', free)
    })
  }
  return Readable.from(parts(), { objectMode: false })
}

function answerError(parts: AppParts, request: FastifyRequest, reply: FastifyReply, error: FastifyError): void {
  sendRefusal(parts, request, reply, parts.intake.refuse(refusalOfFastify(error) ?? parts.intake.mistake(error)))
}

/** Undefined for what is not the sender's doing. */
function refusalOfFastify(error: FastifyError): Refusal | undefined {
  const status = error.statusCode ?? 500
  if (status === 413) return { reason: 'too_large', message: error.message }
  if (status === 415) return { reason: 'unsupported_media_type', message: error.message }
  if (status === 404) return { reason: 'not_found', message: error.message }
  if (status >= 400 && status < 500) return { reason: 'bad_payload', message: error.message }
  return undefined
}

function notFound(request: FastifyRequest): Refusal {
  const [path = ''] = request.url.split('?', 1)
  if (pathSignals.has(path)) return { reason: 'method', message: `${path} takes POST only` }
  if (path.startsWith('/opentelemetry.proto.collector.')) {
    return { reason: 'unsupported_media_type', message: 'gRPC is POST over HTTP/2 with content-type application/grpc' }
  }
  return { reason: 'not_found', message: 'traces go to /v1/traces and metrics to /v1/metrics; nothing else is taken' }
}

function unsupportedMediaType(request: FastifyRequest): Refusal {
  const named = JSON.stringify(request.headers['content-type'] ?? '')
  const message = `content-type is ${named}, not ${contentTypes.protobuf} or ${contentTypes.json}`
  return { reason: 'unsupported_media_type', message }
}

const unsupportedEncoding: Refusal = {
  reason: 'unsupported_encoding',
  message: 'content-encoding must be gzip or identity'
}

function encodingOf(request: FastifyRequest): Encoding | undefined {
  const type = mediaType(request.headers['content-type'])
  if (type === contentTypes.protobuf) return 'protobuf'
  return type === contentTypes.json ? 'json' : undefined
}

/** Without its parameters, in lower case. */
export function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return ''
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

function declaredBytes(request: FastifyRequest): number | undefined {
  const length = request.headers['content-length']
  return length === undefined ? undefined : Number(length)
}

function isMuchLeft(request: FastifyRequest): boolean {
  if (request.raw.readableEnded || request.raw.complete) return false
  const declared = declaredBytes(request)
  return declared === undefined ? 'transfer-encoding' in request.headers : declared > LEFT_BYTES_MAX
}
