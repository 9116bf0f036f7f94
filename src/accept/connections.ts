import { type Socket } from 'node:net'
import { countCut, type AcceptCounters } from './counters.ts'

/**
 * Life of a connection: sniffed --first bytes--> serving --age, idle or drain--> retiring (finishes what is under way) --> closed.
 * Whatever stays too long in a state is cut.
 */
export interface Connection {
  readonly socket: Socket
  /** Lets the requests under way finish and takes no more; undefined until its first bytes were read. */
  retire: (() => void) | undefined
}

export interface Connections {
  readonly size: () => number
  /** Undefined when there are too many; the socket is then gone. */
  readonly open: (socket: Socket) => Connection | undefined
  readonly retireAll: () => void
  readonly cutAll: () => void
}

export interface ConnectionLimits {
  readonly connectionsMax: number
  readonly ageMaxMs: number
  /** From 0 to 1. */
  readonly random: () => number
}

/** Ages differ by a fifth, so that connections opened together are not closed together. */
const AGE_JITTER = 0.2

export function createConnections(limits: ConnectionLimits, counters: AcceptCounters): Connections {
  const all = new Set<Connection>()
  return {
    size: () => all.size,
    open(socket) {
      // Without a listener a reset connection would be an uncaught error; 'close' says all there is to say.
      socket.on('error', ignore)
      if (all.size >= limits.connectionsMax) {
        countCut(counters, 'full')
        socket.destroy()
        return undefined
      }
      const connection: Connection = { socket, retire: undefined }
      const ageMs = limits.ageMaxMs * (1 - AGE_JITTER / 2 + AGE_JITTER * limits.random())
      const ageTimer = setTimeout(() => {
        countCut(counters, 'age')
        connection.retire?.()
      }, ageMs)
      ageTimer.unref()
      all.add(connection)
      socket.once('close', () => {
        clearTimeout(ageTimer)
        all.delete(connection)
      })
      return connection
    },
    retireAll() {
      for (const connection of all) {
        if (connection.retire === undefined) connection.socket.destroy()
        else connection.retire()
      }
    },
    cutAll() {
      for (const connection of all) {
        countCut(counters, 'drain_timeout')
        connection.socket.destroy()
      }
    }
  }
}

function ignore(): void {
  // The socket closes by itself.
}
