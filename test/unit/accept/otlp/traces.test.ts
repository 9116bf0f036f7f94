import { isDeepStrictEqual } from 'node:util'
import { expect, test } from '@jest/globals'
import { Evidence, SpanFlag, type Want } from '../../../../src/model/spans.ts'
import { spanRefusalReasons } from '../../../../src/accept/otlp/index.ts'
import { Fault } from '../../../../src/runtime/fault.ts'
import {
  encodeSpan,
  encodeTraces,
  int,
  text,
  toJson,
  type KeyValue,
  type SpanMessage,
  type TraceMessage
} from './otlp-messages.ts'
import { expectedRows } from './oracle.ts'
import { randomTraces, seeded } from './random-traces.ts'
import { createBench, rowsOf, wantedTextCodes, wants, type Bench, type SpanRow } from './span-rows.ts'

const START = 1_760_000_000_000_000_000n
const NOW_MS = Number(START / 1_000_000n)

function spanMessage(changes: SpanMessage = {}): SpanMessage {
  return {
    traceId: new Uint8Array(16).fill(0xab),
    spanId: new Uint8Array(8).fill(0xcd),
    name: 'GET',
    kind: 2,
    startTimeUnixNano: String(START),
    endTimeUnixNano: String(START + 1000n),
    ...changes
  }
}

function request(...spans: SpanMessage[]): TraceMessage {
  return { resourceSpans: [{ resource: { attributes: [text('service.name', 'cart')] }, scopeSpans: [{ spans }] }] }
}

function decodeOne(attributes: KeyValue[], ask: readonly Want[] = [], changes: SpanMessage = {}): SpanRow {
  const bench = createBench(ask)
  const codes = ask.flatMap((want, i) =>
    want.from === 'attribute' && want.type === 'string' ? [Evidence.firstWanted + i] : []
  )
  bench.decoder.decodeProtobuf(encodeTraces(request(spanMessage({ attributes, ...changes }))), NaN)
  return rowsOf(bench, codes)[0] as SpanRow
}

