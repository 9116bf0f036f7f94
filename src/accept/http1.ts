import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { Fault } from '../runtime/fault.ts'
import { contentTypes, LINGER_MS } from './app.ts'
import { refusalCodes, type Refusal } from './refusals.ts'
import { type AcceptSettings } from './settings.ts'
import { statusOf } from './status.ts'

export interface Http1Parts {
  readonly settings: AcceptSettings
  readonly route: (request: IncomingMessage, response: ServerResponse) => void
  readonly refuse: (refusal: Refusal) => Refusal
  /** Told of each connection; calls back with it, or with what came out of its TLS, when HTTP/1 is what it speaks. */
  readonly onConnection: (socket: Socket, serveHttp1: (socket: Socket) => void) => void
  /** Makes the next answer on a connection its last. */
  readonly retire: (socket: Socket) => void
}

/** A server of HTTP/1 whose connections are looked at by `onConnection` first. */
export function createHttp1Server(parts: Http1Parts): Server {
  const { settings, route } = parts
  const requests = new WeakMap<Socket, IncomingMessage>()
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    requests.set(request.socket, request)
    route(request, response)
  }
  const server = createServer(
    {
      noDelay: true,
      // Node would answer a missing Host, and below an unknown Expect, by itself, without a Status.
      requireHostHeader: false,
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.headersTimeoutMs + settings.bodyTimeoutMs,
      keepAliveTimeout: settings.idleTimeoutMs,
      connectionsCheckingInterval: Math.max(10, Math.min(1000, settings.headersTimeoutMs / 4))
    },
    serve
  )
  server.on('checkExpectation', serve)
  const [serveHttp1] = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    parts.onConnection(socket, (plain) => {
      serveHttp1?.call(server, plain)
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const request = requests.get(socket)
    const hungUp = error.code === 'ECONNRESET' || error.code === 'HPE_INVALID_EOF_STATE'
    if (!socket.writable || hungUp) {
      socket.destroy()
    } else if (request !== undefined && !request.complete && request.listenerCount('error') > 0) {
      // Its body is being read: whoever reads it answers, in the sender's own content type.
      parts.retire(socket)
      request.emit('error', new Fault('BAD_PAYLOAD', refusalOfParser(error).message, { cause: error }))
    } else {
      answerBroken(parts, error, socket)
    }
  })
  return server
}

/** What Node could not parse never becomes a request, so its answer is written by hand. */
function answerBroken(parts: Http1Parts, error: NodeJS.ErrnoException, socket: Socket): void {
  const refusal = parts.refuse(refusalOfParser(error))
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : refusalCodes[refusal.reason].http
  const status = statusOf(refusal, 'json')
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}`,
    `content-type: ${contentTypes.json}`,
    `content-length: ${status.length}`,
    'connection: close'
  ]
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), status]))
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => {
    clearTimeout(timer)
  })
}

function refusalOfParser(error: NodeJS.ErrnoException): Refusal {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { reason: 'timeout', message: 'the request did not come in time' }
  if (error.code === 'HPE_HEADER_OVERFLOW') return { reason: 'too_large', message: 'the headers are too large' }
  return { reason: 'bad_payload', message: `not HTTP/1.1: ${error.message}` }
}
