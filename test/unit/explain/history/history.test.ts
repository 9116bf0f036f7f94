import { expect, test } from '@jest/globals'
import { createExplainer, type Explainer, type ExplainSettings } from '../../../../src/explain/index.ts'
import { intervalBytes } from '../../../../src/explain/history/interval.ts'
import { type HistoryPoint } from '../../../../src/explain/history/points.ts'
import { PHASES } from '../../../../src/model/phases.ts'
import { Band, BANDS, Outcome, OUTCOMES } from '../../../../src/model/requests.ts'
import { type Resources } from '../../../../src/model/spans.ts'
import { exactToNumber } from '../../../../src/runtime/exact-sums.ts'
import { sketchQuantile } from '../../../../src/runtime/sketch.ts'
import { decompositionOf, type RequestSketch } from '../../../builders/decompositions.ts'
import { MINUTE_MS, random, testSettings, testStrings } from '../explainers.ts'

const HOUR_MS = 60 * MINUTE_MS
/** On a whole quarter of an hour. */
const START_MS = 1_700_000_100_000

interface Rig {
  readonly explainer: Explainer
  readonly resources: { version: Uint32Array }
  readonly count: (nowMs: number, ...requests: RequestSketch[]) => void
  readonly pass: (fromMs: number, toMs: number) => void
  readonly points: (fromMs: number, toMs: number, pointsMax?: number) => readonly HistoryPoint[]
  readonly versions: (fromMs: number, toMs: number) => string[]
  readonly id: (text: string) => number
}

function rig(given: Partial<ExplainSettings> = {}): Rig {
  const strings = testStrings()
  const [service, operation] = [strings.internText('shop'), strings.internText('GET /buy')]
  const resources: Resources & { version: Uint32Array } = {
    rows: 2,
    service: Uint32Array.of(0, service),
    process: new Uint32Array(2),
    host: new Uint32Array(2),
    version: new Uint32Array(2),
    language: new Uint8Array(2)
  }
  const explainer = createExplainer(testSettings(given), { strings, resources })
  const of = (fromMs: number, toMs: number, pointsMax: number) =>
    explainer.history.of('shop', 'GET /buy', { fromMs, toMs, pointsMax })
  return {
    explainer,
    resources,
    count(nowMs, ...requests) {
      const named = requests.map((request) => ({ service, operation, ...request }))
      explainer.consume(decompositionOf({ requests: named, spans: named.length }), nowMs)
    },
    pass(fromMs, toMs) {
      for (let nowMs = fromMs; nowMs <= toMs; nowMs += MINUTE_MS / 4) {
        // Work at the end of an interval is done a little at a time.
        for (let tick = 0; tick < 10; tick++) explainer.tick(nowMs + tick)
      }
    },
    points: (fromMs, toMs, pointsMax = 1_000) => of(fromMs, toMs, pointsMax)?.points ?? [],
    versions: (fromMs, toMs) =>
      (of(fromMs, toMs, 1)?.versions ?? []).map(
        ({ at_unix_ms: atMs, version }) => `${version} after ${(atMs - START_MS) / MINUTE_MS} min`
      ),
    id: strings.internText
  }
}

const requestsOf = (points: readonly HistoryPoint[]): number => points.reduce((sum, { requests }) => sum + requests, 0)

test('every minute is a point of its own, a minute without requests is none', () => {
  const { explainer, count, pass, points } = rig()
  explainer.tick(START_MS)
  count(START_MS + 1_000, {}, { outcome: Outcome.error })
  pass(START_MS + 30_000, START_MS + 2 * MINUTE_MS)
  count(START_MS + 2 * MINUTE_MS + 1, { durationNs: 8e6, phases: { queue_wait: 5e6 } })
  pass(START_MS + 2.5 * MINUTE_MS, START_MS + 3.25 * MINUTE_MS)
  const found = points(START_MS, START_MS + HOUR_MS)
  expect(
    found.map(({ from_unix_ms: from, to_unix_ms: to, requests, outcomes }) => ({
      minutes: `${(from - START_MS) / MINUTE_MS} to ${(to - START_MS) / MINUTE_MS}`,
      requests,
      outcomes
    }))
  ).toEqual([
    { minutes: '0 to 1', requests: 2, outcomes: { ok: 1, error: 1, timeout: 0 } },
    { minutes: '2 to 3', requests: 1, outcomes: { ok: 1, error: 0, timeout: 0 } }
  ])
  // Too few for a p99, and for bands.
  expect(found[1]).toMatchObject({ quantiles_ns: { p99: null, p999: null }, body: null, tail: null })
  expect(found[1]?.quantiles_ns.p50).toBeGreaterThanOrEqual(8e6)
  expect(found[1]?.quantiles_ns.p50).toBeLessThan(8.2e6)
})

