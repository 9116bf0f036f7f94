import { inspect } from 'node:util'
import { expect, test } from '@jest/globals'
import { buildPipeline, type Pipeline } from '../../../src/pipeline.ts'
import { loadSettings } from '../../../src/settings/settings.ts'
import { bytesField, numberField, textField } from '../../builders/protobuf-bytes.ts'
import {
  encodeTraces,
  type KeyValue,
  type SpanMessage,
  toJson,
  type TraceMessage
} from '../accept/otlp/otlp-messages.ts'
import { randomTraces, seeded } from '../accept/otlp/random-traces.ts'
import { added, countOf, type Outgoing, readOutgoing, spansIn, valueOf } from './outgoing.ts'

/** After everything that is drawn at random. */
const NOW_MS = 1_761_100_000_000
const NOW_NS = BigInt(NOW_MS) * 1_000_000n

interface Rig {
  readonly pipeline: Pipeline
  /** Everything that went on since it was asked last, by what was asked to be sent. */
  readonly taken: (send?: 'all' | 'tail') => Outgoing[]
  readonly count: (name: string, value: string) => number
  /** Lets time pass. */
  readonly pass: (ms: number) => void
  readonly close: () => Promise<void>
}

function rig(forward: object = {}, more: object = {}): Rig {
  const destinations = [{ name: 'a', endpoint: 'http://127.0.0.1:1' }]
  const text = JSON.stringify({ forward: { destinations, ...forward }, ...more })
  const chunks: { send: string; bytes: Buffer; spans: number }[] = []
  const clock = { nowMs: NOW_MS }
  const pipeline = buildPipeline(loadSettings(text, 'test', {}), {
    log: {
      error(fields) {
        throw new Error(inspect(fields))
      }
    },
    nowMs: () => clock.nowMs,
    seed: 1,
    forward: (send, { bytes, spans }) => chunks.push({ send, bytes, spans })
  })
  pipeline.tick(NOW_MS)
  return {
    pipeline,
    taken(send = 'all') {
      const mine = chunks.filter((chunk) => chunk.send === send)
      chunks.splice(0, chunks.length, ...chunks.filter((chunk) => chunk.send !== send))
      return mine.map(({ bytes, spans }) => {
        expect(spansIn(readOutgoing(bytes))).toHaveLength(spans)
        return readOutgoing(bytes)
      })
    },
    count: (name, value) => countOf(pipeline, name, value),
    pass(ms) {
      clock.nowMs += ms
      pipeline.tick(clock.nowMs)
    },
    close: () => pipeline.shutdown(clock.nowMs)
  }
}

const id = (bytes: number, value: number): Uint8Array => new Uint8Array(bytes).fill(value)

function spanOf(more: Partial<SpanMessage> & { trace?: number; id?: number; parent?: number } = {}): SpanMessage {
  const { trace = 1, id: own = 1, parent = 0, ...fields } = more
  return {
    traceId: id(16, trace),
    spanId: id(8, own),
    ...(parent > 0 && { parentSpanId: id(8, parent) }),
    name: 'GET /buy',
    kind: 2,
    startTimeUnixNano: String(NOW_NS - 50_000_000n),
    endTimeUnixNano: String(NOW_NS - 30_000_000n),
    ...fields
  }
}

function requestOf(spans: SpanMessage[], attributes: KeyValue[] = []): TraceMessage {
  const service = { key: 'service.name', value: { stringValue: 'shop' } }
  return { resourceSpans: [{ resource: { attributes: [service, ...attributes] }, scopeSpans: [{ spans }] }] }
}

test('every span goes on, its bytes first and unchanged, attributes after them, in what it came in', async () => {
  let accepted = 0
  for (let seed = 1; seed <= 100; seed++) {
    const one = rig({}, { accept: { span_age_max: '3650d' } })
    const request = randomTraces(seeded(seed))
    const body = Buffer.from(encodeTraces(request))
    const refusals = one.pipeline.accept.traces(body, 'protobuf')
    const came = spansIn(readOutgoing(body))
    accepted += came.length - refusals.rejected
    await one.close()
    const went = one.taken().flatMap(spansIn)
    const wanted = came.filter(({ hasIds }) => hasIds)
    expect({ seed, spans: went.length }).toEqual({ seed, spans: wanted.length })
    for (const span of wanted) {
      const twin = went.find(
        ({ bytes, envelope }) => envelope === span.envelope && bytes.subarray(0, span.bytes.length).equals(span.bytes)
      )
      expect(twin).toBeDefined()
      const attributes = added(span, twin as typeof span)
      expect(attributes.every(({ key }) => key.startsWith('tailspan.'))).toBe(true)
    }
  }
  expect(accepted).toBeGreaterThan(300)
})

