import { expect, test } from '@jest/globals'
import { createDurationStore, type Explainer, type ExplainSettings } from '../../../src/explain/index.ts'
import { type LearnedThresholds } from '../../../src/explain/learned.ts'
import { type Decomposition } from '../../../src/model/decomposition.ts'
import { Grade, GRADES, Phase, PHASES, PHASE_SLOTS, phases } from '../../../src/model/phases.ts'
import { Band, BANDS, Outcome, OUTCOMES, QUANTILES, RequestClass, Sampling } from '../../../src/model/requests.ts'
import { CloseReason } from '../../../src/model/spans.ts'
import { DURATION_BUCKETS, durationBounds } from '../../../src/model/tail.ts'
import { exactToBigInt, type ExactSums } from '../../../src/runtime/exact-sums.ts'
import { OTHER_ID, type Strings } from '../../../src/runtime/strings.ts'
import { decompositionOf, type RequestSketch, traceColumns } from '../../builders/decompositions.ts'
import { MINUTE_MS, random, START_MS, testExplainer, testStrings } from './explainers.ts'

interface Rig {
  readonly explainer: Explainer
  readonly strings: Strings
  readonly service: number
  readonly operation: number
  readonly row: () => number
  /** Consumes one request in a trace of its own; its band. */
  readonly see: (request?: RequestSketch, nowMs?: number) => number
}

/** `learned` fixes the thresholds at 1, 2 and 3 ms, so that a test says which band it means. */
function rig(given: Partial<ExplainSettings> = {}, fixed = true): Rig {
  const strings = testStrings()
  const explainer = testExplainer(given, strings)
  const [service, operation] = [strings.internText('shop'), strings.internText('GET /cart')]
  if (fixed) {
    const thresholds = [{ service: 'shop', operation: 'GET /cart', requests: 1_000, ns: [1e6, 2e6, 3e6, 4e6] }]
    explainer.load({ thresholds, streams: [] })
  }
  let traceId = 0
  return {
    explainer,
    strings,
    service,
    operation,
    row: () => rowOf(explainer, service, operation),
    see(request = {}, nowMs = START_MS) {
      traceId += 1
      const decomposition = decompositionOf({ requests: [{ service, operation, ...request }], traceId })
      return explainer.consume(decomposition, nowMs).band[0] as number
    }
  }
}

function rowOf({ tables: { operations } }: Explainer, service: number, operation: number): number {
  for (let row = 0; row < operations.rows; row++) {
    if (operations.live[row] === 1 && operations.service[row] === service && operations.operation[row] === operation) {
      return row
    }
  }
  return -1
}

const sumOf = (sums: ExactSums, first: number, cells: number): bigint =>
  Array.from({ length: cells }, (_, i) => exactToBigInt(sums, first + i)).reduce((sum, cell) => sum + cell, 0n)
const total = (cells: Float64Array, first: number, count: number): number =>
  cells.subarray(first, first + count).reduce((sum, cell) => sum + cell, 0)

function randomTrace(draw: () => number, strings: Strings): Decomposition {
  const requests = Array.from({ length: 1 + Math.floor(draw() * 6) }, () => {
    const durationNs = Math.floor(1e5 * Math.exp(draw() * 8))
    const split = { queue_wait: Math.floor(durationNs * draw() * 0.5), gc: Math.floor(durationNs * draw() * 0.4) }
    return {
      service: strings.internText(`service-${Math.floor(draw() * 3)}`),
      operation: strings.internText(`operation-${Math.floor(draw() * 4)}`),
      durationNs,
      phases: split,
      outcome: draw() < 0.1 ? 1 + Math.floor(draw() * 2) : Outcome.ok,
      class: draw() < 0.05 ? RequestClass.background : RequestClass.request,
      partial: draw() < 0.1,
      weight: draw() < 0.2 ? 1 + Math.floor(draw() * 2 ** 20) : 1
    }
  })
  const root = requests[0] as (typeof requests)[number]
  const half = Math.floor(root.durationNs / 2)
  const culprit = requests.at(-1) ?? root
  const blame = [
    { service: root.service, operation: root.operation, phase: 'processing' as const, ns: root.durationNs - half },
    { service: culprit.service, operation: culprit.operation, phase: 'queue_wait' as const, ns: half }
  ]
  return decompositionOf({ requests, blame, traceId: Math.floor(draw() * 2 ** 32) })
}

