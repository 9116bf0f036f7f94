import { expect, test } from '@jest/globals'
import { Band } from '../../../src/model/requests.ts'
import { traceDocument } from '../../../src/expose/index.ts'
import { BASE_UNIX_NANO, oneTrace } from './one-trace.ts'

const noPhases = {
  queue_wait: 0,
  scheduling: 0,
  gc: 0,
  allocator: 0,
  processing: 0,
  downstream: 0,
  network: 0,
  unattributed: 0
}
const at = (ns: bigint): string => String(BASE_UNIX_NANO + ns)
const ungraded = { measured: 0, inferred: 0, estimated: 0 }

const root = '0000000000000001'
const shop = 'fedcba9800000003'

const expected = {
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  complete: true,
  root: { span_id: root, service: 'gateway', operation: 'GET /buy', duration_ns: 1000 },
  critical_path: [
    { span_id: root, start_unix_nano: at(0n), end_unix_nano: at(200n) },
    { span_id: shop, start_unix_nano: at(200n), end_unix_nano: at(700n) },
    { span_id: root, start_unix_nano: at(700n), end_unix_nano: at(1000n) }
  ],
  blame: [
    { span_id: root, service: 'gateway', operation: 'GET /buy', phase: 'processing', ns: 500, grade: 'inferred' },
    { span_id: shop, service: 'shop', operation: 'POST /buy', phase: 'unattributed', ns: 500, grade: null }
  ],
  spans: [
    {
      span_id: root,
      service: 'gateway',
      name: 'GET',
      duration_ns: 1000,
      phases: { ...noPhases, processing: 300 },
      in_process_children_ns: 700
    },
    {
      span_id: '0000000000000002',
      service: 'gateway',
      name: 'call shop',
      duration_ns: 700,
      phases: { ...noPhases, downstream: 500, network: 200 },
      in_process_children_ns: 0
    },
    {
      span_id: shop,
      service: 'shop',
      name: 'POST',
      duration_ns: 500,
      phases: { ...noPhases, queue_wait: 100, unattributed: 400 },
      in_process_children_ns: 0
    }
  ],
  requests: [
    {
      span_id: root,
      service: 'gateway',
      operation: 'GET /buy',
      class: 'request',
      outcome: 'ok',
      duration_ns: 1000,
      lead_wait_ns: 0,
      band: 'gt_p99',
      phases: { ...noPhases, processing: 300, downstream: 500, network: 200 },
      grades: {
        processing: { ...ungraded, inferred: 300 },
        downstream: { ...ungraded, measured: 500 },
        network: { ...ungraded, measured: 150, inferred: 50 }
      },
      patterns: { retry: 250 }
    },
    {
      span_id: shop,
      service: 'shop',
      operation: 'POST /buy',
      class: 'message',
      outcome: 'timeout',
      duration_ns: 500,
      lead_wait_ns: 42,
      band: null,
      phases: { ...noPhases, queue_wait: 100, unattributed: 400 },
      grades: { queue_wait: { ...ungraded, measured: 100 } },
      patterns: {}
    }
  ]
}

test('a trace document is the contract to the letter, keys in its order', () => {
  const { decomposition, names } = oneTrace()
  const document = traceDocument(decomposition, Uint8Array.of(Band.gtP99, Band.none), names)
  expect(JSON.stringify(document, null, 1)).toBe(JSON.stringify(expected, null, 1))
})

test('without thresholds every band is null', () => {
  const { decomposition, names } = oneTrace()
  const { requests } = traceDocument(decomposition, undefined, names) as typeof expected
  expect(requests.map(({ band }) => band)).toEqual([null, null])
})

test('times before the base (corrected clocks) are exact too', () => {
  const { decomposition, names } = oneTrace()
  decomposition.path.startNs[0] = -5
  const { critical_path } = traceDocument(decomposition, undefined, names) as typeof expected
  expect(critical_path[0]?.start_unix_nano).toBe(at(-5n))
})

test('a late unit without a root of its own has root null', () => {
  const { decomposition, names } = oneTrace()
  Object.assign(decomposition, { root: -1, rootRequest: -1 })
  expect(traceDocument(decomposition, undefined, names)).toMatchObject({ root: null })
})

test('a decomposition without details is refused', () => {
  const { decomposition, names } = oneTrace()
  const bare = { ...decomposition, own: { ...decomposition.own, inProcessChildrenNs: new Float64Array(0) } }
  expect(() => traceDocument(bare, undefined, names)).toThrow('detailed')
})
