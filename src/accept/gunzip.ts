import { constants, createGunzip, gunzipSync, gzipSync } from 'node:zlib'

/** What Node's zlib streams stand on, as far as it is used here. */
interface ZlibHandle {
  reset: () => void
  writeSync: (
    flush: number,
    bytes: Uint8Array,
    bytesAt: number,
    bytesLength: number,
    room: Uint8Array,
    roomAt: number,
    roomLength: number
  ) => void
  onerror: (message: string, errno: number, code: string) => void
}

/** Gunzips in one go: the bytes, valid until the next call, or what zlib says is wrong with them. */
export type Gunzip = (bytes: Buffer, bytesMax: number) => Buffer | NodeJS.ErrnoException

/**
 * One zlib stream and one room for all bodies up to `roomBytes`. gunzipSync makes both anew for each body, and V8 answers
 * their external memory with full garbage collections: 0.3 CPU s of the 2.1 that a million gzipped spans cost. Node keeps
 * no public way to reset a stream that is written to synchronously, so the handle beneath it is used, after a trial.
 */
export function createGunzipper(roomBytes: number): Gunzip {
  const kept = keptStream(roomBytes)
  return kept !== undefined && works(kept) ? kept : once
}

const once: Gunzip = (bytes, bytesMax) => {
  try {
    return gunzipSync(bytes, { chunkSize: Math.max(bytesMax, constants.Z_MIN_CHUNK), maxOutputLength: bytesMax })
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

function keptStream(roomBytes: number): Gunzip | undefined {
  const stream = createGunzip()
  const { _handle: handle, _writeState: left } = stream as unknown as {
    _handle?: ZlibHandle
    _writeState?: Uint32Array
  }
  if (handle === undefined || left === undefined) return undefined
  const room = Buffer.allocUnsafeSlow(roomBytes)
  let broken: NodeJS.ErrnoException | undefined
  handle.onerror = (message, errno, code) => {
    broken = Object.assign(new Error(message), { errno, code })
  }
  const takeError = (): NodeJS.ErrnoException | undefined => {
    const error = broken
    broken = undefined
    return error
  }
  return (bytes, bytesMax) => {
    handle.reset()
    handle.writeSync(constants.Z_FINISH, bytes, 0, bytes.length, room, 0, roomBytes)
    const error = takeError()
    if (error !== undefined) return error
    const length = roomBytes - (left[0] as number)
    return length > bytesMax || length === roomBytes ? tooLong : room.subarray(0, length)
  }
}

const tooLong: NodeJS.ErrnoException = Object.assign(new Error('more bytes than there is room for'), {
  code: 'ERR_BUFFER_TOO_LARGE'
})

/** Whether this Node's handle does what is expected of it: good bytes, broken ones, and good ones again. */
function works(gunzip: Gunzip): boolean {
  const text = Buffer.from('tailspan')
  const packed = gzipSync(text)
  try {
    const good = (): boolean => {
      const out = gunzip(packed, text.length)
      return Buffer.isBuffer(out) && out.equals(text)
    }
    return good() && !Buffer.isBuffer(gunzip(packed.subarray(0, 12), text.length)) && good()
  } catch {
    return false
  }
}