function faultOf(run: () => void): Fault {
  try {
    run()
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('it was accepted')
}

function concat(...parts: (Uint8Array | number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A length-delimited field. */
function field(number: number, content: Uint8Array | number[]): Uint8Array {
  return concat(varintOf((number << 3) | 2), varintOf(content.length), content)
}

function checkAgainstOracle(seed: number, bench: Bench): void {
  const message = randomTraces(seeded(seed))
  const expected = expectedRows(message, wants)
  bench.decoder.decodeProtobuf(encodeTraces(message), NaN)
  const fromProtobuf = rowsOf(bench, wantedTextCodes)
  bench.decoder.decodeJson(toJson(message), NaN)
  const fromJson = rowsOf(bench, wantedTextCodes)
  const told = fromProtobuf.map((row, i) =>
    Object.fromEntries(Object.keys(expected[i] ?? {}).map((k) => [k, row[k as keyof SpanRow]]))
  )
  // Jest's own comparison is slow, and its report is only needed once.
  if (isDeepStrictEqual(told, expected) && isDeepStrictEqual(fromJson, fromProtobuf)) return
  console.error(`seed ${seed}`)
  expect(told).toEqual(expected)
  expect(fromJson).toEqual(fromProtobuf)
}

test('protobuf and JSON give the rows that the oracle expects, over 2,000 random requests', () => {
  const bench = createBench(wants)
  for (let seed = 1; seed <= 2000; seed++) checkAgainstOracle(seed, bench)
})

test('an empty request is nothing, and fine', () => {
  const { decoder } = createBench()
  expect(decoder.decodeProtobuf(new Uint8Array(0), NaN)).toMatchObject({ rejected: 0, message: '' })
  expect(decoder.decodeJson(new TextEncoder().encode('{}'), NaN)).toMatchObject({ rejected: 0, message: '' })
  expect(decoder.batch.n).toBe(0)
})

const refusalCases: [reason: string, changes: SpanMessage][] = [
  ['trace_id_invalid', { traceId: new Uint8Array(16) }],
  ['trace_id_invalid', { traceId: new Uint8Array(15).fill(1) }],
  ['trace_id_invalid', { traceId: new Uint8Array(0) }],
  ['span_id_invalid', { spanId: new Uint8Array(8) }],
  ['span_id_invalid', { spanId: new Uint8Array(16).fill(1) }],
  ['parent_id_invalid', { parentSpanId: new Uint8Array(4).fill(1) }],
  ['timestamp_invalid', { startTimeUnixNano: '0' }],
  ['timestamp_invalid', { endTimeUnixNano: '0' }],
  ['timestamp_invalid', { endTimeUnixNano: String(1n << 63n) }],
  ['end_before_start', { endTimeUnixNano: String(START - 1n) }],
  ['duration_too_long', { startTimeUnixNano: '1', endTimeUnixNano: String((1n << 53n) + 1n) }],
  ['in_future', { endTimeUnixNano: String(START + 601_000_000_000n) }],
  [
    'too_old',
    { startTimeUnixNano: String(START - 7200_000_000_000n), endTimeUnixNano: String(START - 3601_000_000_000n) }
  ]
]

test.each(refusalCases)('a span is refused for %s and the others count: %p', (reason, changes) => {
  const { decoder } = createBench([], { spanAgeMaxMs: 3_600_000 })
  const bodies = request(spanMessage(), spanMessage(changes), spanMessage({ spanId: new Uint8Array(8).fill(7) }))
  for (const refusals of [
    () => decoder.decodeProtobuf(encodeTraces(bodies), NOW_MS),
    () => decoder.decodeJson(toJson(bodies), NOW_MS)
  ]) {
    const { rejected, byReason, message } = refusals()
    expect(message).toBe(`1 span refused: 1 ${reason}`)
    expect(rejected).toBe(1)
    expect(byReason[spanRefusalReasons.indexOf(reason as 'too_old')]).toBe(1)
    expect(decoder.batch.n).toBe(2)
  }
  expect(decoder.counters.get('tail_spans_rejected_total', spanRefusalReasons.indexOf(reason as 'too_old'))).toBe(2)
  expect(decoder.counters.get('tail_spans_received_total')).toBe(4)
})

test('the message of refusals names every reason, and is empty again for the next request', () => {
  const { decoder } = createBench()
  const bad = spanMessage({ traceId: new Uint8Array(3) })
  const body = encodeTraces(request(bad, bad, spanMessage({ endTimeUnixNano: '5' })))
  expect(decoder.decodeProtobuf(body, NaN).message).toBe('3 spans refused: 2 trace_id_invalid, 1 end_before_start')
  expect(decoder.decodeProtobuf(encodeTraces(request(spanMessage())), NaN)).toMatchObject({ rejected: 0, message: '' })
})

test('offline no span is too new or too old, and live a span of any length that just ended is welcome', () => {
  const { decoder } = createBench([], { spanAgeMaxMs: 1000 })
  const future = spanMessage({ endTimeUnixNano: String(START + 900_000_000_000n) })
  expect(decoder.decodeProtobuf(encodeTraces(request(future)), NaN).rejected).toBe(0)
  const long = spanMessage({ startTimeUnixNano: String(START - 86_400_000_000_000n), endTimeUnixNano: String(START) })
  expect(decoder.decodeProtobuf(encodeTraces(request(long)), NOW_MS).rejected).toBe(0)
})

test('a refused span leaves no evidence behind', () => {
  const bench = createBench(wants)
  const busy = (ns: number): KeyValue[] => [int('busy_ns', ns)]
  const body = request(
    spanMessage({ attributes: busy(1) }),
    spanMessage({ attributes: busy(2), traceId: new Uint8Array(0) }),
    spanMessage({ attributes: busy(3) })
  )
  bench.decoder.decodeProtobuf(encodeTraces(body), NaN)
  expect(rowsOf(bench).map(({ evidence }) => evidence.map(({ a }) => a))).toEqual([[1], [3]])
})

test('a parent id of eight zero bytes is no parent', () => {
  expect(decodeOne([], [], { parentSpanId: new Uint8Array(8) }).parentId).toBe('0000000000000000')
})

const nameField = (name: string): Uint8Array => field(1, [...Buffer.from(name)])
/** One ResourceSpans, of fields in the order given. */
const resourceSpans = (...fields: Uint8Array[]): Uint8Array => field(1, concat(...fields))
const scopeSpans = (...fields: Uint8Array[]): Uint8Array => field(2, concat(...fields))
const spanField = (bytes: Uint8Array | number[]): Uint8Array => field(2, bytes)
const attributeField = (key: string, anyValue: Uint8Array | number[]): Uint8Array =>
  concat(nameField(key), field(2, anyValue))

test('resource and scope may come after their spans', () => {
  const bench = createBench()
  const resource = field(1, field(1, attributeField('service.name', nameField('late'))))
  const scope = field(1, nameField('later'))
  const span = spanField(encodeSpan(spanMessage()))
  bench.decoder.decodeProtobuf(resourceSpans(scopeSpans(span, scope), resource), NaN)
  expect(rowsOf(bench)).toMatchObject([{ service: 'late', scope: 'later' }])
})

test('events and links may come before the id and start they need, and a value before its key', () => {
  const bench = createBench([
    { from: 'event', name: 'exception' },
    { from: 'attribute', key: 'busy_ns', type: 'number' }
  ])
  const rest = encodeSpan(spanMessage())
  const event = encodeSpan({ events: [{ name: 'exception', timeUnixNano: String(START + 7n) }] })
  const link = encodeSpan({ links: [{ traceId: new Uint8Array(16).fill(0xab), spanId: new Uint8Array(8).fill(1) }] })
  const attribute = field(9, concat(field(2, [0x18, 9]), nameField('busy_ns')))
  bench.decoder.decodeProtobuf(resourceSpans(scopeSpans(spanField(concat(event, link, attribute, rest)))), NaN)
  expect(rowsOf(bench)[0]?.evidence).toEqual([
    { code: Evidence.firstWanted + 1, a: 9, b: 0 },
    { code: Evidence.firstWanted, a: 7, b: 0 },
    { code: Evidence.linkSameTrace, a: 0x01010101, b: 0x01010101 }
  ])
})

test('unknown fields are passed over at every level', () => {
  const bench = createBench()
  const unknown = concat(field(60, [1, 2, 3]), [0xe0, 0x3f, 5], [0xe1, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0])
  const span = spanField(concat(encodeSpan(spanMessage()), unknown))
  const body = concat(resourceSpans(scopeSpans(span, unknown), unknown), unknown)
  expect(bench.decoder.decodeProtobuf(body, NaN).rejected).toBe(0)
  expect(bench.decoder.batch.n).toBe(1)
})

const goodSpan = encodeSpan(spanMessage())
const inSpan = (...more: (Uint8Array | number[])[]): Uint8Array =>
  resourceSpans(scopeSpans(spanField(concat(goodSpan, ...more))))
const malformed: [what: string, bytes: Uint8Array][] = [
  ['a length beyond its parent', Uint8Array.from([0x0a, 5, 1])],
  ['a length beyond its grandparent only', concat([0x0a, 3, 0x12, 5, 0], new Uint8Array(8))],
  ['a cut-short varint', inSpan([0x30, 0x80])],
  ['a varint of eleven bytes', inSpan([0x30, ...new Array<number>(10).fill(0x80), 1])],
  ['a length of 2^32 and more', concat([0x0a, 0x80, 0x80, 0x80, 0x80, 0x10], new Uint8Array(9))],
  ['field number 0', Uint8Array.from([0x02, 0])],
  ['a group', inSpan([0x53, 0x54])],
  ['a start time as varint', inSpan([0x38, 1])],
  ['a name as fixed64', inSpan([0x29, 0, 0, 0, 0, 0, 0, 0, 0])],
  ['a trace id as varint', inSpan([0x08, 1])],
  ['resource_spans as varint', Uint8Array.from([0x08, 1])],
  ['an attribute whose key is a number', inSpan(field(9, [0x08, 1]))],
  ['a wanted value in the wrong wire type', inSpan(field(9, attributeField('http.route', [0x0d, 0, 0, 0, 0])))],
  ['a cut-short fixed64', inSpan([0x39, 1, 2, 3])],
  ['an event whose time is a varint', inSpan(field(11, [0x08, 1]))]
]

test.each(malformed)('%s is a Fault that names the byte, and nothing counts', (_, bytes) => {
  const { decoder } = createBench()
  const good = encodeTraces(request(spanMessage()))
  const fault = faultOf(() => decoder.decodeProtobuf(concat(good, bytes), NaN))
  expect(fault.code).toBe('BAD_PAYLOAD')
  expect(fault.message).toMatch(/^byte \d+: /)
  expect(decoder.batch.n).toBe(0)
  expect(decoder.counters.samples().every(({ value }) => value === 0)).toBe(true)
  decoder.decodeProtobuf(good, NaN)
  expect(decoder.batch.n).toBe(1)
})

const malformedJson: [text: string, path: string][] = [
  ['[]', 'the document: expected an object'],
  ['null', 'the document: expected an object'],
  ['{"resourceSpans":{}}', 'resourceSpans: expected an array'],
  ['{"resourceSpans":[7]}', 'resourceSpans[0]: expected an object'],
  [
    '{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"name":5}]}]}]}',
    'resourceSpans[1].scopeSpans[0].spans[0].name: expected a string'
  ],
  [
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"startTimeUnixNano":"x"}]}]}]}',
    'resourceSpans[0].scopeSpans[0].spans[1].startTimeUnixNano: expected'
  ],
  [
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_SERVER"}]}]}]}',
    'spans[0].kind: expected an integer'
  ],
  [
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[{"attributes":[{"key":1}]}]}]}]}]}',
    'spans[0].events[0].attributes[0].key: expected a string'
  ],
  [
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"http.route","value":{"stringValue":1}}]}]}]}]}',
    'attributes[0].value.stringValue: expected a string'
  ],
  [
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"endTimeUnixNano":"18446744073709551616"}]}]}]}',
    'endTimeUnixNano: expected'
  ],
  ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-1}]}]}]}', 'startTimeUnixNano: expected'],
  ['{"resourceSpans":[{"scopeSpans":', 'broken JSON at offset 32'],
  ['{"resourceSpans":[}', 'broken JSON at offset 18']
]

