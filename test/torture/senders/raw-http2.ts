import { connect, type Socket } from 'node:net'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  grpcHeaders,
  hpackText,
  PREFACE,
  readFrames
} from '../../builders/raw-http2.ts'

export const Setting = { headerTableSize: 1, initialWindowSize: 4 } as const

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function settings(pairs: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = pairs.map(([id, value]) => Buffer.concat([uint32(id).subarray(2), uint32(value)]))
  return frame(FrameType.settings, 0, 0, Buffer.concat(payload))
}

/** A header that enters the table: it can be named by its index from then on. */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), hpackText(name), hpackText(value)])
}

/** Begins an export over gRPC, unless the block says something else. */
export function headers(stream: number, block: Uint8Array = grpcHeaders, flags = END_HEADERS): Buffer {
  return frame(FrameType.headers, flags, stream, block)
}

export interface RawConnection {
  /** Waits until the bytes are on their way; false once the other side has closed. */
  readonly send: (bytes: Uint8Array) => Promise<boolean>
  readonly isOpen: () => boolean
  /** Error codes of the GOAWAY frames that came. */
  readonly goaways: number[]
  /** Calls whose answer was headers alone: refusals, which need no window. */
  readonly refused: () => number
  /** Stops reading, so that what the other side writes stays with it. */
  readonly stopReading: () => void
  readonly close: () => void
}

/** Connected, with preface and settings sent; undefined where nobody takes the connection. */
export async function openRaw(address: string, first = settings()): Promise<RawConnection | undefined> {
  const [host = '', port = ''] = address.split(':')
  const socket: Socket = connect(Number(port), host)
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed])
  if (socket.destroyed) return undefined
  const goaways: number[] = []
  let refused = 0
  readFrames(socket, ({ type, flags, payload }) => {
    if (type === FrameType.goaway) goaways.push(payload.readUInt32BE(4))
    if (type === FrameType.headers && (flags & END_STREAM) !== 0) refused += 1
  })
  const isOpen = (): boolean => !socket.destroyed && socket.writable
  const connection: RawConnection = {
    async send(bytes) {
      if (!isOpen()) return false
      if (!socket.write(bytes)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed])
      return isOpen()
    },
    isOpen,
    goaways,
    refused: () => refused,
    stopReading() {
      socket.pause()
    },
    close() {
      socket.destroy()
    }
  }
  await connection.send(Buffer.concat([PREFACE, first]))
  return connection
}