test('phases of all bands add up to the durations, bands to the requests, and blame to the blamed roots', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const draw = random(seed)
    const strings = testStrings()
    const explainer = testExplainer({ operationsMax: 8 }, strings)
    const fastFailures = new Map<number, bigint>()
    const weights = new Map<number, number>()
    let blamed = 0n
    for (let i = 0; i < 1_500; i++) {
      const trace = randomTrace(draw, strings)
      const { band: bands } = explainer.consume(trace, START_MS + i * 200)
      const { requests } = trace
      for (let r = 0; r < requests.n; r++) {
        const row = Math.max(0, rowOf(explainer, requests.service[r] as number, requests.operation[r] as number))
        const ns = BigInt(requests.durationNs[r] as number) * BigInt(requests.weight[r] as number)
        weights.set(row, (weights.get(row) ?? 0) + (requests.weight[r] as number))
        const body = bands[r] === Band.leP50 && requests.outcome[r] === Outcome.ok
        if (bands[r] === Band.leP50 && !body) fastFailures.set(row, (fastFailures.get(row) ?? 0n) + ns)
        if (r === 0 && (body || bands[r] === Band.gtP99)) blamed += ns
      }
    }
    explainer.shutdown(START_MS + 600_000)
    const { operations, blame } = explainer.tables
    for (let row = 0; row < operations.rows; row++) {
      const durations = exactToBigInt(operations.durationNs, row)
      const inPhases = sumOf(operations.phaseNs, row * BANDS * PHASES, BANDS * PHASES)
      expect({ seed, row, ns: inPhases + (fastFailures.get(row) ?? 0n) }).toEqual({ seed, row, ns: durations })
      const weight = weights.get(row) ?? 0
      expect({ seed, row, weight: total(operations.requests, row * BANDS * OUTCOMES, BANDS * OUTCOMES) }).toEqual({
        seed,
        row,
        weight
      })
      expect({
        seed,
        row,
        weight: total(operations.durationBuckets, row * DURATION_BUCKETS, DURATION_BUCKETS)
      }).toEqual({ seed, row, weight })
      expect({ seed, row, weight: operations.sketch(row)?.reduce((sum, n) => sum + n, 0) ?? 0 }).toEqual({
        seed,
        row,
        weight
      })
      // What proves the tail's phases is all of them but `unattributed`.
      const tail = (row * BANDS + Band.gtP99) * PHASES
      expect(sumOf(operations.evidenceNs, row * PHASE_SLOTS, PHASE_SLOTS)).toBe(
        sumOf(operations.phaseNs, tail, PHASES) - exactToBigInt(operations.phaseNs, tail + Phase.unattributed)
      )
    }
    expect({ seed, blamed: sumOf(blame.ns, 0, blame.slots * 2 * PHASES) }).toEqual({ seed, blamed })
  }
})

test('a duration equal to a threshold is in the lower band', () => {
  const { see } = rig()
  const bands = [1e6, 1e6 + 1, 2e6, 2e6 + 1, 3e6, 3e6 + 1].map((durationNs) => see({ durationNs }))
  expect(bands).toEqual([Band.leP50, Band.p50P95, Band.p50P95, Band.p95P99, Band.p95P99, Band.gtP99])
})

test('the first 199 requests have no band, and the 200th has one', () => {
  const { see, explainer, row } = rig({}, false)
  const bands = Array.from({ length: 200 }, () => see())
  expect(bands.slice(0, 199).every((band) => band === Band.none)).toBe(true)
  expect(bands[199]).toBe(Band.leP50)
  const { requests } = explainer.tables.operations
  expect(requests[(row() * BANDS + Band.none) * OUTCOMES + Outcome.ok]).toBe(199)
})

test('fast failures count in le_p50 and leave no phase, lead or blame in the body', () => {
  const { see, explainer, row } = rig()
  see({ durationNs: 1e6, outcome: Outcome.error, leadNs: 5 })
  see({ durationNs: 1e6, outcome: Outcome.timeout })
  see({ durationNs: 9e6, outcome: Outcome.timeout, leadNs: 7 })
  explainer.shutdown(START_MS)
  const { operations, blame } = explainer.tables
  const cell = row() * BANDS + Band.leP50
  expect([...operations.requests.subarray(cell * OUTCOMES, (cell + 1) * OUTCOMES)]).toEqual([0, 1, 1])
  expect(sumOf(operations.phaseNs, cell * PHASES, PHASES)).toBe(0n)
  const tail = row() * BANDS + Band.gtP99
  expect(sumOf(operations.phaseNs, tail * PHASES, PHASES)).toBe(9_000_000n)
  expect([cell, tail].map((at) => exactToBigInt(operations.leadNs, at))).toEqual([0n, 7n])
  expect([0, 1].map((band) => blame.rootRequests(row(), band))).toEqual([0, 1])
})

