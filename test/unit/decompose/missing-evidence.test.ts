import { expect, test } from '@jest/globals'
import { createDecomposer, decomposeSection, decomposeSettings, evidenceWants } from '../../../src/decompose/index.ts'
import { ADVICES, advices } from '../../../src/model/advice.ts'
import { Phase, PHASE_SLOTS, GRADES } from '../../../src/model/phases.ts'
import { Evidence, SpanFlag } from '../../../src/model/spans.ts'
import { createWorld, type SpanOf, type World } from '../../builders/traces.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

const settings = decomposeSettings(decomposeSection.parse({}))
const counting = { contextRows: 0, detail: false }
const FROM_NS = 1_700_000_000_000_000_000

function code(key: string): number {
  return Evidence.firstWanted + evidenceWants.findIndex((want) => want?.from === 'attribute' && want.key === key)
}
const busy = [
  [code('busy_ns'), 400, 0],
  [code('idle_ns'), 600, 0]
] as const
const request = { id: 1, startNs: 0, endNs: 1000, kind: 'server' } as const
const rust = { ...request, language: 'rust', process: 'p' } as const
const go = { ...request, language: 'go', process: 'p' } as const

type Figures = Readonly<Record<string, number>>

function decomposerOf(world: World, figures: Figures) {
  const decomposer = createDecomposer(settings, world)
  const rows = Object.entries(figures).map(([name, amount]) => ['p', '', name, [FROM_NS, FROM_NS + 1e9, amount]])
  const runtime = { bodies: [], edges: [], clocks: [], runtime: rows }
  decomposer.load({ schema: 'tailspan.learned.decompose/1', ...runtime })
  decomposer.publish()
  return decomposer
}

/** What the first request lacked, by advice. */
function missing(spans: readonly SpanOf[], figures: Figures = {}): Record<string, number> {
  const world = createWorld()
  const decomposition = decomposerOf(world, figures).decompose(world.trace(spans), counting)
  const ns = new Float64Array(ADVICES)
  decomposition.missingEvidence(0, ns)
  return Object.fromEntries(advices.flatMap((name, i) => (ns[i] === 0 ? [] : [[name, ns[i] as number]])))
}

test('a Rust span without busy_ns lacks that, one with it the metrics of its runtime, then the companion', () => {
  expect(missing([rust])).toEqual({ enable_busy_ns: 1000 })
  expect(missing([{ ...rust, evidence: busy }])).toEqual({ register_tokio_metrics: 600 })
  expect(missing([{ ...rust, evidence: busy }], { tokio_workers: 4 })).toEqual({ add_rust_companion: 600 })
})

test('a Go span lacks the scheduling delay of its process, then the companion', () => {
  expect(missing([go])).toEqual({ register_go_runtime_metrics: 1000 })
  expect(missing([go], { goroutines: 7 })).toEqual({ register_go_runtime_metrics: 1000 })
  expect(missing([go], { scheduling_seconds: 0.5 })).toEqual({ add_go_companion: 1000 })
})

test('without an identity nothing else is asked for first, but for what was there and lost', () => {
  expect(missing([{ ...request, language: 'rust' }])).toEqual({ set_service_instance_id: 1000 })
  expect(missing([{ ...request, language: 'rust', flags: SpanFlag.droppedAttributes }])).toEqual({
    raise_attribute_limit: 1000
  })
  expect(missing([{ ...rust, flags: SpanFlag.droppedAttributes, evidence: busy }])).toEqual({
    register_tokio_metrics: 600
  })
})

test('whoever waits for pools, or accounts for all its time itself, lacks a span around the wait', () => {
  expect(missing([go], { pool_wait_seconds: 0 })).toEqual({ register_go_runtime_metrics: 1000 })
  expect(missing([go], { pool_wait_seconds: 0.2 })).toEqual({ add_wait_span: 1000 })
  const told = [
    [code('tailspan.processing_ns'), 300, 0],
    [code('tailspan.blocked_ns'), 700, 0]
  ] as const
  expect(missing([{ ...go, evidence: told }])).toEqual({ add_wait_span: 700 })
  expect(missing([{ ...request, language: 'other', process: 'p' }])).toEqual({ add_wait_span: 1000 })
})

test('a call that is always answered, and was not, lacks its callee: and is named', () => {
  const world = createWorld()
  const decomposer = createDecomposer(settings, world)
  const call = { id: 2, parent: 1, startNs: 100, endNs: 900, kind: 'client', name: 'GET /stock', process: 'p' } as const
  const answered = [go, call, { id: 3, parent: 2, startNs: 200, endNs: 800, kind: 'server', service: 'b' } as const]
  for (let i = 0; i < 200; i++) {
    decomposer.learn(decomposer.decompose(world.trace(answered), counting), new Uint8Array(2))
  }
  decomposer.publish()
  const ns = new Float64Array(ADVICES)
  const missingCall = decomposer.decompose(world.trace([go, call]), counting).missingEvidence(0, ns)
  expect(world.strings.text(missingCall)).toBe('GET /stock')
  expect(ns[advices.indexOf('instrument_callee')]).toBe(800)
})

test('every unattributed nanosecond of a request waits for exactly one advice, whatever its spans', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = wholeNumbers(seed)
    const world = createWorld()
    const spans: SpanOf[] = [{ ...request, endNs: 10_000 }]
    for (let id = 2; id < 12; id++) {
      const startNs = next(9_000)
      spans.push({
        id,
        parent: 1 + next(id - 1),
        startNs,
        endNs: startNs + next(3_000),
        kind: (['internal', 'client', 'internal'] as const)[next(3)] ?? 'internal',
        language: (['go', 'rust', 'other', 'unknown'] as const)[next(4)] ?? 'go',
        ...(next(2) === 0 && { process: 'p' }),
        flags: next(3) === 0 ? SpanFlag.droppedAttributes : 0
      })
    }
    const { requests, missingEvidence } = createDecomposer(settings, world).decompose(world.trace(spans), counting)
    for (let i = 0; i < requests.n; i++) {
      const ns = new Float64Array(ADVICES)
      missingEvidence(i, ns)
      const unattributed = requests.phaseNs[i * PHASE_SLOTS + Phase.unattributed * GRADES]
      expect([seed, i, ns.reduce((sum, value) => sum + value, 0)]).toEqual([seed, i, unattributed])
    }
  }
})
