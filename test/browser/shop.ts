import { createRandom } from '../builders/random.ts'
import { type Sender, type SpanDraft } from './draw-trace.ts'

/** What a slow request of a route suffers from; one in 70 does. */
type Cause = 'pool' | 'gc' | 'stall' | 'query' | 'allocator' | 'compute' | 'retry'

interface Route {
  readonly service: string
  readonly route: string
  readonly ownMs: number
  readonly calls: readonly (readonly [service: string, route: string])[]
  readonly queryMs?: number
  readonly causes: readonly Cause[]
  readonly slowMs: number
}

const senders: Readonly<Record<string, Sender>> = {
  gateway: { language: 'go', version: '2.14.0' },
  checkout: { language: 'go', version: '1.8.3' },
  catalog: { language: 'rust', version: '0.31.2' },
  pricing: { language: 'rust', version: '0.9.0' },
  inventory: { language: 'go', version: '3.2.1' },
  payments: { language: 'rust', version: '4.0.0' },
  search: { language: 'rust', version: '1.1.7' },
  accounts: { language: 'go', version: '5.6.0' }
}
export const senderOf = (service: string): Sender => senders[service] ?? { language: 'go', version: '1.0.0' }

const inner: readonly Route[] = [
  { service: 'pricing', route: 'POST /quote', ownMs: 2.2, calls: [], causes: ['stall'], slowMs: 60 },
  {
    service: 'inventory',
    route: 'POST /reserve',
    ownMs: 0.8,
    calls: [],
    queryMs: 3,
    causes: ['pool', 'query'],
    slowMs: 85
  },
  { service: 'inventory', route: 'GET /stock', ownMs: 0.5, calls: [], queryMs: 1.4, causes: ['query'], slowMs: 24 },
  { service: 'payments', route: 'POST /charge', ownMs: 3.1, calls: [], queryMs: 4, causes: ['allocator'], slowMs: 120 },
  { service: 'catalog', route: 'GET /items/{id}', ownMs: 1.1, calls: [], queryMs: 2.2, causes: ['query'], slowMs: 18 },
  { service: 'search', route: 'GET /search', ownMs: 6.5, calls: [], causes: ['compute'], slowMs: 140 },
  { service: 'accounts', route: 'GET /me', ownMs: 0.7, calls: [], queryMs: 1.1, causes: ['gc'], slowMs: 30 },
  {
    service: 'checkout',
    route: 'POST /orders',
    ownMs: 1.6,
    calls: [
      ['pricing', 'POST /quote'],
      ['inventory', 'POST /reserve'],
      ['payments', 'POST /charge']
    ],
    queryMs: 2,
    causes: ['gc'],
    slowMs: 45
  }
]

/** What the world asks for. */
const entry: readonly Route[] = [
  {
    service: 'gateway',
    route: 'POST /buy',
    ownMs: 0.9,
    calls: [
      ['accounts', 'GET /me'],
      ['checkout', 'POST /orders']
    ],
    causes: ['gc'],
    slowMs: 40
  },
  {
    service: 'gateway',
    route: 'GET /items/{id}',
    ownMs: 0.6,
    calls: [
      ['catalog', 'GET /items/{id}'],
      ['inventory', 'GET /stock'],
      ['pricing', 'POST /quote']
    ],
    causes: ['retry'],
    slowMs: 35
  },
  {
    service: 'gateway',
    route: 'GET /search',
    ownMs: 0.8,
    calls: [
      ['search', 'GET /search'],
      ['pricing', 'POST /quote']
    ],
    causes: ['gc'],
    slowMs: 25
  },
  {
    service: 'gateway',
    route: 'GET /account',
    ownMs: 0.5,
    calls: [['accounts', 'GET /me']],
    causes: ['compute'],
    slowMs: 12
  },
  {
    service: 'gateway',
    route: 'GET /cart',
    ownMs: 0.7,
    calls: [
      ['accounts', 'GET /me'],
      ['pricing', 'POST /quote'],
      ['inventory', 'GET /stock']
    ],
    causes: ['pool'],
    slowMs: 55
  },
  {
    service: 'gateway',
    route: 'PUT /cart/items/{id}',
    ownMs: 0.6,
    calls: [['inventory', 'GET /stock']],
    causes: ['query'],
    slowMs: 15
  }
]

/** Requests of a shop in Go and Rust, the same for the same seed. */
export function createShop(seed: number): { readonly request: () => SpanDraft } {
  const random = createRandom(seed)
  const about = (ms: number): number => ms * (0.55 + random() ** 2 * 1.35)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T

  function serve(route: Route, atMs: number): SpanDraft {
    const cause = random() < 1 / 70 ? pick(route.causes) : undefined
    const lostMs = cause === undefined ? 0 : about(route.slowMs)
    const children: SpanDraft[] = []
    const attributes: Record<string, string | number> = {
      'http.request.method': route.route.split(' ')[0] ?? 'GET',
      'http.route': route.route.split(' ')[1] ?? '/',
      'http.response.status_code': 200
    }
    let at = about(route.ownMs) / 2
    if (cause === 'gc') attributes['tailspan.gc_ns'] = lostMs * 1e6
    if (cause === 'stall') attributes['tailspan.scheduling_ns'] = lostMs * 1e6
    if (cause === 'allocator') attributes['tailspan.allocator_ns'] = lostMs * 1e6
    if (cause === 'compute') attributes['tailspan.processing_ns'] = (lostMs + route.ownMs) * 1e6
    if (cause !== undefined && ['gc', 'stall', 'allocator', 'compute', 'retry'].includes(cause)) at += lostMs
    if (route.queryMs !== undefined) {
      const waitMs = about(0.15) + (cause === 'pool' ? lostMs : 0)
      children.push(span(route.service, 'pool.acquire', 'internal', at, waitMs))
      at += waitMs
      const queryMs = about(route.queryMs) + (cause === 'query' ? lostMs : 0)
      children.push(span(route.service, 'SELECT', 'client', at, queryMs, { 'db.system.name': 'postgresql' }))
      at += queryMs + about(0.1)
    } else if (cause === 'pool') {
      children.push(span(route.service, 'pool.acquire', 'internal', at, lostMs))
      at += lostMs
    }
    for (const [service, name] of route.calls) {
      const called = inner.find((known) => known.service === service && known.route === name)
      if (called === undefined) throw new Error(`no route ${service} ${name}`)
      const server = serve(called, about(0.2))
      const ms = server.atMs + server.ms + about(0.2)
      children.push({
        ...span(route.service, name.split(' ')[0] ?? '', 'client', at, ms, { 'server.address': service }),
        children: [server]
      })
      at += ms + about(0.1)
    }
    const failed = cause !== undefined && random() < 0.08
    if (failed) attributes['http.response.status_code'] = 503
    return {
      ...span(route.service, route.route, 'server', atMs, at + about(route.ownMs) / 2, attributes),
      failed,
      children
    }
  }
  return { request: () => serve(pick(entry), 0) }
}

function span(
  service: string,
  name: string,
  kind: SpanDraft['kind'],
  atMs: number,
  ms: number,
  attributes: Readonly<Record<string, string | number>> = {}
): SpanDraft {
  return { service, name, kind, atMs, ms, attributes }
}
