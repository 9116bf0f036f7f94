import { gunzip } from 'node:zlib'
import { free } from '../runtime/free-memory.ts'
import { bodiesBusy, tooLarge } from './body.ts'
import { type Budget } from './budget.ts'
import { createGunzipper } from './gunzip.ts'
import { type Refusal } from './refusals.ts'

/** Up to here inflating costs about a millisecond, less than the way through a thread and back. */
const SYNC_BYTES_MAX = 1 << 20
/** Room after the expected end, so that zlib sees the end without asking for a second buffer. */
const SLACK_BYTES = 64
const ISIZE_BYTES = 4

const gunzipShort = createGunzipper(SYNC_BYTES_MAX + SLACK_BYTES)

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
      const given = inflate(bytes, roomBytes)
      // Nothing may come between a short body and its use: the next one is inflated into the same room.
      const out = given instanceof Promise ? await given : given
      if (Buffer.isBuffer(out)) {
        const result = use(out)
        if (roomBytes > SYNC_BYTES_MAX) free(out)
        return result
      }
      if (out.code !== 'ERR_BUFFER_TOO_LARGE') return { reason: 'bad_payload', message: `broken gzip: ${out.message}` }
    } finally {
      budget.release(roomBytes)
    }
  }
  return tooLarge(bytesMax)
}

/** The bytes, or what zlib says is wrong with them: it fails in no other way. */
function inflate(
  bytes: Buffer,
  roomBytes: number
): Buffer | NodeJS.ErrnoException | Promise<Buffer | NodeJS.ErrnoException> {
  if (roomBytes <= SYNC_BYTES_MAX) return gunzipShort(bytes, roomBytes)
  const options = { chunkSize: roomBytes + SLACK_BYTES, maxOutputLength: roomBytes }
  return new Promise((resolve) => {
    gunzip(bytes, options, (error, out) => {
      resolve(error ?? out)
    })
  })
}