test.each(malformedJson)('%s is a Fault that says where', (text, message) => {
  const { decoder } = createBench()
  const fault = faultOf(() => decoder.decodeJson(new TextEncoder().encode(text), NaN))
  expect(fault.code).toBe('BAD_PAYLOAD')
  expect(fault.message).toContain(message)
  expect(decoder.batch.n).toBe(0)
})

test('JSON ids may be in upper case, times may be numbers, null is absent, unknown fields are ignored', () => {
  const bench = createBench()
  const span = {
    traceId: 'ABCDEF00112233445566778899AABBCC',
    spanId: 'ABCDEF0011223344',
    parentSpanId: null,
    startTimeUnixNano: 1760000000000000000,
    endTimeUnixNano: '18446744073709551615'.replace(/^18/, '08'),
    trace_state: 'ot=th:c',
    attributes: null,
    unheardOf: { deep: [{}] }
  }
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] })
  bench.decoder.decodeJson(new TextEncoder().encode(body), NaN)
  expect(bench.decoder.batch.n).toBe(0)
  span.endTimeUnixNano = '1760000000000000123'
  bench.decoder.decodeJson(
    new TextEncoder().encode(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] })),
    NaN
  )
  expect(rowsOf(bench)).toMatchObject([
    {
      traceId: 'abcdef00112233445566778899aabbcc',
      startNs: 1760000000000000000n,
      endNs: 1760000000000000123n,
      evidence: []
    }
  ])
})

