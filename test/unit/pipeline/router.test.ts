import { expect, test } from '@jest/globals'
import { createSpanDecoder, createResources, decoderLimits, shardOf } from '../../../src/accept/index.ts'
import { type SpanBatch } from '../../../src/model/spans.ts'
import { createRouter } from '../../../src/pipeline/router.ts'
import { viewRows } from '../../../src/pipeline/rows.ts'
import { Fault } from '../../../src/runtime/fault.ts'
import { createStrings } from '../../../src/runtime/strings.ts'
import { encodeTraces } from '../accept/otlp/otlp-messages.ts'
import { randomTraces, seeded } from '../accept/otlp/random-traces.ts'
import { wants } from '../accept/otlp/span-rows.ts'

const options = { shards: 3, seed: 11, limits: decoderLimits }

function createDecoder() {
  const strings = createStrings({ stringsMax: 10_000, bytesMax: 1 << 20, stringBytesMax: 256, seed: 42 })
  return createSpanDecoder({ strings, resources: createResources(strings, decoderLimits), wants })
}

function rowOf(batch: SpanBatch, row: number): unknown {
  const from = row === 0 ? 0 : (batch.evidenceEnd[row - 1] as number)
  const to = batch.evidenceEnd[row] as number
  const { code, a, b } = batch.evidence
  return {
    traceId: [...batch.traceId.subarray(4 * row, 4 * row + 4)],
    spanId: [...batch.spanId.subarray(2 * row, 2 * row + 2)],
    parentId: [...batch.parentId.subarray(2 * row, 2 * row + 2)],
    times: [batch.startHi[row], batch.startLo[row], batch.endHi[row], batch.endLo[row]],
    names: [batch.name[row], batch.operation[row], batch.scope[row], batch.resource[row]],
    bits: [batch.kind[row], batch.outcome[row], batch.flags[row]],
    evidence: [[...code.subarray(from, to)], [...a.subarray(from, to)], [...b.subarray(from, to)]]
  }
}

test('rows that were decoded here reach the shard of their trace as they are, in their order', () => {
  const decoder = createDecoder()
  const random = seeded(5)
  const expected = new Map<number, unknown>()
  const arrived = new Map<number, unknown>()
  const router = createRouter(options, {
    spans: () => undefined,
    rows(shard, packed) {
      const batch = viewRows(packed)
      for (let row = 0; row < batch.n; row++) {
        expect(shardOf(batch.traceId[4 * row + 2] as number, batch.traceId[4 * row + 3] as number, options)).toBe(shard)
        arrived.set(batch.order?.[row] as number, rowOf(batch, row))
      }
    },
    admit: () => undefined
  })
  for (let body = 0; body < 200; body++) {
    decoder.decodeProtobuf(encodeTraces(randomTraces(random)), NaN)
    for (let row = 0; row < decoder.batch.n; row++) expected.set(expected.size, rowOf(decoder.batch, row))
    router.takeRows(decoder.batch)
  }
  expect(arrived.size).toBeGreaterThan(500)
  expect(new Map([...arrived].sort(([a], [b]) => a - b))).toEqual(expected)
})

test('a body is taken whole or not at all: one shard without room refuses it', () => {
  const random = seeded(6)
  let sent = 0
  const router = createRouter(options, {
    spans(_shard, cargo) {
      sent += cargo.spans
    },
    rows: () => undefined,
    admit(shard) {
      if (shard === 1) throw new Fault('BUSY', 'full')
    }
  })
  let taken = 0
  let refused = 0
  for (let body = 0; body < 400; body++) {
    const decoder = createDecoder()
    const bytes = encodeTraces(randomTraces(random))
    const { rejected } = decoder.decodeProtobuf(bytes, NaN)
    try {
      if (router.takeBytes(bytes, NaN)) {
        expect(rejected).toBe(0)
        taken += decoder.batch.n
      }
    } catch (reason) {
      expect(Fault.from(reason).code).toBe('BUSY')
      refused += 1
    }
  }
  router.flush()
  expect(refused).toBeGreaterThan(10)
  expect(taken).toBeGreaterThan(10)
  expect(sent).toBe(taken)
})

test('of each span it is known which request of the log it came with, whichever way it went', () => {
  const random = seeded(7)
  const idsOf = ({ spanId }: SpanBatch, from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `${spanId[2 * (from + i)]}:${spanId[2 * (from + i) + 1]}`)
  const expected = new Map<number, string[]>()
  const arrived = new Map<number, string[]>()
  const note = (sequence: number, ids: readonly string[]): void => {
    arrived.set(sequence, [...(arrived.get(sequence) ?? []), ...ids])
  }
  const decoder = createDecoder()
  const router = createRouter(options, {
    spans(_shard, { bytes, length }, logged) {
      decoder.decodeProtobuf(bytes.subarray(0, length), NaN)
      let from = 0
      for (const [i, end] of (logged?.ends ?? []).entries()) {
        note(logged?.sequences[i] as number, idsOf(decoder.batch, from, end))
        from = end
      }
      expect(from).toBe(decoder.batch.n)
    },
    rows(_shard, packed, _request, sequence) {
      note(sequence, idsOf(viewRows(packed), 0, packed.n))
    },
    admit: () => undefined
  })
  for (let sequence = 1; sequence <= 300; sequence++) {
    const bytes = encodeTraces(randomTraces(random))
    const own = createDecoder()
    own.decodeProtobuf(bytes, NaN)
    if (own.batch.n > 0) expected.set(sequence, idsOf(own.batch, 0, own.batch.n).sort())
    if (!router.takeBytes(bytes, NaN, sequence)) router.takeRows(own.batch, undefined, sequence)
    if (random() < 0.05) router.flush()
  }
  router.flush()
  for (const ids of arrived.values()) ids.sort()
  expect(new Map([...arrived].sort(([a], [b]) => a - b))).toEqual(expected)
})
