import { connect as connectHttp2, constants } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'

export interface Answer {
  /** HTTP status, or gRPC status; 0 with `closed` when the connection ended without one. */
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
  readonly closed: boolean
}

const NO_ANSWER: Answer = { status: 0, headers: {}, body: Buffer.alloc(0), closed: true }
const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
export const PROTOBUF = 'application/x-protobuf'
export const JSON_TYPE = 'application/json'

export async function post(
  address: string,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>> = { 'content-type': PROTOBUF },
  path = '/v1/traces'
): Promise<Answer> {
  const answer = await fetch(`http://${address}${path}`, {
    method: 'POST',
    body: new Blob([body]),
    headers
  })
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: Buffer.from(await answer.arrayBuffer()),
    closed: false
  }
}

/** Length prefix of a gRPC message; the declared length may lie. */
export function grpcFrame(message: Uint8Array, { gzip = false, declaredLength = message.length } = {}): Buffer {
  const prefix = Buffer.alloc(5)
  prefix[0] = gzip ? 1 : 0
  prefix.writeUInt32BE(declaredLength, 1)
  return Buffer.concat([prefix, message])
}

interface GrpcCall {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes of each DATA frame. */
  readonly frameBytes?: number
  /** Leaves the request open after its last byte. */
  readonly neverEnds?: boolean
  readonly waitMs?: number
}

/** One gRPC call on a connection of its own; the frame is written as it is. */
export function callGrpc(address: string, frame: Uint8Array, call: GrpcCall = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}`)
    let headers: Record<string, unknown> = {}
    const chunks: Buffer[] = []
    const timer = setTimeout(() => {
      finish({ ...NO_ANSWER, closed: false })
    }, call.waitMs ?? 30_000)
    const finish = (answer: Answer): void => {
      clearTimeout(timer)
      session.destroy()
      resolve(answer)
    }
    session.on('error', () => {
      finish(NO_ANSWER)
    })
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: call.path ?? EXPORT_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...call.headers
    })
    stream.on('response', (received) => (headers = { ...headers, ...received }))
    stream.on('trailers', (received: Record<string, unknown>) => (headers = { ...headers, ...received }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => undefined)
    stream.on('close', () => {
      const status = headers['grpc-status']
      if (status === undefined) finish(NO_ANSWER)
      else finish({ status: Number(status), headers, body: Buffer.concat(chunks), closed: false })
    })
    const write = (at: number): void => {
      if (stream.destroyed) return
      if (at >= frame.length) {
        if (call.neverEnds !== true) stream.end()
        return
      }
      const end = at + (call.frameBytes ?? frame.length)
      stream.write(frame.subarray(at, end), () => {
        write(end)
      })
    }
    write(0)
  })
}

/** Raw bytes on a socket, and what came back before it closed (or before `waitMs` passed). */
export function sendRaw(
  address: string,
  write: (socket: Socket) => void,
  waitMs = 30_000
): Promise<{ text: string; closed: boolean; afterMs: number }> {
  return new Promise((resolve) => {
    const [host = '', port = ''] = address.split(':')
    const startedMs = performance.now()
    const socket = connectTcp(Number(port), host)
    let text = ''
    const finish = (closed: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, closed, afterMs: performance.now() - startedMs })
    }
    const timer = setTimeout(() => {
      finish(false)
    }, waitMs)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      finish(true)
    })
    socket.on('connect', () => {
      write(socket)
    })
  })
}
