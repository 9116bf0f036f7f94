import { expect, test } from '@jest/globals'
import { type Explainer, type ExplainSettings } from '../../../../src/explain/index.ts'
import {
  type Budget,
  BUDGET_RESULTS,
  BudgetResult,
  type BudgetTarget,
  WHOLE_REQUEST
} from '../../../../src/model/budgets.ts'
import { Phase, PHASES, phases } from '../../../../src/model/phases.ts'
import { Outcome, RequestClass, Sampling } from '../../../../src/model/requests.ts'
import { exactToBigInt } from '../../../../src/runtime/exact-sums.ts'
import { type Strings } from '../../../../src/runtime/strings.ts'
import { decompositionOf, type RequestSketch } from '../../../builders/decompositions.ts'
import { MINUTE_MS, random, START_MS, testExplainer, testStrings } from '../explainers.ts'

const MS = 1e6
const p99 = (ms: number, allowedRatio = 0.01): BudgetTarget => ({
  name: 'p99',
  phase: WHOLE_REQUEST,
  thresholdNs: ms * MS,
  allowedRatio
})
const p95 = (ms: number): BudgetTarget => ({ ...p99(ms, 0.05), name: 'p95' })
const queueP99 = (ms: number): BudgetTarget => ({ ...p99(ms), name: 'p99:queue_wait', phase: Phase.queueWait })
const budget = (service: string, operation: string, ...targets: BudgetTarget[]): Budget => ({
  service,
  operation,
  targets
})

interface Rig {
  readonly explainer: Explainer
  readonly see: (service: string, operation: string, request?: RequestSketch, nowMs?: number) => void
  readonly counted: () => string[]
}

function rig(budgets: readonly Budget[], given: Partial<ExplainSettings> = {}): Rig {
  const strings = testStrings()
  const explainer = testExplainer({ budgets, ...given }, strings)
  return {
    explainer,
    see(service, operation, request = {}, nowMs = START_MS) {
      const names = { service: strings.internText(service), operation: strings.internText(operation) }
      explainer.consume(decompositionOf({ requests: [{ ...names, ...request }] }), nowMs)
    },
    counted: () => countedBy(explainer, strings)
  }
}

/** `shop GET /cart p99 <= 5 ms: 3 within, 1 over`, in the order of names. */
function countedBy({ tables: { budgets, operations } }: Explainer, strings: Strings): string[] {
  return liveRows(budgets)
    .map((row) => {
      const operation = budgets.operationRow[row] as number
      const name = [operations.service[operation], operations.operation[operation]].map((id) =>
        strings.text(id as number)
      )
      const { name: target, thresholdNs } = budgets.target[row] as BudgetTarget
      const [within, over] = budgets.requests.subarray(row * BUDGET_RESULTS)
      return `${name.join(' ')} ${target} <= ${thresholdNs / MS} ms: ${String(within)} within, ${String(over)} over`
    })
    .sort()
}

const liveRows = ({ rows, live }: Explainer['tables']['budgets']): number[] =>
  Array.from({ length: rows }, (_, row) => row).filter((row) => live[row] === 1)

test('a request that takes as long as its target is within it, one nanosecond more is over', () => {
  const { see, counted } = rig([budget('shop', 'GET /cart', p99(5))])
  see('shop', 'GET /cart', { durationNs: 5 * MS })
  see('shop', 'GET /cart', { durationNs: 5 * MS + 1 })
  see('shop', 'GET /other', { durationNs: 9 * MS })
  expect(counted()).toEqual(['shop GET /cart p99 <= 5 ms: 1 within, 1 over'])
})

test('weights count', () => {
  const { see, counted } = rig([budget('shop', '*', p99(5))])
  see('shop', 'GET /cart', { durationNs: 9 * MS, weight: 100 })
  see('shop', 'GET /cart', { weight: 3 })
  expect(counted()).toEqual(['shop GET /cart p99 <= 5 ms: 3 within, 100 over'])
})