test('over any stretch, however coarse it has become, history adds up to what was counted, exactly', () => {
  let tails = 0
  for (let seed = 1; seed <= 5; seed++) {
    const draw = random(seed)
    const { explainer, count, pass, points } = rig()
    explainer.tick(START_MS)
    const minutes = 80 + Math.floor(draw() * 400)
    for (let minute = 0; minute < minutes; minute++) {
      const requests = Array.from({ length: Math.floor(draw() * 60) }, (): RequestSketch => {
        const waitNs = Math.floor(draw() ** 8 * 1e9)
        return {
          durationNs: 1e6 + waitNs + Math.floor(draw() * 1e6),
          phases: { queue_wait: waitNs },
          outcome: draw() < 0.1 ? Outcome.timeout : Outcome.ok,
          // Sums of these pass 2^53.
          weight: draw() < 0.1 ? 1e6 : 1
        }
      })
      const nowMs = START_MS + minute * MINUTE_MS + 2_000
      if (requests.length > 0) count(nowMs, ...requests)
      pass(nowMs + 15_000, nowMs + 45_000)
    }
    explainer.shutdown(START_MS + minutes * MINUTE_MS)
    const [whole] = points(0, Infinity, 1)
    const table = explainer.tables.operations
    const cells = (band: number, outcome: number) => table.requests[(BANDS + band) * OUTCOMES + outcome] as number
    const counted = Array.from({ length: BANDS * OUTCOMES }, (_, i) => cells(Math.floor(i / OUTCOMES), i % OUTCOMES))
    expect({ seed, requests: whole?.requests }).toEqual({ seed, requests: counted.reduce((sum, n) => sum + n, 0) })
    const tail = cells(Band.gtP99, 0) + cells(Band.gtP99, 1) + cells(Band.gtP99, 2)
    expect(whole?.tail?.requests ?? 0).toBe(tail)
    if (tail > 0) tails += 1
    for (const [band, of, requests] of [
      [Band.leP50, whole?.body, cells(Band.leP50, Outcome.ok)],
      [Band.gtP99, whole?.tail, tail]
    ] as const) {
      const means = Array.from(
        { length: PHASES },
        (_, phase) => exactToNumber(table.phaseNs, (BANDS + band) * PHASES + phase) / requests
      )
      if (requests > 0) expect(Object.values(of?.phases_mean_ns ?? {})).toEqual(means)
    }
    const sketch = table.sketch(1) as Float64Array
    expect(whole?.quantiles_ns.p99).toBe(sketchQuantile(sketch, 0, 0.99))
    // The parts are no less than the whole.
    expect(requestsOf(points(START_MS, START_MS + minutes * MINUTE_MS, 50))).toBe(whole?.requests)
  }
  expect(tails).toBeGreaterThan(3)
})

test('minutes become five after an hour and fifteen after six; what is older than the day and an hour is gone', () => {
  const { explainer, count, pass } = rig()
  explainer.tick(START_MS)
  for (let minute = 0; minute < 27 * 60; minute++) {
    count(START_MS + minute * MINUTE_MS + 1, {})
    pass(START_MS + minute * MINUTE_MS + 30_000, START_MS + (minute + 1) * MINUTE_MS)
  }
  const nowMs = START_MS + 27 * HOUR_MS
  pass(nowMs, nowMs + MINUTE_MS / 2)
  const widths = new Map<number, number>()
  const intervals = explainer.history.intervals()
  for (const { fromMs, toMs } of intervals) {
    const width = Math.round((toMs - fromMs) / MINUTE_MS)
    widths.set(width, (widths.get(width) ?? 0) + 1)
  }
  expect(Object.fromEntries(widths)).toEqual({ 15: 76, 5: 60, 1: 60 })
  const [first] = intervals
  expect(nowMs - (first?.toMs ?? 0)).toBeLessThan(25 * HOUR_MS)
  for (const [i, { fromMs }] of intervals.entries()) if (i > 0) expect(fromMs).toBe(intervals[i - 1]?.toMs)
})

