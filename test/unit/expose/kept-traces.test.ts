import { expect, test } from '@jest/globals'
import { createResources, createSpanDecoder, decoderLimits, createDecoderCounters } from '../../../src/accept/index.ts'
import { keptTraceSources } from '../../../src/expose/index.ts'
import { claimsAnswer, waterfallAnswer } from '../../../src/expose/api-schemas.ts'
import { Band } from '../../../src/model/requests.ts'
import { Evidence, type Want } from '../../../src/model/spans.ts'
import { draftTables } from '../../builders/tail-tables.ts'
import { readText } from '../../builders/text-slices.ts'
import { BASE_UNIX_NANO, oneTrace } from './one-trace.ts'
import { expectValid } from './valid.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const wants: readonly Want[] = [
  { from: 'attribute', key: 'tailspan.queue_wait_ns', type: 'number' },
  { from: 'event', name: 'dequeued' }
]

function sources() {
  const { decomposition, names } = oneTrace()
  const { trace } = decomposition
  trace.evidenceEnd.set([0, 0, 2])
  trace.evidence = {
    code: Uint16Array.of(Evidence.firstWanted, Evidence.firstWanted + 1),
    a: Float64Array.of(100, 50),
    b: Float64Array.of(0, 0)
  }
  const { tables } = draftTables()
  return {
    names,
    trace,
    of: keptTraceSources(
      {
        tables: { ...tables, retained: (id) => (id === TRACE_ID ? trace : undefined) },
        *decompose(_trace, { explain }) {
          yield
          return {
            ...decomposition,
            ...(explain && {
              claims: [
                {
                  request: 1,
                  span: 2,
                  source: 'tailspan',
                  phase: 0,
                  grade: 0,
                  askedNs: 120,
                  bookedNs: 100,
                  note: 'clipped'
                },
                { request: 0, span: 0, source: 'body', phase: 4, grade: 1, askedNs: 300, bookedNs: 300, note: '' }
              ]
            })
          }
        },
        bandsOf: () => Uint8Array.of(Band.gtP99, Band.none),
        wants: () => wants
      },
      names
    )
  }
}

test('a waterfall has spans in columns, own times and path as triples, and how unusual each request is', () => {
  const waterfall = readText(sources().of.waterfall(TRACE_ID, 100))
  expectValid(waterfallAnswer, waterfall)
  expect(waterfall).toEqual({
    trace_id: TRACE_ID,
    complete: true,
    start_unix_nano: String(BASE_UNIX_NANO),
    duration_ns: 1000,
    spans_total: 3,
    root: 0,
    spans: {
      id: ['0000000000000001', '0000000000000002', 'fedcba9800000003'],
      parent: [-1, 0, 1],
      start_ns: [0, 100, 200],
      duration_ns: [1000, 700, 500],
      name: [0, 1, 2],
      service: [3, 3, 4],
      version: [5, 5, 5],
      kind: [2, 3, 2],
      outcome: ['ok', 'ok', 'ok']
    },
    own: [0, 13, 300, 1, 15, 500, 1, 18, 200, 2, 0, 100, 2, 21, 400],
    path: [0, 0, 200, 2, 200, 700, 0, 700, 1000],
    blame: [
      { service: 'gateway', operation: 'GET /buy', phase: 'processing', grade: 'inferred', ns: 500 },
      { service: 'shop', operation: 'POST /buy', phase: 'unattributed', grade: null, ns: 500 }
    ],
    requests: [
      [0, 6, 1000, 0, 'gt_p99', null, null],
      [2, 7, 500, 42, null, null, null]
    ],
    texts: ['GET', 'call shop', 'POST', 'gateway', 'shop', '', 'GET /buy', 'POST /buy']
  })
})

test('a waterfall of more spans than asked for has the first of them, and says how many there are', () => {
  const waterfall = readText(sources().of.waterfall(TRACE_ID, 2)) as Record<string, unknown>
  expectValid(waterfallAnswer, waterfall)
  expect(waterfall).toMatchObject({
    spans_total: 3,
    duration_ns: 1000,
    spans: { parent: [-1, 0] },
    path: [0, 0, 200, 0, 700, 1000]
  })
  expect(waterfall['requests']).toHaveLength(1)
})

test('claims are those on the span that was asked for', () => {
  const { of } = sources()
  const claims = readText(of.claims(TRACE_ID, 'fedcba9800000003'))
  expectValid(claimsAnswer, claims)
  expect(claims).toEqual({
    span_id: 'fedcba9800000003',
    claims: [
      {
        span_id: 'fedcba9800000003',
        name: 'POST',
        source: 'tailspan',
        phase: 'queue_wait',
        grade: 'measured',
        asked_ns: 120,
        booked_ns: 100,
        note: 'clipped'
      }
    ]
  })
  expect(readText(of.claims(TRACE_ID, '000000000000000f'))).toBeUndefined()
})

test('as OTLP a trace says again what the decoder kept of it', () => {
  const { of, names, trace } = sources()
  const document = readText(of.otlp(TRACE_ID))
  const resources = createResources(names.strings, decoderLimits)
  const decoder = createSpanDecoder({
    strings: names.strings,
    resources,
    wants,
    limits: { ...decoderLimits, spanAgeMaxMs: Infinity },
    counters: createDecoderCounters()
  })
  decoder.decodeJson(Buffer.from(JSON.stringify(document)), Number(BASE_UNIX_NANO / 1_000_000n))
  const { batch } = decoder
  expect(batch.n).toBe(3)
  expect([...batch.spanId.subarray(0, 6)]).toEqual([...trace.spanId])
  expect([...batch.parentId.subarray(0, 6)]).toEqual([...trace.parentId])
  expect([...batch.kind.subarray(0, 3)]).toEqual([...trace.kind])
  expect([...batch.name.subarray(0, 3)]).toEqual([...trace.name])
  expect([0, 1, 2].map((row) => batch.startLo[row])).toEqual([...trace.startNs].map((ns) => trace.baseLo + ns))
  expect([...batch.evidenceEnd.subarray(0, 3)]).toEqual([0, 0, 2])
  expect([...batch.evidence.a.subarray(0, 2)].sort()).toEqual([100, 50].sort())
})

test('of a trace that is not kept there is nothing', () => {
  const { of } = sources()
  const id = 'f'.repeat(32)
  expect([
    readText(of.trace(id)),
    readText(of.otlp(id)),
    readText(of.waterfall(id, 9)),
    readText(of.claims(id, '0')),
    of.versionOf(id, 's')
  ]).toEqual(Array.from({ length: 5 }, () => undefined))
})