test('a target for a phase looks at the time of that phase alone', () => {
  const { see, counted } = rig([budget('shop', '*', p99(50), queueP99(20))])
  see('shop', 'GET /cart', { durationNs: 90 * MS })
  see('shop', 'GET /cart', { durationNs: 40 * MS, phases: { queue_wait: 21 * MS } })
  expect(counted()).toEqual([
    'shop GET /cart p99 <= 50 ms: 1 within, 1 over',
    'shop GET /cart p99:queue_wait <= 20 ms: 1 within, 1 over'
  ])
})

test('a failure counts only where it is over: failing fast makes nothing look fast', () => {
  const { see, counted } = rig([budget('shop', '*', p99(5))])
  see('shop', 'GET /cart', { outcome: Outcome.error })
  see('shop', 'GET /cart', { outcome: Outcome.timeout, durationNs: 4 * MS })
  see('shop', 'GET /cart', { outcome: Outcome.error, durationNs: 6 * MS })
  see('shop', 'GET /cart', { outcome: Outcome.timeout, durationNs: 6 * MS })
  expect(counted()).toEqual(['shop GET /cart p99 <= 5 ms: 0 within, 2 over'])
})

test('streams, background work and services sampled by how traces went have no budgets', () => {
  const { explainer, see, counted } = rig([budget('*', '*', p99(5))])
  see('shop', 'GET /events', { class: RequestClass.stream })
  see('shop', 'poll', { class: RequestClass.background })
  see('picked', 'GET /cart', { sampling: Sampling.tail })
  expect(counted()).toEqual([])
  expect([...explainer.tables.budgets.operations()]).toEqual([0])
  see('shop', 'orders process', { class: RequestClass.message })
  expect(counted()).toEqual(['shop orders process p99 <= 5 ms: 1 within, 0 over'])
})

test('of budgets that match the most specific counts, whole: first by service, then by operation', () => {
  const { explainer, see, counted } = rig([
    budget('*', '*', p99(1_000), p95(500)),
    budget('*', 'GET /cart', p99(6)),
    budget('shop', '*', p99(7)),
    budget('shop', 'GET /c*', p99(8)),
    budget('shop', 'GET /cart', p99(9)),
    budget('sh*', 'GET /cart', p99(10))
  ])
  for (const service of ['shop', 'shed', 'cart'])
    for (const name of ['GET /cart', 'GET /cars', 'GET /']) see(service, name)
  expect(counted()).toEqual([
    'cart GET / p95 <= 500 ms: 1 within, 0 over',
    'cart GET / p99 <= 1000 ms: 1 within, 0 over',
    'cart GET /cars p95 <= 500 ms: 1 within, 0 over',
    'cart GET /cars p99 <= 1000 ms: 1 within, 0 over',
    'cart GET /cart p99 <= 6 ms: 1 within, 0 over',
    'shed GET / p95 <= 500 ms: 1 within, 0 over',
    'shed GET / p99 <= 1000 ms: 1 within, 0 over',
    'shed GET /cars p95 <= 500 ms: 1 within, 0 over',
    'shed GET /cars p99 <= 1000 ms: 1 within, 0 over',
    'shed GET /cart p99 <= 10 ms: 1 within, 0 over',
    'shop GET / p99 <= 7 ms: 1 within, 0 over',
    'shop GET /cars p99 <= 8 ms: 1 within, 0 over',
    'shop GET /cart p99 <= 9 ms: 1 within, 0 over'
  ])
  expect([...explainer.tables.budgets.operations()]).toEqual([4, 1, 1, 1, 1, 1])
})

