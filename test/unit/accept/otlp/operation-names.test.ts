import { expect, test } from '@jest/globals'
import { withoutIdentifiers } from '../../../../src/accept/otlp/operation-names.ts'
import { encodeTraces, text, toJson, type KeyValue } from './otlp-messages.ts'
import { createBench, rowsOf } from './span-rows.ts'

test.each([
  ['GET /users/42/items', 'GET /users/{id}/items'],
  ['GET /api/v1/users', 'GET /api/v1/users'],
  ['http2', 'http2'],
  ['operation C', 'operation C'],
  ['O1', 'O1'],
  ['user_42', 'user_42'],
  ['orders-42', 'orders-{id}'],
  ['42', '{id}'],
  ['/files/3f2504e0-4f89-11d3-9a0c-0305e82c3301', '/files/{id}'],
  ['/files/3F2504E0-4F89-11D3-9A0C-0305E82C3301/x', '/files/{id}/x'],
  ['session deadbeef01', 'session {id}'],
  ['cart_3f2504e04f89', 'cart_{id}'],
  ['the facade decade', 'the facade decade'],
  ['defaced', 'defaced'],
  ['deadbeef', 'deadbeef'],
  ['1a2b3c4', '1a2b3c4'],
  ['SELECT 1', 'SELECT {id}'],
  ['naïve7', 'naïve7'],
  ['/users/:id', '/users/:id'],
  ['/users/{id}', '/users/{id}'],
  ['10.1.2.3:8080', '{id}.{id}.{id}.{id}:{id}'],
  ['', '']
])('%p is the operation %p', (name, operation) => {
  expect(withoutIdentifiers(name)).toBe(operation)
})

test('the hash that ends a shortened name is no identifier', () => {
  expect(withoutIdentifiers('/users/42/…12345678')).toBe('/users/{id}/…12345678')
})

test('a long run of digits and letters takes linear time', () => {
  expect(withoutIdentifiers('z1'.repeat(100_000))).toHaveLength(200_000)
  expect(withoutIdentifiers(`${'1'.repeat(200_000)}z`)).toHaveLength(200_001)
})

const cases: [attributes: KeyValue[], name: string, operation: string][] = [
  [[text('http.request.method', 'GET'), text('http.route', '/users/:id')], 'GET', 'GET /users/:id'],
  [[text('http.method', 'POST'), text('http.route', '/a/42')], 'POST', 'POST /a/{id}'],
  [[text('http.route', '/users/:id')], 'serve 7', 'serve {id}'],
  [[text('http.request.method', 'GET')], 'GET /users/42', 'GET /users/{id}'],
  [[text('rpc.service', 'shop.Cart'), text('rpc.method', 'Add')], 'x', 'shop.Cart/Add'],
  [[text('rpc.method', 'Add')], 'x', 'Add'],
  [[text('rpc.service', 'shop.Cart'), text('rpc.method', 'shop.Cart/Add')], 'x', 'shop.Cart/Add'],
  [[text('rpc.method', 'shop.Cart/Add7')], 'x', 'shop.Cart/Add7'],
  [[text('rpc.method', '')], 'job 3', 'job {id}'],
  [[text('http.request.method', 'GET'), text('http.route', '/a'), text('rpc.method', 'M')], 'x', 'GET /a'],
  [[text('messaging.destination.name', 'orders.v1')], 'process orders.v1', 'orders.v1'],
  [[text('messaging.destination.name', 'q-7'), text('messaging.destination.template', 'q-{n}')], 'x', 'q-{n}'],
  [[text('messaging.destination.name', 'reply-7f3a9c21b4')], 'x', 'reply-{id}'],
  [[text('messaging.source.name', 'orders')], 'orders receive', 'orders'],
  [[text('messaging.destination', 'old')], 'x', 'old'],
  [[], 'cron 5', 'cron {id}'],
  [[], '', '']
]

test.each(cases)('%j on a span named %p makes the operation %p', (attributes, name, operation) => {
  const bench = createBench()
  const span = {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    name,
    startTimeUnixNano: '1',
    endTimeUnixNano: '2',
    attributes
  }
  const message = { resourceSpans: [{ scopeSpans: [{ spans: [span, span] }] }] }
  bench.decoder.decodeProtobuf(encodeTraces(message), NaN)
  expect(rowsOf(bench).map((row) => row.operation)).toEqual([operation, operation])
  bench.decoder.decodeJson(toJson(message), NaN)
  expect(rowsOf(bench).map((row) => row.operation)).toEqual([operation, operation])
})

test('more different names than are remembered are still named right, and counted', () => {
  const bench = createBench([], { composedNamesMax: 10 })
  const spans = Array.from({ length: 25 }, (_, i) => ({
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    name: `op${String.fromCharCode(97 + i)} 7`,
    startTimeUnixNano: '1',
    endTimeUnixNano: '2'
  }))
  bench.decoder.decodeProtobuf(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), NaN)
  expect(rowsOf(bench).map((row) => row.operation)).toEqual(
    spans.map((_, i) => `op${String.fromCharCode(97 + i)} {id}`)
  )
  expect(bench.decoder.counters.get('tail_composed_names_forgotten_total')).toBe(20)
})
