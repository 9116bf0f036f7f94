import { expect, jest, test } from '@jest/globals'
import { JsonReader, TextScratch } from '../../../../src/accept/otlp/json-reader.ts'
import { parseJson } from '../../../../src/accept/otlp/json-text.ts'
import { toJson } from './otlp-messages.ts'
import { createBench, rowsOf } from './span-rows.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

test.each([
  ['', 0],
  ['{', 1],
  ['{"a":1,}', 7],
  ['{"a" 1}', 5],
  ['{"a":1 "b":2}', 7],
  ['[1,2', 4],
  ['[1}', 2],
  ['{"a":tru}', 5],
  ['{"a":"x\n"}', 5],
  ['{} x', 3],
  ['{}{}', 2],
  ['[1,,2]', 3],
  ['"\\x"', 0],
  ['{1:2}', 1],
  ['[01]', 2]
])('broken JSON %j breaks at %p', (text, offset) => {
  expect(() => JSON.parse(text) as unknown).toThrow()
  expect(() => parseJson(encode(text))).toThrow(`broken JSON at offset ${offset}`)
})

test('200,000 open brackets are broken JSON and no more', () => {
  expect(() => parseJson(encode('['.repeat(200_000)))).toThrow('broken JSON at offset 200000')
})

test.each(['0', '1', '4294967295', '4294967296', '9007199254740993', '1760000000000000001', '18446744073709551615'])(
  'uint64 %s is exact as text',
  (text) => {
    const json = new JsonReader()
    json.uint64(text, 'x')
    expect(BigInt(json.hi) * 4294967296n + BigInt(json.lo)).toBe(BigInt(text))
  }
)

test.each([1.5, -1, 2 ** 64, '1e3', ' 1', '-1', '18446744073709551616', '99999999999999999999', '', true, {}, NaN])(
  'uint64 %p is refused',
  (value) => {
    expect(() => {
      new JsonReader().uint64(value, 'x')
    }).toThrow('x: expected an unsigned 64-bit integer')
  }
)

test('text in the scratch is UTF-8, whatever was there before it', () => {
  const scratch = new TextScratch()
  const texts = ['abc', '', 'ключ 🚀', 'x'.repeat(10_000), '\ud800 lone']
  const ranges = texts.map((text) => [scratch.put(text), scratch.at])
  const decoder = new TextDecoder()
  const read = ranges.map(([start, end]) => decoder.decode(scratch.bytes.subarray(start, end)))
  expect(read).toEqual([...texts.slice(0, 4), '\ufffd lone'])
})

const sdkSpan = {
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  parentSpanId: '',
  traceState: '',
  name: 'GET /orders',
  kind: 2,
  startTimeUnixNano: '1544712660000000000',
  endTimeUnixNano: '1544712661000000001',
  attributes: [
    { key: 'http.route', value: { stringValue: '/orders' } },
    { key: 'http.response.status_code', value: { intValue: '503' } },
    { key: 'note', value: { stringValue: 'quoted "so" and \\ and \n' } },
    { key: 'deep', value: { kvlistValue: { values: [{ key: 'x', value: { boolValue: true } }] } } },
    { key: 'cost', value: { doubleValue: -1.5e-7 } }
  ],
  droppedAttributesCount: 0,
  events: [{ timeUnixNano: '1544712660000000500', name: 'retry', attributes: [], droppedAttributesCount: 0 }],
  links: [{ traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b175', attributes: [] }],
  status: { code: 2, message: 'it timed out' },
  flags: 257
}

function requestOf(span: object): object {
  const scopeSpans = [{ scope: { name: 'http', version: '1' }, spans: [span], schemaUrl: '' }]
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }], droppedAttributesCount: 0 }
  return { resourceSpans: [{ resource, scopeSpans }] }
}

/** Rows of a request, and whether JSON.parse was needed for them. */
function decoded(body: Uint8Array): { parsed: boolean; rows: unknown[] } {
  const bench = createBench()
  const parse = jest.spyOn(JSON, 'parse')
  bench.decoder.decodeJson(body, NaN)
  const parsed = parse.mock.calls.length > 0
  parse.mockRestore()
  return { parsed, rows: rowsOf(bench) }
}

test('what SDKs write is read in place, with blanks or without', () => {
  const compact = decoded(toJson(requestOf(sdkSpan)))
  expect(compact.parsed).toBe(false)
  expect(compact.rows).toMatchObject([
    { name: 'GET /orders', scope: 'http', service: 'shop', outcome: 'timeout', endNs: 1544712661000000001n }
  ])
  expect(decoded(encode(JSON.stringify(requestOf(sdkSpan), null, 2)))).toEqual(compact)
})

test.each([
  ['null', { ...sdkSpan, parentSpanId: null }],
  ['an escape in a name', { ...sdkSpan, name: 'GET "x"' }],
  ['times as numbers', { ...sdkSpan, startTimeUnixNano: 1544712660000000000 }]
])('%s is for JSON.parse', (_, span) => {
  const { parsed, rows } = decoded(toJson(requestOf(span)))
  expect(parsed).toBe(true)
  expect(rows).toMatchObject([{ name: span.name, startNs: 1544712660000000000n, service: 'shop' }])
})

test('a field given twice is for JSON.parse: the last one counts', () => {
  const text = JSON.stringify(requestOf(sdkSpan)).replace('"kind":2', '"name":"first","kind":2')
  const { parsed, rows } = decoded(encode(text))
  expect(parsed).toBe(true)
  expect(rows).toMatchObject([{ name: 'first' }])
})