test('the phases of either result add up to the durations of its requests, to the nanosecond', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = random(seed)
    const { explainer, see } = rig([budget('*', '*', p99(2), queueP99(1))])
    const expected = new Map<string, bigint>()
    for (let i = 0; i < 300; i++) {
      const durationNs = Math.floor(1e5 * Math.exp(draw() * 8))
      const queueNs = Math.floor(durationNs * draw())
      const outcome = draw() < 0.2 ? Outcome.error : Outcome.ok
      const weight = draw() < 0.3 ? 1 + Math.floor(draw() * 2 ** 24) : 1
      see('shop', 'GET /cart', { durationNs, phases: { queue_wait: queueNs }, outcome, weight })
      for (const [name, over] of [['p99', durationNs > 2 * MS] as const, ['p99:queue_wait', queueNs > MS] as const]) {
        if (!over && outcome !== Outcome.ok) continue
        const key = `${name} ${over ? 'over' : 'within'}`
        expected.set(key, (expected.get(key) ?? 0n) + BigInt(durationNs) * BigInt(weight))
      }
    }
    const { budgets } = explainer.tables
    for (const row of liveRows(budgets)) {
      for (const [result, index] of Object.entries(BudgetResult)) {
        const cell = (row * BUDGET_RESULTS + index) * PHASES
        const sum = phases.reduce((all, _, phase) => all + exactToBigInt(budgets.phaseNs, cell + phase), 0n)
        const key = `${budgets.target[row]?.name ?? ''} ${result}`
        expect([seed, key, sum]).toEqual([seed, key, expected.get(key) ?? 0n])
      }
    }
  }
})

test('budget_rows_max is kept, what is beyond is counted, and operations that are named come first', () => {
  const budgets = [budget('*', '*', p99(5)), budget('shop', 'GET /named', p99(5), p95(2))]
  const { explainer, see, counted } = rig(budgets, { budgetRowsMax: 3 })
  for (let i = 0; i < 4; i++) see('shop', `GET /${i}`)
  see('shop', 'GET /named')
  expect(counted()).toEqual([
    'shop GET /0 p99 <= 5 ms: 1 within, 0 over',
    'shop GET /named p95 <= 2 ms: 1 within, 0 over',
    'shop GET /named p99 <= 5 ms: 1 within, 0 over'
  ])
  expect(explainer.counters.get('tail_budget_overflow_total')).toBe(3)
})

test('an operation with a budget has a row where operations_max leaves none', () => {
  const { explainer, see, counted } = rig([budget('shop', 'GET /cart', p99(5))], { operationsMax: 4 })
  for (let i = 0; i < 40; i++) see(`service-${i}`, 'GET /')
  see('shop', 'GET /cart')
  expect(counted()).toEqual(['shop GET /cart p99 <= 5 ms: 1 within, 0 over'])
  expect(explainer.counters.get('tail_series_overflow_total')).toBeGreaterThan(0)
})

test('idle operations lose their rows, but not those that a budget names', () => {
  const { explainer, see, counted } = rig([budget('shop', 'GET /*', p99(5)), budget('shop', 'GET /cart', p99(5))])
  see('shop', 'GET /cart')
  see('shop', 'GET /other')
  explainer.tick(START_MS + 61 * MINUTE_MS)
  expect(counted()).toEqual(['shop GET /cart p99 <= 5 ms: 1 within, 0 over'])
})

test('new budgets leave the counters of unchanged targets, begin changed ones anew, and end the others', () => {
  const { explainer, see, counted } = rig([
    budget('shop', 'GET /cart', p99(5), p95(2)),
    budget('shop', 'GET /gone', p99(5)),
    budget('pay', '*', p99(5))
  ])
  const names = [
    ['shop', 'GET /cart'],
    ['shop', 'GET /gone'],
    ['shop', 'GET /new'],
    ['pay', 'POST /']
  ] as const
  const seeAll = (): void => {
    for (const [service, name] of names) see(service, name, { durationNs: 4 * MS })
  }
  seeAll()
  explainer.setBudgets([
    budget('shop', 'GET /cart', p99(5, 0.02), p95(3)),
    budget('shop', 'GET /new', p99(5)),
    budget('pa*', '*', p99(5))
  ])
  expect(counted()).toEqual([
    'pay POST / p99 <= 5 ms: 1 within, 0 over',
    'shop GET /cart p99 <= 5 ms: 1 within, 0 over'
  ])
  seeAll()
  expect(counted()).toEqual([
    'pay POST / p99 <= 5 ms: 2 within, 0 over',
    'shop GET /cart p95 <= 3 ms: 0 within, 1 over',
    'shop GET /cart p99 <= 5 ms: 2 within, 0 over',
    'shop GET /new p99 <= 5 ms: 1 within, 0 over'
  ])
  const { budgets } = explainer.tables
  expect(liveRows(budgets).map((row) => [budgets.target[row]?.name, budgets.target[row]?.allowedRatio])).toContainEqual(
    ['p99', 0.02]
  )
  explainer.setBudgets([])
  expect(counted()).toEqual([])
})

