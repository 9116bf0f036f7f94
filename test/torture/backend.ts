import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pause } from '../builders/live-service.ts'

/** How a backend is: it takes requests after a while, asks for patience, or cuts the connection once it has read one. */
export type Mood =
  | { readonly kind: 'takes'; readonly afterMs: number }
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number }
  | { readonly kind: 'cuts' }

export interface Request {
  readonly mood: Mood['kind']
  readonly body: Buffer
  readonly cameMs: number
}

/** An OTLP backend over HTTP, as a destination has it in bad times. */
export interface TortureBackend {
  mood: Mood
  readonly requests: readonly Request[]
  readonly close: () => Promise<void>
}

export async function startBackend(port: number): Promise<TortureBackend> {
  const requests: Request[] = []
  const server = createServer((request, response) => {
    void read(request).then(
      (body) => answer(body, request, response),
      () => undefined
    )
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const backend: TortureBackend = {
    mood: { kind: 'takes', afterMs: 0 },
    requests,
    async close() {
      if (!server.listening) return
      server.closeAllConnections()
      await once(server.close(), 'close')
    }
  }

  async function answer(body: Buffer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { mood } = backend
    requests.push({ mood: mood.kind, body, cameMs: performance.now() })
    if (mood.kind === 'cuts') request.socket.destroy()
    else if (mood.kind === 'busy') response.writeHead(503, { 'retry-after': String(mood.retryAfterSeconds) }).end()
    else {
      await pause(mood.afterMs)
      response.writeHead(200).end()
    }
  }
  return backend
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}
