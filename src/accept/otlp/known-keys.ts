import { addedAttributes } from '../../model/added-attributes.ts'
import { Evidence, type Wants } from '../../model/spans.ts'
import { KeyTable } from './key-table.ts'

/** What a span attribute tells the decoder itself. Below 32: they are bits of a word. */
export const Role = {
  none: 0,
  method: 1,
  route: 2,
  rpcService: 3,
  rpcMethod: 4,
  destinationTemplate: 5,
  destination: 6,
  oldDestination: 7,
  httpStatus: 8,
  rpcStatus: 9,
  errorType: 10,
  otherRequestMark: 11,
  towerMethod: 12,
  towerUri: 13,
  contentType: 14,
  protocolName: 15,
  tailSampler: 16,
  sampleRate: 17,
  rustMark: 18,
  addedName: 19
} as const
export const ROLES = 20

const keysByRole: readonly (readonly [role: number, keys: readonly string[]])[] = [
  [Role.method, ['http.request.method', 'http.method']],
  [Role.route, ['http.route']],
  [Role.rpcService, ['rpc.service']],
  [Role.rpcMethod, ['rpc.method']],
  [Role.destinationTemplate, ['messaging.destination.template']],
  [Role.destination, ['messaging.destination.name']],
  // Before semantic conventions 1.17, and of consumers until 1.20 (kotel).
  [Role.oldDestination, ['messaging.destination', 'messaging.source.name']],
  [Role.httpStatus, ['http.response.status_code', 'http.status_code']],
  [Role.rpcStatus, ['rpc.grpc.status_code', 'rpc.response.status_code']],
  [Role.errorType, ['error.type', 'exception.type']],
  [Role.otherRequestMark, ['url.path']],
  // tower-http's spans are INTERNAL and named `request`: these two together are all that tells what they are.
  [Role.towerMethod, ['method']],
  [Role.towerUri, ['uri']],
  [Role.contentType, ['http.response.header.content-type']],
  [Role.protocolName, ['network.protocol.name']],
  [
    Role.tailSampler,
    [
      // Collector's tail_sampling with record_policy; it writes them on the scope.
      'tailsampling.policy',
      'tailsampling.composite_policy',
      'sampling.policy',
      // Honeycomb's Refinery with AddRuleReasonToTrace.
      'meta.refinery.reason',
      'meta.refinery.send_reason'
    ]
  ],
  // Refinery, and Honeycomb's SDKs; 1 = nothing was left out.
  [Role.sampleRate, ['SampleRate']],
  // Nobody else than tracing-opentelemetry writes it.
  [Role.rustMark, ['busy_ns']],
  [Role.addedName, addedAttributes]
]

/** Any key that begins so says that the span is an RPC. */
export const RPC_PREFIX = 'rpc.'
export const rpcPrefixBytes = new TextEncoder().encode(RPC_PREFIX)

/** The keys of span attributes: what each tells the decoder, and which wants ask for it. */
export interface SpanKeys {
  readonly table: KeyTable
  readonly roles: Uint8Array
  /** Evidence codes by key. */
  readonly numberCodes: readonly (readonly number[])[]
  readonly textCodes: readonly (readonly number[])[]
  readonly epochCodes: readonly (readonly number[])[]
}

export function createSpanKeys(wants: Wants): SpanKeys {
  const wanted = wants.flatMap((want, index) =>
    want?.from === 'attribute' ? [{ key: want.key, type: want.type, code: Evidence.firstWanted + index }] : []
  )
  const table = new KeyTable([...keysByRole.flatMap(([, keys]) => keys), ...wanted.map(({ key }) => key)])
  const roles = new Uint8Array(table.keys.length)
  for (const [role, keys] of keysByRole) for (const key of keys) roles[table.findText(key)] = role
  const codesOf = (type: 'number' | 'string' | 'epoch'): number[][] =>
    table.keys.map((key) => wanted.filter((want) => want.key === key && want.type === type).map(({ code }) => code))
  return { table, roles, numberCodes: codesOf('number'), textCodes: codesOf('string'), epochCodes: codesOf('epoch') }
}