test('fields that nobody knows survive in spans, scopes and resources, schema URLs too', async () => {
  const one = rig()
  const unknown = bytesField(900, Buffer.from('of a later version'))
  const [, spanField] = splitSpan(encodeTraces(requestOf([spanOf()])))
  const span = bytesField(2, Buffer.concat([spanField, unknown, numberField(901, 7)]))
  const scope = bytesField(1, Buffer.concat([textField(1, 'otelhttp'), unknown]))
  const scopeSpans = bytesField(2, Buffer.concat([scope, span, textField(3, 'https://scope'), unknown]))
  const resource = bytesField(1, Buffer.concat([bytesField(1, Buffer.concat([textField(1, 'k')])), unknown]))
  const body = bytesField(1, Buffer.concat([resource, scopeSpans, textField(3, 'https://resource'), unknown]))
  expect(one.pipeline.accept.traces(body, 'protobuf').rejected).toBe(0)
  await one.close()
  const [came] = spansIn(readOutgoing(body))
  const [went] = one.taken().flatMap(spansIn)
  expect(went?.envelope).toBe(came?.envelope)
  expect(went?.bytes.includes(unknown)).toBe(true)
  expect(added(came as NonNullable<typeof came>, went as NonNullable<typeof went>).length).toBeGreaterThan(0)
})

/** Of a request with one span: what stands before it, and its bytes. */
function splitSpan(body: Uint8Array): [Buffer, Buffer] {
  const [span] = spansIn(readOutgoing(Buffer.from(body)))
  return [Buffer.from(body), (span as NonNullable<typeof span>).bytes]
}

test('a request gets its phases in seconds, which add up to it; any span on the path its time there', async () => {
  const one = rig({ enrich: ['phases', 'dominant_phase', 'grades', 'critical_path'] })
  const call = spanOf({
    id: 2,
    parent: 1,
    kind: 3,
    name: 'SELECT',
    startTimeUnixNano: String(NOW_NS - 48_000_000n),
    endTimeUnixNano: String(NOW_NS - 33_000_000n)
  })
  one.pipeline.accept.traces(encodeTraces(requestOf([spanOf(), call])), 'protobuf')
  await one.close()
  const [root, child] = one.taken().flatMap(spansIn)
  const of = (span: typeof root): Record<string, unknown> =>
    Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, valueOf(value)]))
  expect(of(root)).toEqual({
    'tailspan.phase.downstream': 0.015,
    'tailspan.phase.unattributed': 0.005,
    'tailspan.grade.downstream': 'inferred',
    'tailspan.dominant_phase': 'downstream',
    'tailspan.critical_path_ns': 5_000_000
  })
  expect(of(child)).toEqual({ 'tailspan.critical_path_ns': 15_000_000 })
  expect(one.count('tail_forward_handled_total', 'enriched')).toBe(2)
  expect(one.count('tail_forward_attributes_total', 'added')).toBe(6)
})

test('a name that the sender has used stays the sender’s', async () => {
  const one = rig({ enrich: ['phases', 'critical_path'] })
  const own = { key: 'tailspan.critical_path_ns', value: { stringValue: 'mine' } }
  one.pipeline.accept.traces(encodeTraces(requestOf([spanOf({ attributes: [own] })])), 'protobuf')
  await one.close()
  const [span] = one.taken().flatMap(spansIn)
  expect(span?.attributes.map(({ key, value }) => [key, valueOf(value)])).toEqual([
    ['tailspan.critical_path_ns', 'mine'],
    ['tailspan.phase.unattributed', 0.02]
  ])
  expect(one.count('tail_forward_attributes_total', 'senders_own')).toBe(1)
})

test('JSON goes on as the protobuf that it means', () => {
  const one = rig({ enrich: [] })
  for (let seed = 1; seed <= 40; seed++) {
    const request = randomTraces(seeded(seed))
    const inProtobuf = Buffer.from(encodeTraces(request))
    one.pipeline.accept.traces(toJson(request), 'json')
    one.pass(2_000)
    const went = one.taken().flatMap(spansIn)
    const came = spansIn(readOutgoing(inProtobuf)).filter(({ hasIds }) => hasIds)
    expect(went.map(({ message }) => message)).toEqual(came.map(({ message }) => message))
    expect(went.map(({ parents }) => parents)).toEqual(came.map(({ parents }) => parents))
  }
})