test('rows that others gave back are used again, with every cell at zero', () => {
  const { explainer, see, counted } = rig([budget('shop', '*', p99(5))], { budgetRowsMax: 1 })
  see('shop', 'GET /old', { durationNs: 9 * MS })
  see('shop', 'GET /new')
  expect(explainer.counters.get('tail_budget_overflow_total')).toBe(1)
  explainer.tick(START_MS + 61 * MINUTE_MS)
  see('shop', 'GET /new', {}, START_MS + 61 * MINUTE_MS)
  expect(counted()).toEqual(['shop GET /new p99 <= 5 ms: 1 within, 0 over'])
  const { recent } = explainer.tables.budgets
  expect(recent(0)).toEqual({ within: 1, over: 0, seen: 1 })
})

test('what is recent leaves after the window, also while nothing comes', () => {
  const { explainer, see } = rig([budget('shop', '*', p99(5))])
  const { recent } = explainer.tables.budgets
  see('shop', 'GET /cart', { durationNs: 9 * MS, weight: 10 })
  see('shop', 'GET /cart', {}, START_MS + 5 * MINUTE_MS)
  expect(recent(0)).toEqual({ within: 1, over: 10, seen: 2 })
  explainer.tick(START_MS + 9 * MINUTE_MS)
  expect(recent(0)).toEqual({ within: 1, over: 10, seen: 2 })
  explainer.tick(START_MS + 10 * MINUTE_MS)
  expect(recent(0)).toEqual({ within: 1, over: 0, seen: 1 })
  explainer.tick(START_MS + 15 * MINUTE_MS)
  expect(recent(0)).toEqual({ within: 0, over: 0, seen: 0 })
})

test('merged explainers give the sums of one; another threshold is another question', () => {
  const one = rig([budget('shop', '*', p99(5))])
  const [strings, otherStrings] = [testStrings(), testStrings()]
  otherStrings.internText('so that ids differ')
  const [a, b, c] = [
    testExplainer({ budgets: [budget('shop', '*', p99(5))] }, strings),
    testExplainer({ budgets: [budget('*', '*', p99(5))] }, otherStrings),
    testExplainer({ budgets: [budget('*', '*', p99(7))] }, otherStrings)
  ]
  for (let i = 0; i < 30; i++) {
    const [name, durationNs] = [`GET /${i % 3}`, (i % 11) * MS]
    one.see('shop', name, { durationNs })
    const [explainer, names] = i % 2 === 0 ? [a, strings] : [b, otherStrings]
    const ids = { service: names.internText('shop'), operation: names.internText(name) }
    explainer.consume(decompositionOf({ requests: [{ ...ids, durationNs }] }), START_MS)
    c.consume(
      decompositionOf({
        requests: [{ service: otherStrings.internText('shop'), operation: otherStrings.internText(name) }]
      }),
      START_MS
    )
  }
  a.merge(b.tables, otherStrings, START_MS)
  expect(countedBy(a, strings)).toEqual(one.counted())
  expect(a.counters.get('tail_budget_overflow_total')).toBe(0)
  a.merge(c.tables, otherStrings, START_MS)
  expect(countedBy(a, strings)).toEqual(one.counted())
  expect(a.counters.get('tail_budget_overflow_total')).toBe(30)
})
