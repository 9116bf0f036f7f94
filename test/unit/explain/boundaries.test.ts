import { expect, test } from '@jest/globals'
import {
  type BoundarySummary,
  createExplainer,
  type Explainer,
  summarizeBoundaries
} from '../../../src/explain/index.ts'
import { BOUNDARY_BANDS, BOUNDARY_BUCKETS } from '../../../src/model/boundaries.ts'
import { Outcome } from '../../../src/model/requests.ts'
import { Language, type Resources } from '../../../src/model/spans.ts'
import { type BoundaryTable } from '../../../src/model/tail.ts'
import { type Strings } from '../../../src/runtime/strings.ts'
import { type CrossingSketch, decompositionOf, type RequestSketch } from '../../builders/decompositions.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'
import { START_MS, testSettings, testStrings } from './explainers.ts'

/** Row 0 is gateway in Go, 1 pricing in Rust, 2 gateway in Rust: a library in its process; then many more services. */
const CALLER = 0
const SERVICES = 200

interface Rig {
  readonly explainer: Explainer
  readonly strings: Strings
  /** A request of the caller, whose p50 is 1 ms and p99 3 ms, with one crossing to that sender. */
  readonly see: (request: RequestSketch, to: number, crossing: Partial<CrossingSketch>, nowMs?: number) => void
  readonly all: () => string[]
}

function rig(seriesMax = 3_000, rowIdleMs = 3_600_000): Rig {
  const strings = testStrings()
  const service = strings.internText('gateway')
  const operation = strings.internText('GET /buy')
  const column = (of: (row: number) => number) => Uint32Array.from({ length: SERVICES }, (_, row) => of(row))
  const nobody = new Uint32Array(SERVICES)
  const resources: Resources = {
    rows: SERVICES,
    service: column((row) => (row === 1 || row > 2 ? strings.internText(row === 1 ? 'pricing' : `s${row}`) : service)),
    process: nobody,
    host: nobody,
    version: nobody,
    language: Uint8Array.from(column((row) => (row === CALLER ? Language.go : Language.rust)))
  }
  const explainer = createExplainer(testSettings({ boundarySeriesMax: seriesMax, rowIdleMs }), { strings, resources })
  const thresholds = [{ service: 'gateway', operation: 'GET /buy', requests: 1_000, ns: [1e6, 2e6, 3e6, 4e6] }]
  explainer.load({ thresholds, streams: [] })
  return {
    explainer,
    strings,
    see(request, to, crossing, nowMs = START_MS) {
      const crossings = [{ caller: 0, callee: 1, ...crossing }]
      const found = decompositionOf({ requests: [{ service, operation, ...request }], spans: 2, crossings })
      found.trace.resource.set([CALLER, to])
      explainer.consume(found, nowMs)
    },
    all: () => summarizeBoundaries(explainer.tables.boundaries, strings).map(inWords)
  }
}

function inWords({ caller, callee, component, body, tail, excess_mean_ns: excess }: BoundarySummary): string {
  const side = ({ service, language }: BoundarySummary['caller']): string => `${service} (${language})`
  const means = [body, tail].map((mean) => (mean === null ? '-' : `${mean.calls} x ${mean.mean_ns}`))
  return `${side(caller)} > ${side(callee)} ${component}: ${means.join(' | ')} | ${excess ?? '-'}`
}

const body = { durationNs: 1e6 }
const tail = { durationNs: 9e6 }

test('body and tail of an edge by component; what took no time counts in the mean, what is not known does not', () => {
  const { see, all } = rig()
  see(body, 1, { networkNs: 100, queueNs: 0 })
  see(body, 1, { networkNs: 300, queueNs: 0 })
  see(body, 2, { marshallingNs: 40 })
  see(tail, 1, { networkNs: 900, queueNs: 5_000 })
  see(tail, 2, { marshallingNs: 7_000, queueNs: 0 })
  expect(all()).toEqual([
    'gateway (go) > gateway (rust) marshalling: 1 x 40 | 1 x 7000 | 6960',
    'gateway (go) > pricing (rust) queue: 2 x 0 | 1 x 5000 | 5000',
    'gateway (go) > pricing (rust) network: 2 x 200 | 1 x 900 | 700'
  ])
})

test('the middle, failures of the body, and operations without bands are left out; weights count', () => {
  const { see, all } = rig()
  see({ durationNs: 2.5e6 }, 1, { networkNs: 100 })
  see({ ...body, outcome: Outcome.error }, 1, { networkNs: 100 })
  see({ ...tail, operation: 77 }, 1, { networkNs: 100 })
  expect(all()).toEqual([])
  see({ ...tail, outcome: Outcome.timeout, weight: 3 }, 1, { networkNs: 100 })
  see({ ...body, weight: 5 }, 1, { networkNs: 10 })
  expect(all()).toEqual(['gateway (go) > pricing (rust) network: 5 x 10 | 3 x 100 | 90'])
})

