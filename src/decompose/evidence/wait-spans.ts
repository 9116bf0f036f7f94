import { Kind } from '../../model/spans.ts'
import { Trait } from '../cut/tree.ts'

/** Spans whose whole purpose is to time a wait for a turn, by name. Others come by user rules. */
const waitNames: ReadonlySet<string> = new Set([
  // Beyla / OBI, before the handler runs; the sibling `processing` is an ordinary in-process child.
  'in queue',
  // otelpgx: a connection of the database pool.
  'pool.acquire',
  // otelhttptrace: a connection of the client's pool, with whatever it took to make one as children.
  'http.getconn',
  // Knative: the queue-proxy's breaker, and the activator's.
  'queue_wait',
  'throttler_try',
  // Google Pub/Sub clients; the names changed between versions.
  'publisher flow control',
  'publisher batching',
  'subscriber flow control',
  'subscriber concurrency control',
  'subscribe scheduler',
  'subscriber scheduler',
  'publish scheduler',
  'publisher scheduler'
])

/** Parts of making a connection or moving bytes, of otelhttptrace: wire time, never the peer's. */
const transportNames: ReadonlySet<string> = new Set([
  'http.dns',
  'http.connect',
  'http.tls',
  'http.headers',
  'http.send',
  'http.receive'
])

const KOTEL_SCOPE = 'github.com/twmb/franz-go/plugin/kotel'
/** Beyla was given to OpenTelemetry as OBI. */
const EBPF_SCOPE = /(^|[/.-])(obi|beyla|ebpf-instrumentation)($|[/.-])/
const HANDLER_NAME = 'processing'

/**
 * Trait of a span by its name, instrumentation scope and kind. Beyla and OBI split a request into `in queue` and `processing`:
 * three spans that are one request, whose code is the SERVER span's whatever the third is called. kotel's `{topic} receive` lasts from prefetched to polled, so
 * it is a queue; other libraries' CONSUMER spans called `receive` are polls for messages, and are not.
 */
export function traitByName(name: string, scope: string, kind: number): number {
  if (waitNames.has(name)) return Trait.wait
  if (transportNames.has(name)) return Trait.transport
  if (name === HANDLER_NAME) return kind === Kind.internal && EBPF_SCOPE.test(scope) ? Trait.handler : Trait.none
  return kind === Kind.consumer && name.endsWith(' receive') && scope === KOTEL_SCOPE ? Trait.wait : Trait.none
}

/** Whether the name alone does not decide. */
export const isNameAmbiguous = (name: string): boolean => name === HANDLER_NAME || name.endsWith(' receive')
