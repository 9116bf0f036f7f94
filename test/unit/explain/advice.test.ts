import { expect, test } from '@jest/globals'
import { type AdviceSummary, type Explainer, summarizeOperations } from '../../../src/explain/index.ts'
import { Advice } from '../../../src/model/advice.ts'
import { type Strings } from '../../../src/runtime/strings.ts'
import { decompositionOf } from '../../builders/decompositions.ts'
import { START_MS, testExplainer, testSettings, testStrings } from './explainers.ts'

const { windowMs } = testSettings()

interface Rig {
  readonly explainer: Explainer
  readonly strings: Strings
  readonly see: (durationNs: number, missing?: readonly (readonly [number, number])[], nowMs?: number) => void
}

/** An operation whose p99 is 3 ms. */
function rig(call = ''): Rig {
  const strings = testStrings()
  const explainer = testExplainer({}, strings)
  const [service, operation] = [strings.internText('shop'), strings.internText('GET /cart')]
  const thresholds = [{ service: 'shop', operation: 'GET /cart', requests: 1_000, ns: [1e6, 2e6, 3e6, 4e6] }]
  explainer.load({ thresholds, streams: [] })
  return {
    explainer,
    strings,
    see(durationNs, missing = [], nowMs = START_MS) {
      const requests = [{ service, operation, durationNs }]
      explainer.consume(decompositionOf({ requests, missing, missingCall: strings.internText(call) }), nowMs)
    }
  }
}

interface Said {
  readonly share: number | null
  readonly advice: readonly AdviceSummary[]
}

function said({ explainer, strings }: Pick<Rig, 'explainer' | 'strings'>): Said {
  const [operation] = summarizeOperations(explainer.tables, strings)
  return { share: operation?.unattributed_tail_share ?? null, advice: operation?.advice ?? [] }
}

test('the one switch that would explain most of the tail, and why; the body is not asked', () => {
  const shop = rig()
  shop.see(1e6, [[Advice.addWaitSpan, 1e6]])
  expect(said(shop)).toEqual({ share: null, advice: [] })
  shop.see(10e6, [
    [Advice.enableBusyNs, 4e6],
    [Advice.setInstanceId, 1e6]
  ])
  shop.see(10e6, [[Advice.setInstanceId, 1e6]])
  expect(said(shop)).toEqual({
    share: 0.3,
    advice: [
      {
        advice: 'enable_busy_ns',
        title: 'Turn on busy_ns in tracing-opentelemetry',
        share: 0.2,
        text: '20 % of the time of its slowest requests is in Rust spans without busy_ns, where running and waiting look alike. tracing-opentelemetry adds it unless it is told with_tracked_inactivity(false); spans that are not made by way of tracing never have it.'
      }
    ]
  })
})

test('below a twentieth of the time of the tail nothing is advised, and the share is still said', () => {
  const shop = rig()
  shop.see(10e6, [[Advice.enableBusyNs, 0.4e6]])
  expect(said(shop)).toEqual({ share: 0.04, advice: [] })
})

test('a missing answer is named, and is not unattributed: the operation sees it as downstream', () => {
  const shop = rig('GET /stock')
  shop.see(10e6, [[Advice.instrumentCallee, 8e6]])
  const { share, advice } = said(shop)
  expect(share).toBe(0)
  expect(advice[0]).toMatchObject({ advice: 'instrument_callee', share: 0.8 })
  expect(advice[0]?.text).toContain('The last such call was GET /stock.')
})

test('what was lacking fades by half in each window, so advice that was followed ends', () => {
  const shop = rig()
  shop.see(10e6, [[Advice.enableBusyNs, 10e6]])
  for (let window = 1; window <= 5; window++) shop.see(10e6, [], START_MS + window * windowMs)
  // 10 ms of 1 + 2 + 4 + 8 + 16 + 32 parts of 10 ms.
  expect(said(shop).share).toBeCloseTo(1 / 63)
  expect(said(shop).advice).toEqual([])
})

test('a row that is given up takes its advice along', () => {
  const strings = testStrings()
  const explainer = testExplainer({ operationsMax: 1, rowIdleMs: 1_000 }, strings)
  const [service, first, second] = ['shop', 'GET /cart', 'GET /other'].map(strings.internText) as [
    number,
    number,
    number
  ]
  const thresholds = [{ service: 'shop', operation: 'GET /cart', requests: 1_000, ns: [1e6, 2e6, 3e6, 4e6] }]
  explainer.load({ thresholds, streams: [] })
  const missing = [[Advice.enableBusyNs, 10e6]] as const
  explainer.consume(decompositionOf({ requests: [{ service, operation: first, durationNs: 10e6 }], missing }), START_MS)
  expect(said({ explainer, strings }).advice).toHaveLength(1)
  explainer.tick(START_MS + 1_000)
  explainer.consume(decompositionOf({ requests: [{ service, operation: second, durationNs: 1e6 }] }), START_MS + 1_000)
  expect(said({ explainer, strings })).toEqual({ share: null, advice: [] })
})

test('two explainers advise together what both lacked', () => {
  const [here, there] = [rig(), rig('GET /stock')]
  here.see(10e6, [[Advice.enableBusyNs, 3e6]])
  there.see(10e6, [[Advice.instrumentCallee, 4e6]])
  here.explainer.merge(there.explainer.tables, there.strings, START_MS)
  expect(said(here)).toMatchObject({ share: 0.15, advice: [{ advice: 'instrument_callee', share: 0.2 }] })
  expect(said(here).advice[0]?.text).toContain('GET /stock')
})