test('an edge that never took any time has no series, and no place', () => {
  const { see, all, explainer } = rig()
  see(body, 1, { queueNs: 0 })
  see(tail, 1, {})
  expect(all()).toEqual([])
  expect(explainer.tables.boundaries.rows).toBe(0)
})

function seriesOf(table: BoundaryTable): number {
  const shown = table.live.reduce((sum, live) => sum + live, 0)
  return shown * BOUNDARY_BANDS * (BOUNDARY_BUCKETS + 2)
}

test('never more series than there may be, whatever comes; what has none is counted', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = wholeNumbers(seed)
    const seriesMax = next(400)
    const { see, explainer } = rig(seriesMax)
    for (let i = 0; i < 200; i++) {
      const crossing = { networkNs: next(3) * 100, marshallingNs: next(2), queueNs: next(2) * 7 }
      see(next(2) === 0 ? body : tail, next(SERVICES), crossing)
    }
    const { boundaries } = explainer.tables
    expect([seed, seriesOf(boundaries) <= seriesMax]).toEqual([seed, true])
    expect(explainer.counters.get('tail_boundary_overflow_total')).toBeGreaterThan(0)
    expect(boundaries.rows).toBeLessThanOrEqual(seriesMax / 22)
  }
})

test('an edge that is idle gives its series to another, and comes back from zero', () => {
  const { see, all, explainer } = rig(22, 1_000)
  see(tail, 1, { networkNs: 100 })
  see(tail, 2, { marshallingNs: 100 })
  expect(explainer.counters.get('tail_boundary_overflow_total')).toBe(1)
  explainer.tick(START_MS + 1_000)
  see(tail, 2, { marshallingNs: 7 }, START_MS + 1_000)
  expect(all()).toEqual(['gateway (go) > gateway (rust) marshalling: - | 1 x 7 | -'])
})

test('a kind of cost that takes the last place leaves none to the others of its edge: they are counted as lost', () => {
  const { see, all, explainer } = rig(22)
  see(tail, 1, { networkNs: 100, queueNs: 5 })
  expect(all()).toEqual(['gateway (go) > pricing (rust) network: - | 1 x 100 | -'])
  expect(explainer.counters.get('tail_boundary_overflow_total')).toBe(1)
})

test('two explainers add up by name, zeros included', () => {
  const [here, there] = [rig(), rig()]
  there.strings.internText('so that ids differ')
  here.see(body, 1, { networkNs: 100, queueNs: 0 })
  there.see(tail, 1, { networkNs: 500, queueNs: 9 })
  there.see(body, 1, { networkNs: 300, queueNs: 0 })
  there.see(tail, 5, { networkNs: 50 })
  here.explainer.merge(there.explainer.tables, there.strings, START_MS)
  expect(here.all()).toEqual([
    'gateway (go) > pricing (rust) network: 2 x 200 | 1 x 500 | 300',
    'gateway (go) > pricing (rust) queue: 2 x 0 | 1 x 9 | 9',
    'gateway (go) > s5 (rust) network: - | 1 x 50 | -'
  ])
})

test('names in use are marked, so that no sweep takes them', () => {
  const { see, strings, explainer } = rig()
  see(tail, 7, { networkNs: 100 })
  const marks = { strings: new Uint8Array(strings.capacity()), resources: new Uint8Array(SERVICES) }
  explainer.mark(marks)
  expect(marks.strings[strings.internText('s7')]).toBe(1)
})

test('a giant counted in slices has what it has at once', () => {
  const [whole, sliced] = [rig(), rig()]
  for (const { explainer, strings } of [whole, sliced]) {
    const [service, operation] = [strings.internText('gateway'), strings.internText('GET /buy')]
    const crossings = Array.from({ length: 50 }, (_, i) => ({ caller: 0, callee: 1, networkNs: i + 1, request: i % 2 }))
    const requests = [body, tail].map((request) => ({ service, operation, ...request }))
    const found = decompositionOf({ requests, spans: 2, crossings })
    found.trace.resource.set([CALLER, 1])
    if (explainer === whole.explainer) explainer.consume(found, START_MS)
    else expect([...explainer.consumeSliced(found, START_MS, { slice: 7 })].length).toBeGreaterThan(7)
  }
  expect(sliced.all()).toEqual(whole.all())
  expect(whole.all()).toEqual(['gateway (go) > pricing (rust) network: 25 x 25 | 25 x 26 | 1'])
})
