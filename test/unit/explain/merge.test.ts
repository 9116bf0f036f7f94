import { expect, test } from '@jest/globals'
import { type Explainer, type ExplainSettings, summarize } from '../../../src/explain/index.ts'
import { Band, BANDS, OUTCOMES } from '../../../src/model/requests.ts'
import { type Strings } from '../../../src/runtime/strings.ts'
import { PATTERN_CELLS } from '../../../src/explain/operation-table.ts'
import { decompositionOf } from '../../builders/decompositions.ts'
import { random, START_MS, testExplainer, testStrings } from './explainers.ts'

const OPERATIONS = 6
const learned = {
  thresholds: Array.from({ length: OPERATIONS }, (_, i) => ({
    service: `service-${i % 2}`,
    operation: `operation-${i}`,
    requests: 1_000,
    ns: [1e6, 2e6, 3e6, 4e6]
  })),
  streams: []
}

function explainerWith(strings: Strings, given: Partial<ExplainSettings> = {}): Explainer {
  const explainer = testExplainer(given, strings)
  explainer.load(learned)
  return explainer
}

/** The same trace by its seed, whoever's strings name it. */
function traceOf(seed: number, strings: Strings): ReturnType<typeof decompositionOf> {
  const draw = random(seed)
  const nameOf = (i: number): { service: number; operation: number } => ({
    service: strings.internText(`service-${i % 2}`),
    operation: strings.internText(`operation-${i}`)
  })
  const requests = Array.from({ length: 3 }, () => ({
    ...nameOf(Math.floor(draw() * OPERATIONS)),
    durationNs: Math.floor(draw() * 5e6),
    leadNs: Math.floor(draw() * 100),
    patterns: { retry: Math.floor(draw() * 3), straggler: Math.floor(draw() * 1e5) },
    outcome: draw() < 0.1 ? 1 : 0,
    weight: 1 + Math.floor(draw() * 3)
  }))
  const blame = [{ ...nameOf(Math.floor(draw() * OPERATIONS)), phase: 'gc' as const, ns: requests[0]?.durationNs ?? 0 }]
  return decompositionOf({ requests, blame, traceId: seed })
}

function bookings({ tables: { operations } }: Explainer, strings: Strings): unknown[] {
  return Array.from({ length: operations.rows }, (_, row) => row)
    .filter((row) => (operations.seen[row] as number) > 0)
    .map((row) => ({
      name: `${strings.text(operations.service[row] as number)} ${strings.text(operations.operation[row] as number)}`,
      seen: operations.seen[row],
      requests: [...operations.requests.subarray(row * BANDS * OUTCOMES, (row + 1) * BANDS * OUTCOMES)],
      durationNs: operations.durationNs.low[row],
      leadNs: [...operations.leadNs.low.subarray(row * BANDS, (row + 1) * BANDS)],
      patternNs: [...operations.patternNs.low.subarray(row * PATTERN_CELLS, (row + 1) * PATTERN_CELLS)],
      patternRequests: [...operations.patternRequests.subarray(row * PATTERN_CELLS, (row + 1) * PATTERN_CELLS)],
      sketch: [...(operations.sketch(row) ?? [])]
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

test('a stream split over two explainers and merged gives the same sums as one', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const strings = [testStrings(), testStrings(), testStrings()] as const
    // Other ids for the same names on one side.
    strings[1].internText('something else first')
    const [whole, left, right] = strings.map((own) => explainerWith(own)) as [Explainer, Explainer, Explainer]
    const draw = random(seed)
    for (let i = 0; i < 600; i++) {
      const trace = seed * 10_000 + i
      whole.consume(traceOf(trace, strings[0]), START_MS + i)
      if (draw() < 0.5) left.consume(traceOf(trace, strings[1]), START_MS + i)
      else right.consume(traceOf(trace, strings[2]), START_MS + i)
    }
    for (const explainer of [whole, left, right]) explainer.shutdown(START_MS + 1_000)
    const mergedStrings = testStrings()
    const merged = explainerWith(mergedStrings)
    merged.merge(left.tables, strings[1], START_MS + 1_000)
    merged.merge(right.tables, strings[2], START_MS + 1_000)
    expect({ seed, rows: bookings(merged, mergedStrings) }).toEqual({ seed, rows: bookings(whole, strings[0]) })
    expect({ seed, summary: summarize(merged.tables, mergedStrings) }).toEqual({
      seed,
      summary: summarize(whole.tables, strings[0])
    })
  }
})

test('what finds no row is merged into __other__, without its bands', () => {
  const strings = testStrings()
  const from = explainerWith(strings)
  for (let i = 0; i < 200; i++) from.consume(traceOf(i, strings), START_MS)
  const into = explainerWith(strings, { operationsMax: 1 })
  into.merge(from.tables, strings, START_MS)
  const { operations } = into.tables
  const seen = (explainer: Explainer): number => explainer.tables.operations.seen.reduce((sum, n) => sum + n, 0)
  expect(seen(into)).toBe(seen(from))
  const banded = operations.requests.subarray(0, Band.none * OUTCOMES)
  expect(banded.every((n) => n === 0)).toBe(true)
  expect(operations.requests[Band.none * OUTCOMES]).toBeGreaterThan(0)
})
