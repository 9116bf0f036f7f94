import { expect, test } from '@jest/globals'
import { AttributeWriter } from '../../../src/forward/attributes.ts'
import { bytesField } from '../../builders/protobuf-bytes.ts'
import { decodeSpans } from '../accept/otlp/otlp-messages.ts'

/** The values of the span's attributes, as protobufjs reads them. */
function valuesOf(span: Buffer): string[] {
  const request = bytesField(1, bytesField(2, bytesField(2, span)))
  return decodeSpans(request).flatMap(({ attributes = [] }) => attributes.map(({ value }) => String(value?.intValue)))
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
