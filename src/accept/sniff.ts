import { METHODS } from 'node:http'
import { type Socket } from 'node:net'

const HEAD_BYTES = 4
/** Every HTTP/2 connection begins with this, and no method of HTTP/1 does. */
const PREFACE = 'PRI '
const http1Heads: ReadonlySet<string> = new Set(METHODS.map((method) => `${method} `.slice(0, HEAD_BYTES)))

export interface Sniffed {
  readonly http1: () => void
  readonly http2: () => void
  /** It speaks neither, so that an answer in one of them would tell it nothing; the socket is gone. */
  readonly neither: () => void
  /** Nothing to tell it by came in time; the socket is gone. */
  readonly silent: () => void
}

/** Tells the protocol by the first bytes, however slowly they trickle, and leaves them in the socket. */
export function sniff(socket: Socket, timeoutMs: number, then: Sniffed): void {
  const timer = setTimeout(() => {
    socket.off('readable', look)
    socket.destroy()
    then.silent()
  }, timeoutMs)
  const look = (): void => {
    // Null until so many bytes are there.
    const bytes = socket.read(HEAD_BYTES) as Buffer | null
    if (bytes === null) return
    clearTimeout(timer)
    socket.off('readable', look)
    const head = bytes.toString('latin1')
    if (head !== PREFACE && !http1Heads.has(head)) {
      socket.destroy()
      then.neither()
      return
    }
    socket.unshift(bytes)
    if (head === PREFACE) then.http2()
    else then.http1()
  }
  socket.on('readable', look)
  socket.once('close', () => {
    clearTimeout(timer)
  })
}
