/** One span to send, with those below it; times in ms after its parent's start. */
export interface SpanDraft {
  readonly service: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client'
  readonly atMs: number
  readonly ms: number
  readonly attributes?: Readonly<Record<string, string | number>>
  readonly failed?: boolean
  readonly children?: readonly SpanDraft[]
}

export interface Sender {
  readonly language: string
  readonly version: string
}

const KINDS = { internal: 1, server: 2, client: 3 } as const
/** Bodies are kept below the service's limit. */
const SPANS_PER_BODY = 5_000

/** Sends traces as OTLP/JSON over HTTP, as a set of services would. Ids count up, so a run can be told from its order. */
export function createExporter(address: string, senderOf: (service: string) => Sender) {
  let traces = 0
  let spans = 0
  let waiting = new Map<string, object[]>()
  let waitingSpans = 0

  function add(
    draft: SpanDraft,
    { traceId, parentSpanId, startMs }: Record<'traceId' | 'parentSpanId', string> & { startMs: number }
  ): void {
    const open = [{ draft, parentSpanId, startMs }]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const spanId = (++spans).toString(16).padStart(16, '0')
      const fromMs = next.startMs + next.draft.atMs
      const { service, name, kind, ms, attributes = {}, failed = false, children = [] } = next.draft
      const list = waiting.get(service) ?? []
      waiting.set(service, list)
      list.push({
        traceId,
        spanId,
        ...(next.parentSpanId !== '' && { parentSpanId: next.parentSpanId }),
        name,
        kind: KINDS[kind],
        startTimeUnixNano: unixNano(fromMs),
        endTimeUnixNano: unixNano(fromMs + ms),
        attributes: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
        ...(failed && { status: { code: 2 } })
      })
      waitingSpans += 1
      for (const child of children) open.push({ draft: child, parentSpanId: spanId, startMs: fromMs })
    }
  }

  async function flush(): Promise<void> {
    const resourceSpans = [...waiting].map(([service, list]) => {
      const { language, version } = senderOf(service)
      return {
        resource: {
          attributes: [
            attribute('service.name', service),
            attribute('service.version', version),
            attribute('service.instance.id', `${service}-1`),
            attribute('telemetry.sdk.language', language)
          ]
        },
        scopeSpans: [{ scope: { name: 'pictures' }, spans: list }]
      }
    })
    waiting = new Map()
    waitingSpans = 0
    const answer = await fetch(`http://${address}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceSpans })
    })
    if (answer.status !== 200) throw new Error(`the spans were refused: ${answer.status} ${await answer.text()}`)
  }

  return {
    /** Gives the trace's id. */
    async send(root: SpanDraft, startMs: number): Promise<string> {
      const traceId = `7${(++traces).toString(16).padStart(31, '0')}`
      add(root, { traceId, parentSpanId: '', startMs })
      if (waitingSpans >= SPANS_PER_BODY) await flush()
      return traceId
    },
    flush,
    sentTraces: () => traces
  }
}

export type TraceExporter = ReturnType<typeof createExporter>

function attribute(key: string, value: string | number): object {
  return { key, value: typeof value === 'string' ? { stringValue: value } : { intValue: String(Math.round(value)) } }
}

const unixNano = (ms: number): string => String(BigInt(Math.round(ms * 1e3)) * 1_000n)