test('keys named __proto__ and constructor are data', () => {
  const bench = createBench([
    { from: 'attribute', key: '__proto__', type: 'number' },
    { from: 'attribute', key: 'constructor', type: 'string' }
  ])
  const message = request(
    spanMessage({ attributes: [int('__proto__', 5), text('constructor', 'x'), text('toString', 'y')] })
  )
  for (const decode of [
    () => bench.decoder.decodeProtobuf(encodeTraces(message), NaN),
    () => bench.decoder.decodeJson(toJson(message), NaN)
  ]) {
    decode()
    expect(rowsOf(bench, [Evidence.firstWanted + 1])[0]?.evidence.map(({ a }) => a)).toEqual([5, 'x'])
  }
  const polluting = '{"resourceSpans":[{"__proto__":{"scopeSpans":[{"spans":[{"name":7}]}]}}]}'
  expect(bench.decoder.decodeJson(new TextEncoder().encode(polluting), NaN).rejected).toBe(0)
})

test('an AnyValue nested 200,000 deep costs nothing, wanted or not', () => {
  const bench = createBench([{ from: 'attribute', key: 'deep', type: 'string' }])
  const depth = 200_000
  // Written from the inside out: each AnyValue holds an array of the one before.
  const nested = new Uint8Array(depth * 10)
  let at = nested.length
  for (let i = 0; i < depth; i++) {
    for (const tag of [0x0a, 0x2a]) {
      const head = [tag, ...varintOf(nested.length - at)]
      at -= head.length
      nested.set(head, at)
    }
  }
  for (const key of ['deep', 'http.route', 'unknown']) {
    bench.decoder.decodeProtobuf(inSpan(field(9, attributeField(key, nested.subarray(at)))), NaN)
    expect(bench.decoder.batch.n).toBe(1)
  }
  const json = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"deep","value":X}]}]}]}]}'
  const array = '{"arrayValue":{"values":['.repeat(depth) + ']}}'.repeat(depth)
  expect(bench.decoder.decodeJson(new TextEncoder().encode(json.replace('X', array)), NaN).rejected).toBe(1)
})

