import { expect, test } from '@jest/globals'
import { JsonReader, TextScratch } from '../../../../src/accept/otlp/json-reader.ts'
import { parseJson } from '../../../../src/accept/otlp/json-text.ts'

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