test('weights multiply counts and sums, and seen stays what was seen', () => {
  const { see, explainer, row } = rig()
  see({ durationNs: 5e6, weight: 8, partial: true, phases: { gc: 1e6 } })
  const { operations } = explainer.tables
  const tail = row() * BANDS + Band.gtP99
  expect(operations.seen[row()]).toBe(1)
  expect(operations.requests[tail * OUTCOMES]).toBe(8)
  expect(operations.partial[row()]).toBe(8)
  expect(exactToBigInt(operations.durationNs, row())).toBe(40_000_000n)
  expect(exactToBigInt(operations.phaseNs, tail * PHASES + Phase.gc)).toBe(8_000_000n)
  expect(exactToBigInt(operations.evidenceNs, row() * PHASE_SLOTS + Phase.gc * GRADES + Grade.measured)).toBe(
    8_000_000n
  )
})

test('a duration on a bucket bound is in that bucket', () => {
  const { see, explainer, row } = rig()
  for (const seconds of durationBounds) see({ durationNs: Math.round(seconds * 1e9) })
  see({ durationNs: 31e9 })
  const first = row() * DURATION_BUCKETS
  const buckets = explainer.tables.operations.durationBuckets.subarray(first, first + DURATION_BUCKETS)
  expect([...buckets]).toEqual(new Array(DURATION_BUCKETS).fill(1))
})

test('streams and background work are counted and neither banded nor blamed', () => {
  const { see, explainer, row } = rig()
  for (const requestClass of [RequestClass.stream, RequestClass.background]) {
    expect(see({ class: requestClass, durationNs: 9e6 })).toBe(Band.none)
  }
  expect(explainer.tables.operations.seen[row()]).toBe(2)
  expect(explainer.tables.operations.class[row()]).toBe(RequestClass.background)
  expect(explainer.tables.blame.rootRequests(row(), 1)).toBe(0)
})

test('a tail-sampled service has no bands, by its requests or by settings', () => {
  const { see } = rig()
  expect(see({ durationNs: 9e6, sampling: Sampling.tail })).toBe(Band.none)
  expect(see({ durationNs: 9e6 })).toBe(Band.none)
  expect(see({ durationNs: 9e6 }, START_MS + 11 * MINUTE_MS)).toBe(Band.gtP99)

  const bySettings = rig({ samplings: [{ service: 'sh*', kind: 'tail' }] })
  expect(bySettings.see({ durationNs: 9e6 })).toBe(Band.none)
  expect(bySettings.explainer.tables.samplings()).toEqual([{ service: bySettings.service, sampling: Sampling.tail }])
})

test('a ratio in settings is the weight of requests that bring none', () => {
  const { see, explainer, row } = rig({ samplings: [{ service: 'shop', kind: 'ratio', ratio: 0.05 }] })
  see({ durationNs: 9e6 })
  see({ durationNs: 9e6, weight: 3 })
  expect(explainer.tables.operations.requests[(row() * BANDS + Band.gtP99) * OUTCOMES]).toBe(23)
})

test('what has no row is counted under __other__ and as overflow, without a band', () => {
  const { see, explainer, strings } = rig({ operationsMax: 1 })
  see({ durationNs: 9e6 })
  expect(see({ operation: strings.internText('GET /more'), durationNs: 9e6 })).toBe(Band.none)
  expect(see({ operation: OTHER_ID, durationNs: 9e6 })).toBe(Band.none)
  expect(explainer.tables.operations.seen[0]).toBe(2)
  expect(explainer.counters.get('tail_series_overflow_total')).toBe(2)
})

test('an operation that was idle for an hour comes back from zero', () => {
  const { see, explainer, row } = rig()
  for (let i = 0; i < 10; i++) see({ durationNs: 9e6 })
  explainer.tick(START_MS + 60 * MINUTE_MS)
  expect(row()).toBe(-1)
  expect([...explainer.tables.blame.live].every((live) => live === 0)).toBe(true)
  expect(see({ durationNs: 9e6 }, START_MS + 61 * MINUTE_MS)).toBe(Band.gtP99)
  expect(explainer.tables.operations.seen[row()]).toBe(1)
  expect(exactToBigInt(explainer.tables.operations.durationNs, row())).toBe(9_000_000n)
})