test('a name of 1 MB is shortened and stays another name than its neighbour', () => {
  const bench = createBench()
  const long = 'n'.repeat(1 << 20)
  const message = request(spanMessage({ name: `${long}a` }), spanMessage({ name: `${long}b` }))
  bench.decoder.decodeProtobuf(encodeTraces(message), NaN)
  const [first, second] = rowsOf(bench)
  expect(first?.name.length).toBeLessThanOrEqual(256)
  expect(first?.name).not.toBe(second?.name)
  expect(first?.operation).not.toBe(second?.operation)
  bench.decoder.decodeJson(toJson(message), NaN)
  expect(rowsOf(bench)).toEqual([first, second])
})

test('invalid UTF-8 is shown as U+FFFD and refuses nothing', () => {
  const bench = createBench()
  bench.decoder.decodeProtobuf(inSpan(field(5, [0x61, 0xff, 0x62])), NaN)
  expect(rowsOf(bench)[0]?.name).toMatch(/^a\ufffdb\u2026[g-v]{12}$/)
})

test('a span keeps at most 64 evidence rows, the rest are counted', () => {
  const ask: Want[] = [{ from: 'event', name: 'tick' }]
  const bench = createBench(ask)
  const events = Array.from({ length: 100 }, (_, i) => ({ name: 'tick', timeUnixNano: String(START + BigInt(i)) }))
  bench.decoder.decodeProtobuf(encodeTraces(request(spanMessage({ events }), spanMessage({ events }))), NaN)
  expect(rowsOf(bench).map(({ evidence }) => evidence.length)).toEqual([64, 64])
  expect(bench.decoder.counters.get('tail_evidence_overflow_total')).toBe(72)
})

test('of an attribute given twice the last counts', () => {
  const ask: Want[] = [{ from: 'attribute', key: 'busy_ns', type: 'number' }]
  const row = decodeOne(
    [
      int('busy_ns', 1),
      int('busy_ns', 2),
      text('http.route', '/a'),
      text('http.method', 'GET'),
      text('http.route', '/b')
    ],
    ask
  )
  expect(row.evidence).toEqual([{ code: Evidence.firstWanted, a: 2, b: 0 }])
  expect(row.operation).toBe('GET /b')
})

test('numbers are wanted as int, double and numeric text, and nothing else is a number', () => {
  const ask: Want[] = [{ from: 'attribute', key: 'busy_ns', type: 'number' }]
  const seen = (value: NonNullable<KeyValue['value']>): unknown =>
    decodeOne([{ key: 'busy_ns', value }], ask).evidence[0]?.a
  expect(seen({ intValue: -5 })).toBe(-5)
  expect(seen({ intValue: '9007199254740993' })).toBe(9007199254740992)
  expect(seen({ doubleValue: 1.5 })).toBe(1.5)
  expect(seen({ stringValue: '123456789012' })).toBe(123456789012)
  expect(seen({ stringValue: '1.5e3' })).toBe(1500)
  for (const stringValue of ['', ' ', '0x10', '12 ms', 'NaN', 'Infinity', '-', '9'.repeat(400)]) {
    expect(seen({ stringValue })).toBeUndefined()
  }
  expect(seen({ doubleValue: NaN })).toBeUndefined()
  expect(seen({ boolValue: true })).toBeUndefined()
})

