/** The plan of a load: which spans each trace has, and what they say. load.ts draws the picture. */
export const BODY_SPANS = 512
export const TRACE_SPANS = 8
export const TRACES_PER_SERVICE = BODY_SPANS / TRACE_SPANS

const Kind = { internal: 1, server: 2, client: 3 } as const

/** Where a trace's services stand, relative to the root's. */
const HOPS = [0, 3, 7] as const
/** A trace's spans: whose service, kind, parent, and the share of the root's time that it covers. */
export const SLOTS = [
  { hop: 0, kind: Kind.server, parent: -1, from: 0, to: 1 },
  { hop: 0, kind: Kind.internal, parent: 0, from: 0.05, to: 0.95 },
  { hop: 0, kind: Kind.client, parent: 1, from: 0.1, to: 0.9 },
  { hop: 1, kind: Kind.server, parent: 2, from: 0.12, to: 0.88 },
  { hop: 1, kind: Kind.client, parent: 3, from: 0.2, to: 0.8 },
  { hop: 2, kind: Kind.server, parent: 4, from: 0.22, to: 0.78 },
  { hop: 2, kind: Kind.internal, parent: 5, from: 0.25, to: 0.35 },
  { hop: 2, kind: Kind.client, parent: 5, from: 0.4, to: 0.75 }
] as const

/** One span of one trace of the block, before it is bytes. */
export interface PlannedSpan {
  readonly trace: number
  readonly slot: number
  readonly name: string
  readonly kind: number
  readonly hasParent: boolean
  readonly attributes: readonly (readonly [key: string, value: string | number])[]
}

export function planTrace(
  trace: number,
  services: number,
  operationsPerService: number
): { service: number; span: PlannedSpan; request: string | undefined }[] {
  const rootService = trace % services
  const turn = Math.floor(trace / services)
  return SLOTS.map(({ hop, kind, parent }, slot) => {
    const service = (rootService + HOPS[hop]) % services
    const operation = (turn * HOPS.length + hop) % operationsPerService
    const route = `/${serviceName(service)}/${letters(operation)}`
    const name = kind === Kind.server ? `GET ${route}` : kind === Kind.internal ? `handle ${letters(operation)}` : 'GET'
    const attributes = kind === Kind.internal ? internalAttributes(trace) : httpAttributes(route, trace, kind)
    return {
      service,
      span: { trace, slot, name, kind, hasParent: parent >= 0, attributes },
      request: kind === Kind.server ? `${serviceName(service)} ${name}` : undefined
    }
  })
}

function httpAttributes(route: string, trace: number, kind: number): PlannedSpan['attributes'] {
  const own: PlannedSpan['attributes'] =
    kind === Kind.server
      ? [
          ['http.route', route],
          ['client.address', `10.42.${trace % 250}.${trace % 7}`]
        ]
      : [
          ['url.full', `https://backend.prod.svc${route}?page=${trace}`],
          ['network.peer.address', `10.43.1.${trace % 250}`]
        ]
  return [
    ['http.request.method', 'GET'],
    ...own,
    ['url.path', `${route}/${trace}`],
    ['url.scheme', 'https'],
    ['http.response.status_code', 200],
    ['server.address', 'backend.prod.svc.cluster.local'],
    ['server.port', 8080],
    ['user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) load/1.0'],
    ['network.protocol.version', '1.1']
  ]
}

function internalAttributes(trace: number): PlannedSpan['attributes'] {
  return [
    ['code.function.name', 'Handler.process'],
    ['code.file.path', '/app/src/handlers/process.go'],
    ['code.line.number', 120 + (trace % 50)],
    ['thread.name', `worker-${trace % 16}`],
    ['thread.id', trace % 16],
    ['app.tenant', `tenant-${trace % 40}`],
    ['app.items', trace % 100],
    ['app.feature_flag', 'new-checkout'],
    ['app.region', 'eu-west-1'],
    ['app.cache', 'hit']
  ]
}

/** Names of letters only: numbers in names would be written `{id}`. */
export function letters(number: number): string {
  const rest = Math.floor(number / 26)
  return (rest > 0 ? letters(rest - 1) : '') + String.fromCharCode(97 + (number % 26))
}

export function serviceName(service: number): string {
  return `load-${letters(service)}`
}

export const resourceAttributes = (service: string): PlannedSpan['attributes'] => [
  ['service.name', service],
  ['service.version', '2.13.4'],
  ['service.instance.id', `${service}-instance`],
  ['telemetry.sdk.language', service.charCodeAt(service.length - 1) % 2 === 0 ? 'go' : 'rust'],
  ['k8s.pod.name', `${service}-7d9f6-abcde`],
  ['host.name', `${service}-node`]
]
