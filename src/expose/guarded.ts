import { type FastifyInstance } from 'fastify'
import { challenges, isDenied, peerOf, type Denied, type Guard, type Right } from '../access/index.ts'
import { type Counters } from '../runtime/counters.ts'
import { ReadRefusal, type exposeCounters } from './counters.ts'

/** Whoever restarts or routes to this process has no credential. */
const openRoutes = new Set(['/healthz', '/readyz'])
const METRICS = '/metrics'
const statuses: Readonly<Record<Denied['denied'], number>> = {
  unauthenticated: 401,
  forbidden: 403,
  busy: 503,
  too_many_failures: 429
}
const BUSY_RETRY_AFTER_MS = 1_000

/** Asks who is there before any route does: everything but health needs a right, paths that do not exist too. */
export function addGuard(app: FastifyInstance, guard: Guard, counters: Counters<typeof exposeCounters>): void {
  app.addHook('onRequest', async (request, reply) => {
    const url = request.routeOptions.url ?? ''
    if (openRoutes.has(url)) return
    const right: Right = url === METRICS ? 'read_metrics' : 'read_traces'
    const { authorization } = request.headers
    const decision = await guard({ authorization, peer: peerOf(request.raw.socket) }, right)
    if (!isDenied(decision)) return
    counters.add('tail_reads_refused_total', 1, ReadRefusal[decision.denied])
    void reply.code(statuses[decision.denied])
    if (decision.denied === 'unauthenticated') void reply.header('www-authenticate', challenges)
    const { retryAfterMs = decision.denied === 'busy' ? BUSY_RETRY_AFTER_MS : undefined } = decision
    if (retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(retryAfterMs / 1_000))
    return reply.send({ error: decision.message })
  })
}
