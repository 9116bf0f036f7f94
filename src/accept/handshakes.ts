import { type Socket } from 'node:net'
import { createServer } from 'node:tls'
import { type TlsFront } from '../access/index.ts'

export interface Handshakes {
  /** Shakes hands on a connection; calls back with what is inside, or the connection is gone. */
  readonly open: (socket: Socket, then: (plain: Socket) => void) => void
}

/** TLS of connections that others accept. What ALPN agrees on is what the first bytes then speak, and those are looked at. */
export function createHandshakes(front: TlsFront, timeoutMs: number): Handshakes {
  const waiting = new Map<string, (plain: Socket) => void>()
  const server = createServer({
    ...front.options(),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: timeoutMs
  })
  front.attach(server)
  server.on('secureConnection', (plain) => {
    // 'close' follows, and says all there is to say.
    plain.on('error', () => undefined)
    const ends = endsOf(plain)
    const then = waiting.get(ends)
    waiting.delete(ends)
    then?.(plain)
  })

  return {
    open(socket, then) {
      const ends = endsOf(socket)
      waiting.set(ends, then)
      socket.once('close', () => {
        if (waiting.get(ends) === then) waiting.delete(ends)
      })
      server.emit('connection', socket)
    }
  }
}

/** Names a connection while it lives: Node does not tell which one a TLS socket was made of. */
function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`
}
