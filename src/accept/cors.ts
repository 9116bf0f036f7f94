import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { compileGlob } from '../runtime/glob.ts'
import { type CorsSettings } from './settings.ts'

/** What exporters in browsers set by themselves. */
const USUAL_HEADERS = ['content-type', 'content-encoding', 'authorization']
const ANY = '*'

/**
 * Lets pages of some origins send. A preflight carries no credentials, so it is answered before anybody is asked for
 * any; the headers stand on every answer, errors included, or a page could not read why it was refused.
 */
export function addCors(app: FastifyInstance, settings: CorsSettings): void {
  if (settings.allowedOrigins.length === 0) return
  const tests = settings.allowedOrigins.map((glob) => compileGlob(glob.toLowerCase()))
  const isAllowed = (origin: string): boolean => tests.some((test) => test(origin.toLowerCase()))
  app.addHook('onRequest', (request, reply, next) => {
    const { origin } = request.headers
    void reply.header('vary', 'origin')
    if (origin === undefined || !isAllowed(origin)) {
      next()
      return
    }
    // Beacons are sent with credentials, and browsers then want the origin by its name.
    void reply.headers({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' })
    if (isPreflight(request)) answerPreflight(request, reply, settings)
    else {
      void reply.header('access-control-expose-headers', 'retry-after')
      next()
    }
  })
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

function answerPreflight(request: FastifyRequest, reply: FastifyReply, settings: CorsSettings): void {
  const asked = request.headers['access-control-request-headers']
  const listed = [...USUAL_HEADERS, ...settings.allowedHeaders].join(', ')
  const allowed = settings.allowedHeaders.includes(ANY) && asked !== undefined ? asked : listed
  void reply.code(204).headers({
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': allowed,
    'access-control-max-age': String(Math.floor(settings.maxAgeMs / 1000))
  })
  void reply.send()
}
