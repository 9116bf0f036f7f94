import { expect, jest, test } from '@jest/globals'
import { type Chunk, type Send } from '../../src/forward/index.ts'
import { buildPipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { requestJson, requestProtobuf, type ShopRequest, shopRequests } from '../builders/shop-requests.ts'
import { decodeSpans, type SpanMessage } from '../unit/accept/otlp/otlp-messages.ts'

// Starts threads, on machines that may be busy.
jest.setTimeout(60_000)
const START_MS = 1_700_000_000_000

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')

/** A body of its own for each trace: that goes to its worker undecoded, whatever its resource says. */
function byTrace({ service, spans }: ShopRequest): ShopRequest[] {
  return [...Map.groupBy(spans, ({ traceId }) => traceId).values()].map((ofTrace) => ({ service, spans: ofTrace }))
}

const destinations = [
  { name: 'backend', endpoint: 'http://127.0.0.1:9' },
  { name: 'sampled', endpoint: 'http://127.0.0.1:9', send: 'tail' }
]

/** Whether a trace will be kept as an example only the main thread knows. */
const enrich = ['phases', 'dominant_phase', 'grades', 'band', 'critical_path']

interface Went {
  readonly all: readonly string[]
  readonly tail: readonly string[]
}

/** What went on, span by span, to those that want everything and to those that want the tail. */
async function forwarded(workers: number, requests: readonly ShopRequest[]): Promise<Went> {
  const settings = loadSettings(
    JSON.stringify({ workers, forward: { destinations, enrich, tail_of: 'request' } }),
    'test',
    {}
  )
  let nowMs = START_MS
  const failures: object[] = []
  const went: Record<Send, SpanMessage[]> = { all: [], tail: [] }
  const pipeline = buildPipeline(settings, {
    log: { error: (fields) => failures.push(fields) },
    nowMs: () => nowMs,
    seed: 1,
    forward(send: Send, { bytes, spans }: Chunk) {
      const decoded = decodeSpans(Buffer.from(bytes))
      expect(decoded).toHaveLength(spans)
      went[send].push(...decoded)
      pipeline.reuse(bytes)
    }
  })
  await pipeline.ready()
  for (const [i, request] of requests.entries()) {
    if (i % 3 === 0) pipeline.accept.traces(Buffer.from(JSON.stringify(requestJson(request))), 'json')
    else if (i % 3 === 1) pipeline.accept.traces(requestProtobuf(request), 'protobuf')
    else for (const one of byTrace(request)) pipeline.accept.traces(requestProtobuf(one), 'protobuf')
    pipeline.tick((nowMs += 500))
    await pipeline.settled()
  }
  await pipeline.shutdown(nowMs)
  expect(failures).toEqual([])
  return { all: went.all.map(written).sort(), tail: went.tail.map(written).sort() }
}

/** Ids first, then all that it has. */
function written(span: SpanMessage): string {
  const bytes = (_: string, value: unknown): unknown =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  return `${hex(span.traceId)} ${hex(span.spanId)} ${JSON.stringify(span, bytes)}`
}

const idsOf = (line: string): string => line.split(' ', 2).join(' ')

// Scenario: traces of two services come in bodies of their own to a service with one, two and three workers: as JSON, as protobuf that
// must be decoded before it can be shared out, and as protobuf that goes to its worker as it is; one span of a body is refused.
// Guarantees: each span goes on once, with what was found of it, and the tail's to whoever wants the tail, whoever decoded it and
// however many workers there are.
test('the same spans go on for any number of workers', async () => {
  const whole = shopRequests({ traces: 1_200 })
  const [first, ...others] = whole as [ShopRequest, ...ShopRequest[]]
  const [late, ...rest] = first.spans
  const endless = { ...late, endTimeUnixNano: '1' } as ShopRequest['spans'][number]
  const requests = [{ ...first, spans: [...rest, endless] }, ...others]
  const one = await forwarded(1, requests)
  const sent = requests.flatMap(({ spans }) => spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`))
  expect(one.all.map(idsOf)).toEqual(sent.sort())
  expect(one.all.filter((line) => line.includes('tailspan.phase.')).length).toBeGreaterThan(1_200)
  expect(one.tail.length).toBeGreaterThan(4)
  expect(one.tail.length).toBeLessThan(sent.length / 10)
  expect(await forwarded(2, requests)).toEqual(one)
  expect(await forwarded(3, requests)).toEqual(one)
})
