import { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, type Socket } from 'node:net'
import { createClientLimits } from '../access/index.ts'
import { Fault } from '../runtime/fault.ts'
import { createApp } from './app.ts'
import { createBudget } from './budget.ts'
import { createConnections, type Connection } from './connections.ts'
import { countCut, createAcceptCounters, type AcceptCounters } from './counters.ts'
import { createHttp1Server } from './http1.ts'
import { serveHttp2 } from './http2.ts'
import { createHandshakes } from './handshakes.ts'
import { createIntake, type AcceptNext, type AcceptTools } from './intake.ts'
import { type AcceptSettings } from './settings.ts'
import { sniff } from './sniff.ts'
import { createConnectionTurns } from './connection-turns.ts'

/**
 * Of a turn of the event loop, for new HTTP/2 connections: the first bytes of one may be hundreds of calls, opened and reset,
 * which take 9 ms, and those who do that come back at once when they are ended.
 */
const BEGIN_HTTP2_MS = 5

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Acceptor {
  readonly listen: () => Promise<{ readonly grpc: Address; readonly http: Address }>
  /** Takes nothing new, finishes what is under way, and cuts what is left after so long. */
  readonly close: (graceMs: number) => Promise<void>
  readonly counters: AcceptCounters
  readonly memory: () => Readonly<Record<string, number>>
}

/** OTLP in, over gRPC and HTTP, any protocol on either port: told apart by the first bytes of a connection. */
export function createAcceptor(settings: AcceptSettings, tools: AcceptTools, next: AcceptNext): Acceptor {
  const counters = createAcceptCounters()
  const budget = createBudget(settings.inFlightBytesMax)
  const clientLimits = createClientLimits(settings.clientLimits, () => {
    counters.add('tail_client_limits_overflow_total')
  })
  const intake = createIntake({ settings, tools, budget, counters, clientLimits }, next)
  const retiring = new WeakSet<Socket>()
  const app = createApp({ intake, cors: settings.cors, isLast: (request) => retiring.has(request.raw.socket) })
  const route = (request: IncomingMessage, response: ServerResponse): void => {
    try {
      app.routing(request, response)
    } catch (error) {
      intake.refuse(intake.mistake(error))
      response.destroy()
    }
  }
  const limits = {
    connectionsMax: settings.connectionsMax,
    ageMaxMs: settings.connectionAgeMaxMs,
    random: tools.random
  }
  const connections = createConnections(limits, counters)
  const retire = (socket: Socket): void => {
    retiring.add(socket)
  }

  const beginHttp2 = createConnectionTurns(BEGIN_HTTP2_MS)
  const handshakes = tools.tls && createHandshakes(tools.tls, settings.headersTimeoutMs)

  function onConnection(socket: Socket, serveHttp1: (plain: Socket) => void): void {
    const connection = connections.open(socket)
    if (connection === undefined) return
    const begin = (plain: Socket): void => {
      serve(connection, plain, serveHttp1)
    }
    if (handshakes === undefined) begin(socket)
    else handshakes.open(socket, begin)
  }

  function serve(connection: Connection, socket: Socket, serveHttp1: (plain: Socket) => void): void {
    // Node's HTTP/1 servers answer senders that have closed their half. Elsewhere that would be a connection nobody ends.
    socket.allowHalfOpen = false
    sniff(socket, settings.headersTimeoutMs, {
      http1() {
        counters.add('tail_ingest_connections_total', 1, 0)
        connection.retire = () => {
          retire(socket)
        }
        socket.allowHalfOpen = true
        serveHttp1(socket)
      },
      http2() {
        counters.add('tail_ingest_connections_total', 1, 1)
        beginHttp2(() => {
          if (!socket.destroyed) connection.retire = serveHttp2(socket, { settings, intake, counters, route })
        })
      },
      neither() {
        countCut(counters, 'unknown_protocol')
      },
      silent() {
        countCut(counters, 'silent')
      }
    })
  }

  const parts = { settings, route, refuse: intake.refuse, onConnection, retire }
  const servers = { grpc: createHttp1Server(parts), http: createHttp1Server(parts) }

  return {
    async listen() {
      await app.ready()
      const grpc = await listenOn(servers.grpc, settings, settings.grpcPort)
      try {
        return { grpc, http: await listenOn(servers.http, settings, settings.httpPort) }
      } catch (error) {
        servers.grpc.close()
        throw error
      }
    },
    async close(graceMs) {
      const ended = Promise.all([closed(servers.grpc), closed(servers.http)])
      connections.retireAll()
      const timer = setTimeout(connections.cutAll, graceMs)
      await ended
      clearTimeout(timer)
      await app.close()
    },
    counters,
    memory() {
      const { inFlightBytes, pooledBytes } = budget.memory()
      return { accept_in_flight: inFlightBytes, accept_buffers: pooledBytes }
    }
  }
}

function listenOn(server: Server, { host, connectionsMax }: AcceptSettings, port: number): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new Fault('BAD_SETTINGS', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }))
    })
    // By default 511 wait to be accepted: the kernel lets more believe that they are connected, and resets them.
    server.listen({ port, host, backlog: connectionsMax }, () => {
      resolve({ host, port: (server.address() as AddressInfo).port })
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
  })
}
