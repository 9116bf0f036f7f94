import { expect, test } from '@jest/globals'
import protobuf from 'protobufjs'
import { createLoad } from '../../builders/load.ts'

const OTLP = `syntax = "proto3";
message Any { string string_value = 1; int64 int_value = 3; }
message KeyValue { string key = 1; Any value = 2; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; }
message Status {}
message Span {
  bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Request { repeated ResourceSpans resource_spans = 1; }`

interface ReadSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly unknown[]
}

const request = protobuf.parse(OTLP).root.lookupType('Request')
const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')

function readProtobuf(body: Uint8Array): ReadSpan[] {
  const document = request.toObject(request.decode(body), { longs: String, bytes: String })
  const spans = (document as { resourceSpans: { scopeSpans: { spans: ReadSpan[] }[] }[] }).resourceSpans[0]
    ?.scopeSpans[0]
  return (spans?.spans ?? []).map((span) => ({
    ...span,
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: hex(span.parentSpanId) })
  }))
}

function readJson(body: Uint8Array): ReadSpan[] {
  const document = JSON.parse(Buffer.from(body).toString()) as {
    resourceSpans: { scopeSpans: { spans: ReadSpan[] }[] }[]
  }
  return document.resourceSpans[0]?.scopeSpans[0]?.spans ?? []
}

const ids = ({ traceId, spanId, parentSpanId, startTimeUnixNano, endTimeUnixNano, name, kind }: ReadSpan): unknown => ({
  traceId,
  spanId,
  parentSpanId,
  startTimeUnixNano,
  endTimeUnixNano,
  name,
  kind
})

const shape = { operations: 10, seed: 5, startMs: 1_790_000_000_000 } as const

test('a protobuf body and a JSON body of the same block say the same', () => {
  const binary = createLoad({ ...shape, format: 'protobuf' })
  const json = createLoad({ ...shape, format: 'json' })
  for (const [block, index] of [
    [0, 0],
    [3, 9]
  ] as const) {
    const spans = readProtobuf(binary.body(block, index))
    expect(spans).toHaveLength(512)
    expect(spans.every(({ attributes }) => attributes.length === 10)).toBe(true)
    expect(spans.map(ids)).toEqual(readJson(json.body(block, index)).map(ids))
  }
})

test('every trace has 8 spans, one root, all parents, and never comes in one body', () => {
  const load = createLoad({ ...shape, format: 'protobuf' })
  const traces = new Map<string, { spans: ReadSpan[]; bodies: Set<string> }>()
  for (const block of [0, 9]) {
    for (let index = 0; index < load.bodies; index++) {
      for (const span of readProtobuf(load.body(block, index))) {
        const trace = traces.get(span.traceId) ?? { spans: [], bodies: new Set() }
        trace.spans.push(span)
        trace.bodies.add(`${block} ${index}`)
        traces.set(span.traceId, trace)
      }
    }
  }
  expect(traces.size).toBe(2 * load.traces)
  const isWhole = ({ spans, bodies }: { spans: ReadSpan[]; bodies: Set<string> }): boolean => {
    const own = new Set(spans.map(({ spanId }) => spanId))
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined)
    const orphans = spans.filter(({ parentSpanId }) => parentSpanId !== undefined && !own.has(parentSpanId))
    return own.size === 8 && bodies.size === 3 && roots.length === 1 && orphans.length === 0
  }
  expect([...traces.values()].filter((trace) => !isWhole(trace))).toEqual([])
})

test.each([10, 200, 1_000, 5_000])(
  'a load of %i operations has exactly that many, and three requests a trace',
  (operations) => {
    const load = createLoad({ ...shape, format: 'protobuf', operations })
    expect(load.requests.size).toBe(operations)
    expect([...load.requests.values()].reduce((sum, count) => sum + count)).toBe(3 * load.traces)
  }
)
