import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type Socket } from 'node:net'
import { peerOf } from '../access/index.ts'
import { answerOf, type Signal } from './answers.ts'
import { GRPC_PREFIX_BYTES } from './body.ts'
import { isRefusal, type Intake } from './intake.ts'
import { refusalCodes, type Refusal } from './refusals.ts'
import { percentEncoded, statusOf } from './status.ts'

export interface GrpcCall {
  readonly stream: ServerHttp2Stream
  readonly socket: Socket
  readonly headers: IncomingHttpHeaders
  /** Called with each piece of the message once it has been copied. */
  readonly release: (piece: Buffer) => void
}

const methods: ReadonlyMap<string, Signal> = new Map([
  ['/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'traces'],
  ['/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', 'metrics']
])
const unknownMethod: Refusal = {
  reason: 'not_found',
  message: 'only TraceService/Export and MetricsService/Export are served'
}
const unknownEncoding: Refusal = {
  reason: 'unsupported_encoding',
  message: 'grpc-encoding must be gzip or identity'
}
const badTimeout: Refusal = { reason: 'bad_payload', message: 'grpc-timeout is malformed' }
const answerHeaders = [':status', '200', 'content-type', 'application/grpc', 'grpc-accept-encoding', 'identity,gzip']
const okTrailers = { 'grpc-status': '0' }

/** One unary OTLP call on a stream of its own. Reads it at once, so nothing waits in the stream's buffer. */
export async function answerCall(intake: Intake, call: GrpcCall): Promise<void> {
  const { stream, headers, release, socket } = call
  const signal = methods.get(headers[':path'] ?? '')
  if (signal === undefined) {
    sendStatus(stream, intake.refuse(unknownMethod))
    return
  }
  const encoding = String(headers['grpc-encoding'] ?? 'identity')
  if (encoding !== 'identity' && encoding !== 'gzip') {
    sendStatus(stream, intake.refuse(unknownEncoding))
    return
  }
  const timeoutMs = grpcTimeoutMs(headers['grpc-timeout'])
  if (timeoutMs === undefined) {
    sendStatus(stream, intake.refuse(badTimeout))
    return
  }
  const length = headers['content-length']
  const outcome = await intake.take({
    signal,
    protocol: 'grpc',
    gzip: encoding === 'gzip',
    declaredBytes: length === undefined ? undefined : Number(length),
    timeoutMs,
    source: stream,
    authorization: headers.authorization,
    peer: peerOf(socket),
    release
  })
  if (isRefusal(outcome)) sendStatus(stream, outcome)
  else sendMessage(stream, answerOf(signal, outcome, 'protobuf'))
}

function sendMessage(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed || stream.closed) return
  const frame = Buffer.alloc(GRPC_PREFIX_BYTES + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, GRPC_PREFIX_BYTES)
  stream.respond(answerHeaders, { waitForTrailers: true })
  stream.on('wantTrailers', () => {
    stream.sendTrailers(okTrailers)
  })
  stream.end(frame)
}

/** Trailers-Only: the answer is one block of headers. What is left of the request is not wanted. */
function sendStatus(stream: ServerHttp2Stream, refusal: Refusal): void {
  if (stream.destroyed || stream.closed) return
  stream.respond(
    [
      ...answerHeaders,
      'grpc-status',
      String(refusalCodes[refusal.reason].grpc),
      'grpc-message',
      percentEncoded(refusal.message),
      'grpc-status-details-bin',
      statusOf(refusal, 'protobuf').toString('base64').replace(/=+$/, '')
    ],
    { endStream: true }
  )
  if (stream.readableEnded) return
  stream.resume()
  stream.close(constants.NGHTTP2_NO_ERROR)
}

const timeoutUnitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** `10S` and the like; Infinity without, undefined when malformed. */
export function grpcTimeoutMs(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return Infinity
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(header))
  const unitMs = timeoutUnitsMs[match?.[2] ?? '']
  return match === null || unitMs === undefined ? undefined : Number(match[1]) * unitMs
}