const bodyOf = (spans: SpanMessage[]): Uint8Array => encodeTraces(requestOf(spans))

test('of a span sent twice one goes on; what comes late goes on as it came', () => {
  const one = rig()
  one.pipeline.accept.traces(bodyOf([spanOf(), spanOf()]), 'protobuf')
  one.pass(20_000)
  expect(one.taken().flatMap(spansIn)).toHaveLength(1)
  expect(one.count('tail_forward_handled_total', 'duplicate')).toBe(1)
  // Once more after its trace has closed, with a span that belongs to a request which is counted.
  one.pipeline.accept.traces(bodyOf([spanOf(), spanOf({ id: 2, parent: 1, kind: 1 })]), 'protobuf')
  for (let i = 0; i < 20; i++) one.pass(1_000)
  const late = one.taken().flatMap(spansIn)
  expect(late.map(({ message }) => message.spanId)).toEqual([Array(8).fill(2)])
  expect(late[0]?.attributes).toEqual([])
  expect(one.count('tail_forward_handled_total', 'duplicate')).toBe(2)
  expect(one.count('tail_forward_handled_total', 'late')).toBe(1)
})

test('work that comes after its trace goes on with what was found of it', () => {
  const one = rig()
  one.pipeline.accept.traces(bodyOf([spanOf()]), 'protobuf')
  one.pass(20_000)
  one.taken()
  one.pipeline.accept.traces(bodyOf([spanOf({ id: 2, parent: 1, kind: 5 })]), 'protobuf')
  for (let i = 0; i < 20; i++) one.pass(1_000)
  const [consumer] = one.taken().flatMap(spansIn)
  expect(consumer?.attributes.map(({ key }) => key)).toContain('tailspan.dominant_phase')
})

test('a span that Tailspan refuses goes on as it came; one without ids does not', async () => {
  const one = rig()
  const body = bodyOf([
    spanOf({ id: 1, endTimeUnixNano: String(NOW_NS - 60_000_000n) }),
    spanOf({ id: 2 }),
    spanOf({ id: 3, spanId: new Uint8Array(8) }),
    spanOf({ id: 4, traceId: new Uint8Array(3).fill(1) })
  ])
  expect(one.pipeline.accept.traces(body, 'protobuf').rejected).toBe(3)
  await one.close()
  const went = one.taken().flatMap(spansIn)
  expect(went.map(({ message }) => message.spanId?.[0])).toEqual([1, 2])
  expect(went[0]?.attributes).toEqual([])
  expect(one.count('tail_forward_handled_total', 'refused')).toBe(1)
  expect(one.count('tail_forward_handled_total', 'without_ids')).toBe(2)
})

test('a parent id that is none keeps a span back, in JSON as in protobuf', async () => {
  const one = rig()
  const spans = [
    spanOf({ id: 1, parentSpanId: id(3, 9) }),
    spanOf({ id: 2, parentSpanId: id(8, 9) }),
    spanOf({ id: 3 })
  ]
  expect(one.pipeline.accept.traces(bodyOf(spans), 'protobuf').rejected).toBe(1)
  const noHex = new Map([
    ['0909090909090909', 'no parent'],
    ['090909', '09090909090909090']
  ])
  const inJson = Buffer.from(toJson(requestOf(spans.map((span) => ({ ...span, traceId: id(16, 2) })))))
  const text = inJson
    .toString()
    .replaceAll(/"parentSpanId":"(\w+)"/g, (_, hex: string) => `"parentSpanId":"${noHex.get(hex)}"`)
  expect(one.pipeline.accept.traces(Buffer.from(text), 'json').rejected).toBe(2)
  await one.close()
  const went = one.taken().flatMap(spansIn)
  expect(went.map(({ message }) => [message.traceId?.[0], message.spanId?.[0]])).toEqual([
    [1, 2],
    [1, 3],
    [2, 3]
  ])
  expect(one.count('tail_forward_handled_total', 'without_ids')).toBe(3)
})