test('a full history loses its oldest intervals, counts them and stays within its bound', () => {
  const historyBytesMax = 20_000
  const { explainer, count, pass } = rig({ historyBytesMax })
  explainer.tick(START_MS)
  for (let minute = 0; minute < 60; minute++) {
    count(START_MS + minute * MINUTE_MS + 1, {})
    pass(START_MS + minute * MINUTE_MS + 30_000, START_MS + (minute + 1) * MINUTE_MS)
  }
  const intervals = explainer.history.intervals()
  expect(intervals.reduce((sum, interval) => sum + intervalBytes(interval), 0)).toBeLessThanOrEqual(historyBytesMax)
  expect(explainer.counters.get('tail_history_losses_total', 0)).toBe(60 - intervals.length)
  expect(intervals.at(-1)?.toMs).toBe(START_MS + HOUR_MS)
  expect(explainer.memory()['explain_history']).toBeGreaterThan(0)
})

test('what an operation did before its row went to another is kept under its name', () => {
  const { explainer, count, pass, points, id } = rig({ operationsMax: 1, rowIdleMs: 5 * MINUTE_MS })
  explainer.tick(START_MS)
  count(START_MS + 1, {}, {})
  // The row leaves and comes back, both within one interval.
  for (let row = 0; row < 2; row++) explainer.tick(START_MS + 5 * MINUTE_MS + 1 + row)
  count(START_MS + 5 * MINUTE_MS + 10, { operation: id('other') })
  pass(START_MS + 5.5 * MINUTE_MS, START_MS + 7 * MINUTE_MS)
  expect(requestsOf(points(0, Infinity))).toBe(2)
  const other = explainer.history.of('shop', 'other', { fromMs: 0, toMs: Infinity, pointsMax: 1 })
  expect(other?.points[0]?.requests).toBe(1)
})

test('a version that begins to answer is marked, the first that is known is not, nor one that was only quiet', () => {
  const { explainer, count, pass, versions, resources, id } = rig()
  explainer.tick(START_MS)
  const says = ['1.0', '1.0', '1.1', '1.0', '1.1', '1.1']
  for (const [minute, version] of says.entries()) {
    resources.version[1] = id(version)
    count(START_MS + minute * MINUTE_MS + 1, {})
    pass(START_MS + minute * MINUTE_MS + 30_000, START_MS + (minute + 1) * MINUTE_MS)
  }
  pass(START_MS + 6 * MINUTE_MS, START_MS + 40 * MINUTE_MS)
  // Back to the old one after half an hour: that is a change too.
  resources.version[1] = id('1.0')
  count(START_MS + 40 * MINUTE_MS + 1, {})
  pass(START_MS + 40.5 * MINUTE_MS, START_MS + 41.5 * MINUTE_MS)
  expect(versions(0, Infinity)).toEqual(['1.1 after 2 min', '1.0 after 40 min'])
  expect(versions(START_MS, START_MS + 3 * MINUTE_MS)).toEqual(['1.1 after 2 min'])
})

test('an operation in its first minute has an empty history, one that never was has none', () => {
  const { explainer, count } = rig()
  explainer.tick(START_MS)
  count(START_MS + 1, {})
  const of = (operation: string) => explainer.history.of('shop', operation, { fromMs: 0, toMs: Infinity, pointsMax: 1 })
  expect(of('GET /buy')).toEqual({ points: [], versions: [], since_unix_ms: null })
  expect(of('shop')).toBeUndefined()
})

test('names stay known while history has them, and nothing is known of others', () => {
  const { explainer, count, pass, id } = rig()
  explainer.tick(START_MS)
  count(START_MS + 1, {})
  pass(START_MS + 30_000, START_MS + 2 * MINUTE_MS)
  const marks = { strings: new Uint8Array(100), resources: new Uint8Array(2) }
  explainer.history.mark(marks)
  expect([marks.strings[id('shop')], marks.strings[id('GET /buy')]]).toEqual([1, 1])
  expect(explainer.history.of('shop', 'GET /never', { fromMs: 0, toMs: Infinity, pointsMax: 1 })).toBeUndefined()
})

test('without history nothing is kept', () => {
  const { explainer, count, pass } = rig({ historyMs: 0 })
  count(START_MS + 1, {})
  pass(START_MS, START_MS + 3 * MINUTE_MS)
  explainer.shutdown(START_MS + 3 * MINUTE_MS)
  expect(explainer.history.intervals()).toEqual([])
})