test('an exemplar leads to a kept trace, the newest of the tail first, and leaves with it', () => {
  const { see, explainer, row, strings } = rig({ retainedBytesMax: 1_000, operationsMax: 100 })
  see({ durationNs: 30e6 })
  see({ durationNs: 40e6 }, START_MS + 5)
  const cell = row() * DURATION_BUCKETS + 5
  const { exemplars, operations } = explainer.tables
  expect(operations.exemplar[cell]).toBe(cell)
  expect([...exemplars.traceId.subarray(cell * 4, cell * 4 + 4)]).toEqual([0xabcdef01, 2, 3, 2])
  expect([exemplars.valueNs[cell], exemplars.atMs[cell]]).toEqual([40e6, START_MS + 5])
  expect(explainer.tables.retained('abcdef01000000020000000300000002')?.n).toBe(1)
  for (let i = 0; i < 5; i++) see({ operation: strings.internText(`GET /${i}`), durationNs: 1e3 }, START_MS + 10 + i)
  expect(explainer.tables.retained('abcdef01000000020000000300000002')).toBeUndefined()
  expect(operations.exemplar[cell]).toBe(-1)
})

test('the dominant phase of a kept trace is what exceeds the body, not what is largest', () => {
  const { see, explainer, service, operation } = rig()
  for (let i = 0; i < 10; i++) see({ durationNs: 1e6, phases: { downstream: 9e5 } })
  see({ durationNs: 4e6, phases: { downstream: 17e5, queue_wait: 15e5 } })
  const [slowest] = explainer.tables.retainedOf(service, operation)
  expect(phases[slowest?.dominantPhase ?? -1]).toBe('queue_wait')
  expect(slowest).toMatchObject({ band: Band.gtP99, durationNs: 4e6, outcome: Outcome.ok })
})

test('a trace too large to keep is counted, and its requests count as ever', () => {
  const { explainer, service, operation, row } = rig({ retainedTraceBytesMax: 1_000 })
  const large = decompositionOf({ requests: [{ service, operation, durationNs: 9e6 }], spans: 50 })
  explainer.consume(large, START_MS)
  expect(explainer.counters.samples().filter(({ value }) => value > 0)).toMatchObject([
    { labelValue: 'too_large', value: 1 }
  ])
  expect(explainer.tables.operations.seen[row()]).toBe(1)
})

test('a unit that comes after its kept trace is in the picture too', () => {
  const { explainer, service, operation } = rig()
  const requests = [{ service, operation, durationNs: 9e6 }]
  explainer.consume(decompositionOf({ requests, traceId: 5, spans: 2 }), START_MS)
  const unit = { requests, traceId: 5, spans: 3, rootRequest: -1, closedBy: CloseReason.lateUnit }
  explainer.consume(decompositionOf(unit), START_MS)
  expect(explainer.tables.retained('abcdef01000000020000000300000005')?.n).toBe(5)
  explainer.late(traceColumns(5, 1))
  explainer.late(traceColumns(6, 2))
  expect([0, 1].map((result) => explainer.counters.get('tail_spans_late_total', result))).toEqual([1, 2])
})

test('learned thresholds loaded elsewhere give the same bands, request for request', () => {
  const draw = random(5)
  const live = rig({}, false)
  for (let i = 0; i < 1_000; i++) live.see({ durationNs: Math.floor(1e6 * Math.exp(draw() * 3)) }, START_MS)
  live.see({}, START_MS + MINUTE_MS)
  const other = rig({}, false)
  other.explainer.load(JSON.parse(JSON.stringify(live.explainer.learned())))
  for (let i = 0; i < 1_000; i++) {
    const durationNs = Math.floor(1e6 * Math.exp(draw() * 3))
    expect(other.see({ durationNs }, START_MS)).toBe(live.see({ durationNs }, START_MS + MINUTE_MS))
  }
  expect(other.explainer.learned()).toEqual(live.explainer.learned())
})

test('exact thresholds of a first pass put one percent in the tail of the second', () => {
  const draw = random(6)
  const { explainer, see, strings, service, operation } = rig({}, false)
  const store = createDurationStore({ strings, streamAfterMs: MINUTE_MS })
  const values = Array.from({ length: 1_000 }, (_, i) => 1e6 + i * 1e3).sort(() => draw() - 0.5)
  for (const durationNs of values)
    store.add(decompositionOf({ requests: [{ service, operation, durationNs }] }).requests)
  explainer.load(store.learned())
  const bands = values.map((durationNs) => see({ durationNs }))
  expect([0, 1, 2, 3, 4].map((band) => bands.filter((found) => found === band).length)).toEqual([500, 450, 40, 10, 0])
})

