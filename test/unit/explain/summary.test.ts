import { expect, test } from '@jest/globals'
import { type Explainer, summarize } from '../../../src/explain/index.ts'
import { Outcome } from '../../../src/model/requests.ts'
import { OTHER_ID, type Strings } from '../../../src/runtime/strings.ts'
import { decompositionOf, type RequestSketch } from '../../builders/decompositions.ts'
import { START_MS, testExplainer, testStrings } from './explainers.ts'

interface Rig {
  readonly explainer: Explainer
  readonly strings: Strings
  readonly see: (request: RequestSketch, blame?: Parameters<typeof decompositionOf>[0]['blame']) => void
}

function rig(requests = 1_000): Rig {
  const strings = testStrings()
  const explainer = testExplainer({}, strings)
  const [service, operation] = [strings.internText('shop'), strings.internText('GET /cart')]
  const thresholds = [{ service: 'shop', operation: 'GET /cart', requests, ns: [1e6, 2e6, 3e6, 4e6] }]
  explainer.load({ thresholds, streams: [] })
  return {
    explainer,
    strings,
    see(request, blame = []) {
      explainer.consume(decompositionOf({ requests: [{ service, operation, ...request }], blame }), START_MS)
    }
  }
}

const zero = {
  queue_wait: 0,
  scheduling: 0,
  gc: 0,
  allocator: 0,
  processing: 0,
  downstream: 0,
  network: 0,
  unattributed: 0
}

test('excess is the mean of the tail less the mean of the body, failures in the tail only', () => {
  const { explainer, strings, see } = rig()
  see({ durationNs: 1e6, phases: { gc: 2e5 } })
  see({ durationNs: 5e5, weight: 3 })
  see({ durationNs: 1e3, outcome: Outcome.error, weight: 50 })
  see({ durationNs: 9e6, phases: { queue_wait: 5e6, unattributed: 2e6 } })
  see({ durationNs: 5e6, phases: { queue_wait: 3e6 }, outcome: Outcome.timeout })
  const body = { ...zero, processing: 575_000, gc: 50_000 }
  const tail = { ...zero, queue_wait: 4e6, processing: 2e6, unattributed: 1e6 }
  expect(summarize(explainer.tables, strings).operations).toEqual([
    {
      service: 'shop',
      operation: 'GET /cart',
      class: 'request',
      requests: 5,
      weight: 56,
      quantiles_ns: { p50: 1e6, p95: 2e6, p99: 3e6, p999: 4e6 },
      body: { phases_mean_ns: body },
      tail: { phases_mean_ns: tail },
      excess_mean_ns: { ...zero, queue_wait: 4e6, processing: 1_425_000, unattributed: 1e6, gc: -50_000 },
      dominant: 'queue_wait',
      attributed_share: 1 - 1e6 / 6_425_000,
      unattributed_tail_share: 0,
      advice: [],
      patterns: []
    }
  ])
})

test('a pattern is told by the share of requests that show it and its mean over all of them; failures in the tail only', () => {
  const { explainer, strings, see } = rig()
  see({ durationNs: 1e6, patterns: { straggler: 2e5 } })
  see({ durationNs: 1e6, weight: 3 })
  see({ durationNs: 1e6, outcome: Outcome.error, patterns: { hedge: 7e5 } })
  see({ durationNs: 25e5, patterns: { hedge: 7e5 } })
  see({ durationNs: 9e6, patterns: { retry: 6e6, straggler: 1e6 }, weight: 2 })
  see({ durationNs: 5e6, patterns: { straggler: 1e6 }, outcome: Outcome.timeout })
  see({ durationNs: 5e6 })
  expect(summarize(explainer.tables, strings).operations[0]?.patterns).toEqual([
    {
      pattern: 'retry',
      body: { requests_share: 0, mean_ns: 0 },
      tail: { requests_share: 0.5, mean_ns: 3e6 },
      excess_mean_ns: 3e6
    },
    {
      pattern: 'straggler',
      body: { requests_share: 0.25, mean_ns: 5e4 },
      tail: { requests_share: 0.75, mean_ns: 75e4 },
      excess_mean_ns: 7e5
    }
  ])
})

test('below 200 requests there is no p99, tail, excess or dominant phase', () => {
  const { explainer, strings, see } = rig(199)
  see({ durationNs: 9e6 })
  expect(summarize(explainer.tables, strings).operations).toMatchObject([
    {
      quantiles_ns: { p50: 1e6, p95: 2e6, p99: null, p999: null },
      body: null,
      tail: null,
      excess_mean_ns: null,
      dominant: null,
      attributed_share: null,
      patterns: []
    }
  ])
})

test('without learned thresholds p50 and p95 are those of the sketch', () => {
  const { explainer, strings, see } = rig()
  const operation = strings.internText('GET /other')
  for (let i = 1; i <= 100; i++) see({ operation, durationNs: i * 1e6 })
  const [found] = summarize(explainer.tables, strings).operations
  expect(found?.quantiles_ns.p99).toBeNull()
  expect((found?.quantiles_ns.p50 as number) / 50e6).toBeCloseTo(1, 1)
  expect((found?.quantiles_ns.p95 as number) / 95e6).toBeCloseTo(1, 1)
})

test('operations are sorted by name and __other__ comes last', () => {
  const { explainer, strings, see } = rig()
  for (const name of ['b', 'a', 'c']) see({ service: strings.internText(name) })
  see({ service: OTHER_ID })
  expect(summarize(explainer.tables, strings).operations.map(({ service }) => service)).toEqual([
    'a',
    'b',
    'c',
    '__other__'
  ])
})

test('blame is the excess per root request, the largest first, in shares of what is positive', () => {
  const { explainer, strings, see } = rig()
  const [db, query] = [strings.internText('db'), strings.internText('query')]
  const [shop, cart] = [strings.internText('shop'), strings.internText('GET /cart')]
  const inDb = (ns: number): { service: number; operation: number; phase: 'queue_wait'; ns: number } => ({
    service: db,
    operation: query,
    phase: 'queue_wait',
    ns
  })
  const own = (ns: number): { service: number; operation: number; phase: 'processing'; ns: number } => ({
    service: shop,
    operation: cart,
    phase: 'processing',
    ns
  })
  const gc = { service: shop, operation: cart, phase: 'gc' as const, ns: 1e5 }
  see({ durationNs: 1e6 }, [inDb(4e5), own(5e5), gc])
  see({ durationNs: 8e6 }, [inDb(74e5), own(6e5)])
  see({ durationNs: 8e6 }, [own(8e6)])
  expect(summarize(explainer.tables, strings).blame).toEqual([])
  explainer.shutdown(START_MS)
  const root = { service: 'shop', operation: 'GET /cart' }
  expect(summarize(explainer.tables, strings).blame).toEqual([
    { root, culprit: { ...root, phase: 'processing' }, excess_mean_ns: 38e5, share: 38 / 71 },
    { root, culprit: { service: 'db', operation: 'query', phase: 'queue_wait' }, excess_mean_ns: 33e5, share: 33 / 71 },
    { root, culprit: { ...root, phase: 'gc' }, excess_mean_ns: -1e5, share: 0 }
  ])
})
