import { gunzip, gunzipSync } from 'node:zlib'
import { bodiesBusy, tooLarge } from './body.ts'
import { free, type Budget } from './budget.ts'
import { type Refusal } from './refusals.ts'

/** Up to here inflating costs about a millisecond, less than the way through a thread and back. */
const SYNC_BYTES_MAX = 1 << 20
/** Room after the expected end, so that zlib sees the end without asking for a second buffer. */
const SLACK_BYTES = 64
const ISIZE_BYTES = 4

/**
 * Inflates and hands the bytes to `use`; they are gone when it returns. The last four bytes of gzip name the size before
 * compression: a hint from a stranger, so it sets the first room and what is reserved, and the limit stays the limit.
 */
export async function inflated<T>(
  bytes: Buffer,
  { budget, bytesMax }: { budget: Budget; bytesMax: number },
  use: (inflated: Buffer) => T
): Promise<T | Refusal> {
  const hint = bytes.length < ISIZE_BYTES ? 0 : bytes.readUInt32LE(bytes.length - ISIZE_BYTES)
  const first = Math.min(Math.max(hint, bytes.length), bytesMax)
  for (const roomBytes of first < bytesMax ? [first, bytesMax] : [bytesMax]) {
    if (!budget.reserve(roomBytes)) return bodiesBusy
    try {
      const out = roomBytes <= SYNC_BYTES_MAX ? inflateNow(bytes, roomBytes) : await inflateAside(bytes, roomBytes)
      const result = use(out)
      free(out)
      return result
    } catch (error) {
      if (!isZlibError(error)) throw error
      if (error.code !== 'ERR_BUFFER_TOO_LARGE') {
        return { reason: 'bad_payload', message: `broken gzip: ${error.message}` }
      }
    } finally {
      budget.release(roomBytes)
    }
  }
  return tooLarge(bytesMax)
}

function inflateNow(bytes: Buffer, roomBytes: number): Buffer {
  return gunzipSync(bytes, { chunkSize: roomBytes + SLACK_BYTES, maxOutputLength: roomBytes })
}

function inflateAside(bytes: Buffer, roomBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, { chunkSize: roomBytes + SLACK_BYTES, maxOutputLength: roomBytes }, (error, out) => {
      if (error === null) resolve(out)
      else reject(error)
    })
  })
}

function isZlibError(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ERR_BUFFER_TOO_LARGE' || (typeof error.code === 'string' && error.code.startsWith('Z_'))
}
