import { createRandom } from '../builders/random.ts'

const HIT_SHARE = 0.03
const INTERNAL = 1
const SERVER = 2
const CLIENT = 3
const ERROR = 2

export interface Checkout {
  /** Sends requests that ended just now. */
  readonly send: (requests: number) => Promise<void>
}

interface Span {
  readonly name: string
  readonly kind: number
  readonly parentSpanId?: string
  readonly fromMs: number
  readonly toMs: number
  readonly status?: object
}

/**
 * A Rust service without busy_ns that calls a Go library in its process, which the demo's shop has not. Its slow requests make a
 * failed call again, and spend time that nothing explains.
 */
export function createCheckout(httpAddress: string, seed: number): Checkout {
  const random = createRandom(seed)
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')

  /** Spans of one request, by the language that makes them. */
  function request(endMs: number): { rust: object[]; go: object[] } {
    const traceId = hex(32)
    const [serverId, taxId] = [hex(16), hex(16)]
    const hit = random() < HIT_SHARE
    const [taxMs, callMs, lostMs] = [1 + random(), 2 + random(), 1 + random() + (hit ? 40 : 0)]
    const attempts = hit ? [30, callMs] : [callMs]
    const span = (spanId: string, { fromMs, toMs, ...rest }: Span): object => ({
      traceId,
      spanId,
      ...rest,
      startTimeUnixNano: nanoseconds(fromMs),
      endTimeUnixNano: nanoseconds(toMs)
    })
    let atMs = endMs - lostMs - attempts.reduce((sum, ms) => sum + ms, taxMs)
    const taxed = { fromMs: atMs + taxMs * 0.2, toMs: atMs + taxMs * 0.8 }
    const rust = [
      span(serverId, { name: 'GET /pay', kind: SERVER, fromMs: atMs, toMs: endMs }),
      span(taxId, { name: 'tax', kind: INTERNAL, parentSpanId: serverId, fromMs: atMs, toMs: atMs + taxMs })
    ]
    atMs += taxMs
    attempts.forEach((ms, i) => {
      const status = i < attempts.length - 1 ? { status: { code: ERROR } } : {}
      const call = {
        name: 'POST /charge',
        kind: CLIENT,
        parentSpanId: serverId,
        fromMs: atMs,
        toMs: atMs + ms,
        ...status
      }
      rust.push(span(hex(16), call))
      atMs += ms
    })
    return { rust, go: [span(hex(16), { name: 'tax.compute', kind: INTERNAL, parentSpanId: taxId, ...taxed })] }
  }

  return {
    async send(requests) {
      const endMs = Date.now()
      const made = Array.from({ length: requests }, () => request(endMs))
      const resourceSpans = (['rust', 'go'] as const).map((language) => ({
        resource: resourceOf(language),
        scopeSpans: [{ scope: { name: 'checkout' }, spans: made.flatMap((spans) => spans[language]) }]
      }))
      const answer = await fetch(`http://${httpAddress}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ resourceSpans })
      })
      if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
    }
  }
}

/** Two SDKs in one process say the same of it, but for their language. */
const resourceOf = (language: string): object => ({
  attributes: Object.entries({
    'service.name': 'checkout',
    'service.instance.id': 'checkout-1',
    'telemetry.sdk.language': language
  }).map(([key, value]) => ({ key, value: { stringValue: value } }))
})

const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1e3)) * 1000n)
