import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type Socket } from 'node:net'
import { type TlsFront } from '../access/index.ts'
import swagger from '@fastify/swagger'
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { type ExposeSettings } from './settings.ts'
import { type ExposeTools } from './sources.ts'

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store'
} as const
/** Longer than any scrape interval, so that a scraper keeps its connection. */
const KEEP_ALIVE_MS = 120_000
/** How often Node looks for connections that are over their time. */
const TIMEOUT_CHECK_MS = 1_000

type ServerTools = Pick<ExposeTools, 'log' | 'tls'>

/** The HTTP server without its routes: only reads are answered, every error is a small JSON object. */
export function createServer(settings: ExposeSettings, tools: ServerTools, version: string): FastifyInstance {
  const app = fastify({
    serverFactory: (answer) => createListener(settings, tools.tls, answer),
    clientErrorHandler: answerBrokenRequest,
    // Paths that the router itself refuses: over-long or not well escaped.
    frameworkErrors: (failure: FastifyError, _request: unknown, reply: FastifyReply) => {
      void reply.headers(SECURITY_HEADERS).code(failure.statusCode ?? 400)
      void reply.type('application/json; charset=utf-8').send(JSON.stringify({ error: failure.message }))
    }
  })
  // Answers go out as they are. The schemas of answers are for readers; a test holds the answers to them.
  app.setSerializerCompiler(() => JSON.stringify)
  app.addHook('onRequest', (request, reply, next) => {
    void reply.headers(SECURITY_HEADERS)
    if (request.method === 'GET' || request.method === 'HEAD') {
      next()
      return
    }
    void reply.code(405).headers({ allow: 'GET, HEAD', connection: 'close' })
    void reply.send({ error: 'this port only answers GET and HEAD' })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }))
  app.setErrorHandler((failure: Error & { statusCode?: number }, _request, reply) => {
    const status = failure.statusCode ?? 500
    if (status < 500) return reply.code(status).send({ error: failure.message })
    tools.log.error({ err: failure }, 'a request failed')
    return reply.code(500).send({ error: 'internal error' })
  })
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tailspan', description: 'Why the slowest one percent is slow.', version }
    }
  })
  return app
}

/** Fastify makes one for each address that a host name stands for. */
function createListener(settings: ExposeSettings, tls: ServerTools['tls'], answer: RequestListener): Server {
  const limits = {
    headersTimeout: settings.headerTimeoutMs,
    requestTimeout: settings.headerTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS
  }
  const server = tls === undefined ? createHttpServer(limits, answer) : createSecure(tls)
  server.setTimeout(settings.scrapeTimeoutMs)
  server.maxConnections = settings.connectionsMax
  return server

  function createSecure(front: TlsFront): Server {
    const secure = createHttpsServer(
      { ...limits, ...front.options(), handshakeTimeout: settings.headerTimeoutMs },
      answer
    )
    front.attach(secure)
    return secure
  }
}

/** What HTTP itself refuses never reaches a route. */
function answerBrokenRequest(failure: Error & { code?: string }, socket: Socket): void {
  if (failure.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, error] =
    failure.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'the request took too long to arrive']
      : failure.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'the headers are too large']
        : ['400 Bad Request', 'this is not HTTP']
  const body = JSON.stringify({ error })
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )
}