const flagCases: [what: string, attributes: KeyValue[], changes: SpanMessage, flags: number][] = [
  ['http.route', [text('http.route', '/')], {}, SpanFlag.requestLike],
  ['an unknown rpc key', [text('rpc.connect_rpc.error_code', 'x')], {}, SpanFlag.requestLike],
  ['url.path', [text('url.path', '/')], {}, SpanFlag.requestLike],
  ['tower-http', [text('method', 'GET'), text('uri', '/')], {}, SpanFlag.requestLike],
  ['method alone', [text('method', 'GET')], {}, 0],
  ['a key that only begins like rpc', [text('rpcx', 'y')], {}, 0],
  [
    'server-sent events',
    [
      {
        key: 'http.response.header.content-type',
        value: { arrayValue: { values: [{ stringValue: 'Text/Event-Stream; charset=utf-8' }] } }
      }
    ],
    {},
    SpanFlag.streaming
  ],
  ['websocket', [text('network.protocol.name', 'websocket')], {}, SpanFlag.streaming],
  ['http', [text('network.protocol.name', 'http')], {}, 0],
  ['status 101', [int('http.response.status_code', 101)], {}, SpanFlag.streaming],
  [
    'a second RPC message',
    [],
    { events: [{ name: 'message', timeUnixNano: '9', attributes: [int('rpc.message.id', 2)] }] },
    SpanFlag.streaming
  ],
  [
    'a first RPC message',
    [],
    { events: [{ name: 'message', timeUnixNano: '9', attributes: [int('rpc.message.id', 1)] }] },
    0
  ],
  ['Refinery', [text('meta.refinery.reason', 'rules')], {}, SpanFlag.tailSampled],
  ['a sample rate of 10', [int('SampleRate', 10)], {}, SpanFlag.tailSampled],
  ['a sample rate of 1', [int('SampleRate', 1)], {}, 0],
  ['dropped attributes', [], { droppedAttributesCount: 1 }, SpanFlag.droppedAttributes],
  ['a local parent', [], { flags: 0x101 }, SpanFlag.parentLocationKnown],
  ['a remote parent', [], { flags: 0x300 }, SpanFlag.parentLocationKnown | SpanFlag.parentRemote],
  ['an unknown parent', [], { flags: 0x201 }, 0]
]

test.each(flagCases)('flags of %s', (_, attributes, changes, flags) => {
  expect(decodeOne(attributes, [], changes).flags).toBe(flags)
})

test('a tail sampler that marks the scope marks all its spans', () => {
  const bench = createBench()
  const message = request(spanMessage(), spanMessage())
  const scope = { attributes: [text('tailsampling.policy', 'slow')] }
  message.resourceSpans[0]?.scopeSpans.splice(0, 1, { scope, spans: [spanMessage(), spanMessage()] })
  bench.decoder.decodeProtobuf(encodeTraces(message), NaN)
  expect(rowsOf(bench).map(({ flags }) => flags)).toEqual([SpanFlag.tailSampled, SpanFlag.tailSampled])
})

test('the batch grows for a giant and is given back afterwards', () => {
  const { decoder } = createBench([{ from: 'attribute', key: 'busy_ns', type: 'number' }], { idleRowsMax: 2000 })
  const before = decoder.memory()
  const spans = Array.from({ length: 5000 }, () => spanMessage({ attributes: [int('busy_ns', 3)] }))
  decoder.decodeProtobuf(encodeTraces(request(...spans)), NaN)
  expect(decoder.batch.n).toBe(5000)
  expect(decoder.batch.evidenceEnd[4999]).toBe(5000)
  expect(decoder.memory()).toBeGreaterThan(5000 * 50)
  decoder.decodeProtobuf(encodeTraces(request(spanMessage())), NaN)
  expect(decoder.memory()).toBe(before)
})

test('names are composed anew after a sweep of the strings', () => {
  const bench = createBench()
  const attributes = [text('http.route', '/orders/7'), text('http.method', 'GET')]
  const body = encodeTraces(request(spanMessage({ attributes })))
  bench.decoder.decodeProtobuf(body, NaN)
  expect(rowsOf(bench)[0]?.operation).toBe('GET /orders/{id}')
  bench.resources.sweep(new Uint8Array(bench.resources.rows))
  bench.strings.sweep(new Uint8Array(bench.strings.capacity()))
  for (let i = 0; i < 20; i++) bench.strings.internText(`other ${i}`)
  bench.decoder.decodeProtobuf(body, NaN)
  expect(rowsOf(bench)[0]).toMatchObject({ operation: 'GET /orders/{id}', service: 'cart', name: 'GET' })
})

function varintOf(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return [...bytes, rest]
}
