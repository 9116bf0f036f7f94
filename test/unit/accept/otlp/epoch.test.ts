import { expect, test } from '@jest/globals'
import { epochExactNs, epochFromText, epochNs } from '../../../../src/accept/otlp/epoch.ts'
import { Evidence, type Want } from '../../../../src/model/spans.ts'
import { createSpanDecoder } from '../../../../src/accept/otlp/index.ts'
import { createResources, decoderLimits } from '../../../../src/accept/otlp/index.ts'
import { createStrings } from '../../../../src/runtime/strings.ts'
import { encodeTraces, int, text, toJson, type KeyValue } from './otlp-messages.ts'

const NS = 1_700_000_000e9
const fromText = (written: string): number => {
  const bytes = new TextEncoder().encode(`..${written}..`)
  return epochFromText(bytes, 2, bytes.length - 2)
}

test.each([
  [1_700_000_000, 1e9],
  [1_700_000_000_000, 1e6],
  [1_700_000_000_000_000, 1e3],
  [1_700_000_000_000_000_000, 1]
])('%p is the same moment in its own unit', (said, exact) => {
  expect(epochNs(said)).toBe(NS)
  expect(epochExactNs(said)).toBe(exact)
})

test('fractions are kept, and what is no moment is none', () => {
  expect(epochNs(1_700_000_000.25)).toBe(NS + 0.25e9)
  expect(epochExactNs(1_700_000_000.25)).toBe(1)
  for (const said of [0, -1_700_000_000, 12, 1e7, 1e21, NaN, Infinity]) expect(epochNs(said)).toBe(NaN)
})

test.each([
  ['1700000000', 1_700_000_000],
  ['t=1700000000.123', 1_700_000_000.123],
  ['t=1700000000123456', 1_700_000_000_123_456],
  ['1700000000123ms', 1_700_000_000_123],
  ['2023-11-14T22:13:20.500Z', 1_700_000_000_500]
])('%p is read', (written, said) => {
  expect(fromText(written)).toBe(said)
})

test.each(['', 't=', 'yesterday', '2023-11-14', '17.000.000', 'x'.repeat(100)])('%p is not', (written) => {
  expect(epochNs(fromText(written))).toBe(NaN)
})

const KEY = 'messaging.servicebus.message.enqueued_time'
const wants: Want[] = [{ from: 'attribute', key: KEY, type: 'epoch' }]

function rows(attributes: KeyValue[], links: KeyValue[][]): number[][][] {
  const strings = createStrings({ stringsMax: 1000, bytesMax: 1 << 16, stringBytesMax: 200, seed: 3 })
  const decoder = createSpanDecoder({ strings, resources: createResources(strings, decoderLimits), wants })
  const link = { traceId: new Uint8Array(16).fill(9), spanId: new Uint8Array(8).fill(9) }
  const span = {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    startTimeUnixNano: '1700000005000000000',
    endTimeUnixNano: '1700000006000000000',
    attributes,
    links: links.map((list) => ({ ...link, attributes: list }))
  }
  const request = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
  return [() => decoder.decodeProtobuf(encodeTraces(request), NaN), () => decoder.decodeJson(toJson(request), NaN)].map(
    (decode) => {
      expect(decode().rejected).toBe(0)
      expect(decoder.batch.n).toBe(1)
      const { evidence, evidenceEnd } = decoder.batch
      return Array.from({ length: evidenceEnd[0] as number }, (_, i) => [
        (evidence.code[i] as number) - Evidence.firstWanted,
        evidence.a[i] as number,
        evidence.b[i] as number
      ])
    }
  )
}

test('a stamp is kept from the span and from the links of a batch, the earliest, in both encodings', () => {
  const kept = [[0, NS, 1e9]]
  expect(rows([int(KEY, 1_700_000_000)], [])).toEqual([kept, kept])
  const batch = [[int(KEY, 1_700_000_003)], [text(KEY, '1700000000')], [text('other', 'x')], [text(KEY, 'never')]]
  expect(rows([], batch)).toEqual([kept, kept])
  expect(rows([int(KEY, 1_700_000_004)], batch)).toEqual([kept, kept])
  expect(rows([text(KEY, 'soon')], [])).toEqual([[], []])
})
