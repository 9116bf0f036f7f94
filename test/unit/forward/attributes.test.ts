import { expect, test } from '@jest/globals'
import protobuf from 'protobufjs'
import { AttributeWriter } from '../../../src/forward/attributes.ts'

const spanSchema = protobuf
  .parse(
    `
  syntax = "proto3";
  message Span { repeated KeyValue attributes = 9; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { int64 int_value = 3; } }
`
  )
  .root.lookupType('Span')

/** The values of the span's attributes, as an independent decoder reads them. */
function valuesOf(bytes: Uint8Array): string[] {
  const { attributes } = spanSchema.toObject(spanSchema.decode(bytes), { longs: String }) as {
    attributes: { value: { intValue: string } }[]
  }
  return attributes.map(({ value }) => value.intValue)
}

test('a number of any length that can be exact is read back as it was written', () => {
  const edges = [7, 14, 21, 28, 31, 32, 35, 42, 49].flatMap((bits) => [2 ** bits - 1, 2 ** bits, 2 ** bits + 1])
  const numbers = [1, 2, ...edges, 123_456_789_012_345, Number.MAX_SAFE_INTEGER]
  const writer = new AttributeWriter()
  for (const ns of numbers) {
    writer.beginSpan(0)
    writer.criticalPathNs(ns)
  }
  expect(valuesOf(writer.bytes.subarray(0, writer.at))).toEqual(numbers.map(String))
})