test('a root whose row goes to another service within its own trace is not blamed on that one', () => {
  const strings = testStrings()
  const explainer = testExplainer({ operationsMax: 5 }, strings)
  const [flood, shop, cart] = ['flood', 'shop', 'cart'].map((name) => strings.internText(name)) as [
    number,
    number,
    number
  ]
  const named = (service: string, operation: string): LearnedThresholds => ({
    service,
    operation,
    requests: 1_000,
    ns: [1e6, 2e6, 3e6, 4e6]
  })
  explainer.load({ thresholds: [named('flood', 'GET /0'), named('shop', 'cart')], streams: [] })
  const requests: RequestSketch[] = Array.from({ length: 5 }, (_, i) => ({
    service: flood,
    operation: strings.internText(`GET /${i}`),
    durationNs: 9e6
  }))
  for (let service = 100; service < 103; service++) requests.push({ service, operation: cart, durationNs: 9e6 })
  requests.push({ service: shop, operation: cart, durationNs: 9e6 })
  const blame = [{ service: flood, operation: cart, phase: 'gc' as const, ns: 9e6 }]
  explainer.consume(decompositionOf({ requests, blame }), START_MS)
  explainer.shutdown(START_MS)
  expect(rowOf(explainer, flood, requests[0]?.operation ?? 0)).toBe(-1)
  expect([...explainer.tables.blame.live].every((live) => live === 0)).toBe(true)
})

test('a learned stream is a stream from its first request', () => {
  const { explainer, see, row } = rig({}, false)
  explainer.load({ streams: [{ service: 'shop', operation: 'GET /cart' }] })
  see()
  expect(explainer.tables.operations.class[row()]).toBe(RequestClass.stream)
})

test('bands can be asked for again without counting', () => {
  const { explainer, see, service, operation, row } = rig()
  see()
  const seen = decompositionOf({
    requests: [
      { service, operation, durationNs: 9e6 },
      { service, operation: 999 }
    ]
  })
  expect([...explainer.bandsOf(seen)]).toEqual([Band.gtP99, Band.none])
  expect(explainer.tables.operations.seen[row()]).toBe(1)
})

test('every name it needs survives a sweep of strings', () => {
  const { explainer, see, service, operation, strings } = rig()
  const peer = strings.internText('peer')
  const requests = [{ service, operation, durationNs: 9e6 }]
  const blame = [{ service: peer, operation, phase: 'gc' as const, ns: 9e6 }]
  explainer.consume(decompositionOf({ requests, blame }), START_MS)
  see()
  const marks = { strings: new Uint8Array(strings.capacity()), resources: new Uint8Array(4) }
  explainer.mark(marks)
  expect([service, operation, peer, OTHER_ID].map((id) => marks.strings[id])).toEqual([1, 1, 1, 1])
})

test('it says what it holds, and holds no more for a flood of names', () => {
  const { explainer, see, strings } = rig({}, false)
  const flood = (from: number): void => {
    for (let i = 0; i < 5_000; i++) see({ operation: strings.internText(`GET /${from + i}`) })
  }
  flood(0)
  const before = explainer.memory()
  expect(Object.keys(before)).toEqual([
    'explain_rows',
    'explain_boundaries',
    'explain_sketches',
    'explain_budgets',
    'explain_blame',
    'explain_retained',
    'explain_history'
  ])
  flood(5_000)
  expect(explainer.memory()).toEqual(before)
  expect(Object.values(before).every((bytes) => bytes < 4 << 20)).toBe(true)
})

test('quantiles are per row and unknown until there are enough requests', () => {
  const { explainer, see, row } = rig({}, false)
  see()
  expect([...explainer.tables.operations.thresholdNs.subarray(row() * QUANTILES, (row() + 1) * QUANTILES)]).toEqual([
    NaN,
    NaN,
    NaN,
    NaN
  ])
})

test('a giant counted in slices, others counted in between, counts like one counted at once', () => {
  const sums = [false, true].map((sliced) => {
    const { explainer, service, operation, row, see } = rig()
    const requests = Array.from({ length: 25 }, (_, i) => ({ service, operation, durationNs: i * 150_000 }))
    const giant = decompositionOf({ requests, traceId: 9_000 })
    let bands: number[]
    if (sliced) {
      const steps = explainer.consumeSliced(giant, START_MS, { slice: 10 })
      let step = steps.next()
      for (; step.done !== true; step = steps.next()) see({ durationNs: 5e6 })
      bands = [...step.value.band.subarray(0, 25)]
    } else {
      bands = [...explainer.consume(giant, START_MS).band.subarray(0, 25)]
      for (let i = 0; i < 3; i++) see({ durationNs: 5e6 })
    }
    const { operations } = explainer.tables
    return {
      bands,
      seen: operations.seen[row()],
      requests: [...operations.requests],
      phases: [...operations.phaseNs.low]
    }
  })
  expect(sums[1]).toEqual(sums[0])
  expect(sums[0]?.seen).toBe(28)
  expect(new Set(sums[0]?.bands).size).toBe(4)
})
