import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import { gunzipSync } from 'node:zlib'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'
import { type Answer, grpcAnswer, later } from './answer.ts'
import { type Client } from './destination.ts'
import { ANSWER_BYTES_MAX, type ClientTools } from './http-client.ts'

const PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const PREFIX_BYTES = 5

/** OTLP over gRPC: unary calls on one HTTP/2 connection, which is made again when it is gone. */
export function createGrpcClient({ endpoint, timeoutMs }: DestinationSettings, { headers, tls }: ClientTools): Client {
  const { origin } = new URL(endpoint)
  let session: ClientHttp2Session | undefined
  let secrets = tls()

  function connected(): ClientHttp2Session {
    const now = tls()
    // New files mean a new connection; calls under way end on theirs.
    if (now !== secrets) session?.close()
    secrets = now
    if (session !== undefined && !session.closed && !session.destroyed) return session
    const made = connect(origin, { ...secrets, settings: { enablePush: false } })
    session = made
    // Its streams tell what went wrong; a connection that is to end takes no new ones.
    made.on('error', () => undefined)
    made.on('goaway', () => {
      if (session === made) session = undefined
      made.close()
    })
    made.unref()
    return made
  }

  function call(body: Buffer, gzipped: boolean): Promise<Answer> {
    const on = connected()
    const stream = on.request({
      ':method': 'POST',
      ':path': PATH,
      ...headers(),
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${timeoutMs}m`,
      'grpc-accept-encoding': 'identity,gzip',
      ...(gzipped && { 'grpc-encoding': 'gzip' })
    })
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        settle(later(`no answer within ${timeoutMs} ms`))
        stream.close()
        // A connection whose other end is gone would let every call wait as long.
        on.destroy()
      }, timeoutMs)
      const settle = (answer: Answer): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      collect(stream, settle)
      const prefix = Buffer.alloc(PREFIX_BYTES)
      prefix[0] = gzipped ? 1 : 0
      prefix.writeUInt32BE(body.length, 1)
      stream.write(prefix)
      stream.end(body)
    })
  }

  return {
    async send(body, gzipped) {
      try {
        return await call(body, gzipped)
      } catch (reason) {
        // The connection ended while it was chosen.
        return later(Fault.from(reason).message)
      }
    },
    close() {
      session?.destroy()
    }
  }
}

/** Puts headers, message and trailers of an answer together. */
function collect(stream: ClientHttp2Stream, settle: (answer: Answer) => void): void {
  const pieces: Buffer[] = []
  let bytes = 0
  let head: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders = {}
  stream.on('response', (headers) => {
    head = headers
  })
  stream.on('trailers', (headers: IncomingHttpHeaders) => {
    trailers = headers
  })
  stream.on('data', (piece: Buffer) => {
    bytes += piece.length
    if (bytes <= ANSWER_BYTES_MAX) pieces.push(piece)
  })
  stream.on('error', (reason: Error) => {
    settle(later(Fault.from(reason).message))
  })
  stream.on('close', () => {
    const status = head[':status']
    // Nothing was said at all, or the connection broke.
    if (status === undefined) settle(later('the connection was closed'))
    else
      settle(
        grpcAnswer({
          httpStatus: Number(status),
          ...statusOf({ ...head, ...trailers }),
          body: messageOf(Buffer.concat(pieces))
        })
      )
  })
}

function statusOf(headers: IncomingHttpHeaders): { code: number | undefined; message: string; details: Buffer } {
  const code = textOf(headers['grpc-status'])
  return {
    code: /^\d{1,3}$/.test(code) ? Number(code) : undefined,
    message: decoded(textOf(headers['grpc-message'])),
    details: Buffer.from(textOf(headers['grpc-status-details-bin']), 'base64')
  }
}

/** The first frame's content; empty when there is none to be read. */
function messageOf(frames: Buffer): Buffer {
  if (frames.length < PREFIX_BYTES || frames.length < PREFIX_BYTES + frames.readUInt32BE(1)) return Buffer.alloc(0)
  const message = frames.subarray(PREFIX_BYTES, PREFIX_BYTES + frames.readUInt32BE(1))
  if (frames[0] === 0) return message
  try {
    return gunzipSync(message, { maxOutputLength: ANSWER_BYTES_MAX })
  } catch {
    return Buffer.alloc(0)
  }
}

function textOf(value: string | string[] | undefined): string {
  return Array.isArray(value) ? (value[0] ?? '') : (value ?? '')
}

/** grpc-message is percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
