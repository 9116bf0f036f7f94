import { connect, type Socket } from 'node:net'
import { varint } from './protobuf-bytes.ts'

/** A sender that writes HTTP/2 frames by hand, so that tests can send what no library would. */
export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rst: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9
} as const
export const END_STREAM = 1
export const END_HEADERS = 4
const ACK = 1
const FRAME_HEAD_BYTES = 9
const LENGTH_GOES_ON = 127
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const tracesMethod = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Literal header fields without Huffman coding, which enter no table. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), hpackText(name), hpackText(value)]))
}

/** A length that fits 7 bits is a byte, and a longer one goes on in groups of 7. */
export function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text)
  const fits = bytes.length < LENGTH_GOES_ON
  const length = fits
    ? Buffer.from([bytes.length])
    : Buffer.concat([Buffer.from([LENGTH_GOES_ON]), varint(bytes.length - LENGTH_GOES_ON)])
  return Buffer.concat([length, bytes])
}

export const grpcHeaders = headerBlock([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', tracesMethod],
  [':authority', 'localhost'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers']
])

export function grpcMessage(message: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.alloc(5)
  prefix[0] = flags
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** DATA frames of at most `size` bytes, the last with END_STREAM. */
export function dataFrames(stream: number, body: Uint8Array, size = 16_384): Buffer {
  const frames: Buffer[] = []
  for (let from = 0; from < body.length; from += size) {
    const end = Math.min(body.length, from + size)
    frames.push(frame(FrameType.data, end === body.length ? END_STREAM : 0, stream, body.subarray(from, end)))
  }
  return Buffer.concat(frames)
}

/** Connects, shakes hands, answers SETTINGS and PING, and reports every other frame. */
export function rawHttp2(port: number, onFrame: (frame: Frame) => void): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => socket.destroy())
  socket.write(Buffer.concat([PREFACE, frame(FrameType.settings, 0, 0)]))
  readFrames(socket, (seen) => {
    const { type, flags, payload } = seen
    if (type === FrameType.settings && (flags & ACK) === 0) socket.write(frame(type, ACK, 0))
    if (type === FrameType.ping && (flags & ACK) === 0) socket.write(frame(type, ACK, 0, payload))
    onFrame(seen)
  })
  return socket
}

export function readFrames(socket: Socket, onFrame: (frame: Frame) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    while (rest.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + rest.readUIntBE(0, 3)
      if (rest.length < end) return
      const payload = rest.subarray(FRAME_HEAD_BYTES, end)
      onFrame({ type: rest[3] as number, flags: rest[4] as number, stream: rest.readUInt32BE(5), payload })
      rest = rest.subarray(end)
    }
  })
}