test('spans beyond the limit of their trace go on as they came', async () => {
  const one = rig({}, { assemble: { spans_per_trace_max: 2 } })
  one.pipeline.accept.traces(bodyOf([1, 2, 3, 4].map((own) => spanOf({ id: own }))), 'protobuf')
  await one.close()
  expect(one.taken().flatMap(spansIn)).toHaveLength(4)
  expect(one.count('tail_forward_handled_total', 'over_limit')).toBe(2)
})

test('when memory is short spans go on early, as they came, each once', async () => {
  const one = rig({ held_bytes_max: '1MiB' })
  const padding = [{ key: 'padding', value: { stringValue: 'x'.repeat(50_000) } }]
  for (let trace = 1; trace <= 60; trace++)
    one.pipeline.accept.traces(bodyOf([spanOf({ trace, attributes: padding })]), 'protobuf')
  const early = one.count('tail_forward_handled_total', 'memory')
  expect(early).toBeGreaterThan(30)
  await one.close()
  const went = one.taken().flatMap(spansIn)
  expect(new Set(went.map(({ message }) => message.traceId?.[0])).size).toBe(60)
  expect(went).toHaveLength(60)
  expect(one.count('tail_forward_handled_total', 'enriched')).toBe(60 - early)
  expect(went.filter(({ attributes }) => attributes.length === 1)).toHaveLength(early)
})

test('asked to free memory, it lets spans go early and gives the pages back', async () => {
  const one = rig()
  const padding = [{ key: 'padding', value: { stringValue: 'x'.repeat(100_000) } }]
  for (let trace = 1; trace <= 10; trace++)
    one.pipeline.accept.traces(bodyOf([spanOf({ trace, attributes: padding })]), 'protobuf')
  const held = (): number => one.pipeline.sources.memory()['forward_held'] ?? 0
  const before = held()
  one.pipeline.relieve(300_000, NOW_MS)
  expect(before - held()).toBeGreaterThanOrEqual(300_000)
  await one.close()
  expect(one.taken().flatMap(spansIn)).toHaveLength(10)
  one.pipeline.relieve(2 ** 40, NOW_MS)
  // What is left is the page that is being filled.
  expect(held()).toBeLessThanOrEqual(262_144)
})

test('only the tail: whole traces whose root is over its p99 or its budget, and what comes late of them', () => {
  const destinations = [
    { name: 'a', endpoint: 'http://127.0.0.1:1', send: 'tail' },
    { name: 'b', endpoint: 'http://127.0.0.1:1' }
  ]
  const one = rig({ destinations }, { budgets: [{ service: 'shop', operation: 'GET /buy', p99: '15ms' }] })
  const quick = spanOf({ trace: 2, endTimeUnixNano: String(NOW_NS - 49_000_000n) })
  one.pipeline.accept.traces(bodyOf([spanOf(), spanOf({ id: 2, parent: 1, kind: 3 }), quick]), 'protobuf')
  one.pass(20_000)
  const [tail, all] = [one.taken('tail').flatMap(spansIn), one.taken('all').flatMap(spansIn)]
  expect(all).toHaveLength(3)
  expect(tail.map(({ message }) => message.spanId?.[0])).toEqual([1, 2])
  const hint = Object.fromEntries((tail[0]?.attributes ?? []).map(({ key, value }) => [key, valueOf(value)]))
  expect(hint).toMatchObject({ 'tailspan.keep': true, 'tailspan.keep_reason': 'over_budget' })
  expect(tail[0]?.bytes.equals(all.find(({ message }) => message.traceId?.[0] === 1)?.bytes as Buffer)).toBe(true)
  one.pipeline.accept.traces(
    bodyOf([spanOf({ id: 3, parent: 2, kind: 1 }), { ...quick, spanId: id(8, 9), parentSpanId: id(8, 1), kind: 1 }]),
    'protobuf'
  )
  for (let i = 0; i < 20; i++) one.pass(1_000)
  expect(
    one
      .taken('tail')
      .flatMap(spansIn)
      .map(({ message }) => message.spanId?.[0])
  ).toEqual([3])
  expect(one.taken('all').flatMap(spansIn)).toHaveLength(2)
})

test('nobody wants anything: nothing is held', async () => {
  const one = rig({ destinations: [] })
  one.pipeline.accept.traces(bodyOf([spanOf()]), 'protobuf')
  expect(one.pipeline.sources.memory()).not.toHaveProperty('forward_held')
  await one.close()
})
