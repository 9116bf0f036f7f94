import { type Readable } from 'node:stream'
import { Fault } from '../runtime/fault.ts'
import { type Budget } from './budget.ts'
import { busy, refusalOf, type Refusal } from './refusals.ts'

/** gRPC puts a flag and a length before its message. */
export const GRPC_PREFIX_BYTES = 5

/** First room for a body. More than this is believed only when it has come: declared lengths cost an attacker nothing. */
const FIRST_ROOM_BYTES_MAX = 256 * 1024
const FIRST_ROOM_BYTES_MIN = 16 * 1024
/** Pieces of a body may be tiny, but not all of them: each costs a callback, however little it brings. */
const PIECES_FREE = 4096
const PIECE_BYTES_MEAN_MIN = 64

/** One request's bytes, in one buffer lent by the budget. */
export interface Body {
  /** Copies a piece in, or says why the body cannot be taken any further. */
  readonly add: (piece: Uint8Array) => Refusal | undefined
  /** Valid until `free`. */
  readonly bytes: () => Buffer
  readonly free: () => void
}

export interface BodyOptions {
  readonly budget: Budget
  readonly bytesMax: number
  /** The body is one gRPC frame: its length prefix is checked as soon as it is there. */
  readonly framed: boolean
  /** Content-Length, where there is one. */
  readonly declaredBytes: number | undefined
}

export function createBody(options: BodyOptions): Body {
  const { budget, framed } = options
  const roomMax = options.bytesMax + (framed ? GRPC_PREFIX_BYTES : 0)
  let buffer: Buffer<ArrayBuffer> | undefined
  let length = 0
  let pieces = 0
  let expected = options.declaredBytes

  function grow(bytes: number): Buffer<ArrayBuffer> | undefined {
    const first = Math.min(expected ?? FIRST_ROOM_BYTES_MIN, FIRST_ROOM_BYTES_MAX)
    const doubled = buffer === undefined ? first : buffer.length * 2
    const larger = budget.lend(Math.min(Math.max(bytes, doubled, 1), Math.max(roomMax, 1)))
    if (larger === undefined) return undefined
    if (buffer !== undefined) {
      larger.set(buffer.subarray(0, length))
      budget.giveBack(buffer)
    }
    buffer = larger
    return larger
  }

  return {
    add(piece) {
      const total = length + piece.length
      if (total > roomMax) return tooLarge(options.bytesMax)
      pieces += 1
      if (pieces > PIECES_FREE && pieces * PIECE_BYTES_MEAN_MIN > total) return tooManyPieces
      if (framed && length === 0 && piece.length >= GRPC_PREFIX_BYTES) expected = framedBytes(piece)
      const room = buffer !== undefined && total <= buffer.length ? buffer : grow(total)
      if (room === undefined) return bodiesBusy
      room.set(piece, length)
      const prefixCameNow = framed && length < GRPC_PREFIX_BYTES && total >= GRPC_PREFIX_BYTES
      length = total
      return prefixCameNow && framedBytes(room) > roomMax ? tooLarge(options.bytesMax) : undefined
    },
    bytes: () => (buffer === undefined ? Buffer.alloc(0) : buffer.subarray(0, length)),
    free() {
      if (buffer !== undefined) budget.giveBack(buffer)
      buffer = undefined
      length = 0
    }
  }
}

function framedBytes(bytes: Uint8Array): number {
  return GRPC_PREFIX_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
}

export function tooLarge(bytesMax: number): Refusal {
  return { reason: 'too_large', message: `the body is larger than ${bytesMax} bytes (request_bytes_max)` }
}

const tooManyPieces: Refusal = { reason: 'too_large', message: 'the body comes in too many tiny pieces' }
export const bodiesBusy: Refusal = busy('too many bytes of requests are under way (in_flight_bytes_max)')

export interface Reception {
  readonly source: Readable
  readonly body: Body
  readonly timeoutMs: number
  /** Called with each piece once it has been copied, or is not wanted. */
  readonly release: (piece: Buffer) => void
}

/** Reads a body to its end. Listens at once, so that no piece waits in the stream; after a refusal it reads on into nothing. */
export function receive({ source, body, timeoutMs, release }: Reception): Promise<Refusal | undefined> {
  return new Promise((resolve) => {
    let settled = false
    const settle = (refusal: Refusal | undefined): void => {
      settled = true
      clearTimeout(timer)
      resolve(refusal)
    }
    const timer = setTimeout(settle, timeoutMs, { reason: 'timeout', message: 'the body did not come in time' })
    const cancel = (): void => {
      if (!settled) settle({ reason: 'cancelled', message: 'the sender gave up' })
    }
    source.on('data', (piece: Buffer) => {
      const refusal = settled ? undefined : body.add(piece)
      release(piece)
      if (refusal !== undefined) settle(refusal)
    })
    source.on('end', () => {
      if (!settled) settle(undefined)
    })
    source.on('error', (error) => {
      if (!settled && error instanceof Fault) settle(refusalOf(error))
      else cancel()
    })
    source.on('aborted', cancel)
    source.on('close', cancel)
    if (source.destroyed) cancel()
  })
}
