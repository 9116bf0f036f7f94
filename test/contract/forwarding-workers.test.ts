import { expect, jest, test } from '@jest/globals'
import { type Chunk, type Send } from '../../src/forward/index.ts'
import { buildPipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { requestJson, requestProtobuf, type ShopRequest, shopRequests } from '../builders/shop-requests.ts'
import { decodeSpans } from '../unit/accept/otlp/otlp-messages.ts'

// Starts threads, on machines that may be busy.
jest.setTimeout(60_000)
const START_MS = 1_700_000_000_000

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')

/** A body of its own for each trace: that goes to its worker undecoded, whatever its resource says. */
function byTrace({ service, spans }: ShopRequest): ShopRequest[] {
  return [...Map.groupBy(spans, ({ traceId }) => traceId).values()].map((ofTrace) => ({ service, spans: ofTrace }))
}

// Scenario: traces of two services come in bodies of their own to a service with several workers: as JSON, as protobuf that must be
// decoded before it can be shared out, and as protobuf that goes to its worker as it is.
// Guarantees: each span goes on once, whoever decoded it and however many workers there are; workers add what they find.
test.each([1, 2, 3])('every span goes on once (%i workers)', async (workers) => {
  const settings = loadSettings(
    `{workers: ${workers}, forward: {destinations: [{name: backend, endpoint: 'http://127.0.0.1:9'}]}}`,
    'test',
    {}
  )
  let nowMs = START_MS
  const failures: object[] = []
  const chunks: { send: Send; spans: number; body: Buffer }[] = []
  const pipeline = buildPipeline(settings, {
    log: { error: (fields) => failures.push(fields) },
    nowMs: () => nowMs,
    seed: 1,
    forward(send: Send, { bytes, spans }: Chunk) {
      chunks.push({ send, spans, body: Buffer.from(bytes) })
      pipeline.reuse(bytes)
    }
  })
  await pipeline.ready()
  const requests = shopRequests({ traces: 400 })
  for (const [i, request] of requests.entries()) {
    if (i % 3 === 0) pipeline.accept.traces(Buffer.from(JSON.stringify(requestJson(request))), 'json')
    else if (i % 3 === 1) pipeline.accept.traces(requestProtobuf(request), 'protobuf')
    else for (const one of byTrace(request)) pipeline.accept.traces(requestProtobuf(one), 'protobuf')
    pipeline.tick((nowMs += 500))
    await pipeline.settled()
  }
  await pipeline.shutdown(nowMs)

  const sent = requests.flatMap(({ spans }) => spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`))
  const went = chunks.flatMap(({ body }) => decodeSpans(body))
  expect(failures).toEqual([])
  expect(went.map(({ traceId, spanId }) => `${hex(traceId)} ${hex(spanId)}`).sort()).toEqual(sent.sort())
  expect(chunks.reduce((sum, { spans }) => sum + spans, 0)).toBe(sent.length)
  const phases = went.filter(({ attributes = [] }) => attributes.some(({ key }) => key.startsWith('tailspan.phase.')))
  expect(phases.length).toBeGreaterThan(0)
})
