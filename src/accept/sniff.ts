import { type Socket } from 'node:net'

/** Every HTTP/2 connection begins with this; no method of HTTP/1 begins with its first four bytes. */
const PREFACE = Buffer.from('PRI ')

export interface Sniffed {
  readonly http1: () => void
  readonly http2: () => void
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
    const head = socket.read(PREFACE.length) as Buffer | null
    if (head === null) return
    clearTimeout(timer)
    socket.off('readable', look)
    socket.unshift(head)
    if (PREFACE.equals(head)) then.http2()
    else then.http1()
  }
  socket.on('readable', look)
  socket.once('close', () => {
    clearTimeout(timer)
  })
}
