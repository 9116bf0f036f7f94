import { expect, test } from '@jest/globals'
import { TraceModel, type Waterfall } from '../../../../src/expose/page/trace-model.js'
import { Grade, Phase } from '../../../../src/model/phases.ts'

type SpanDraft = readonly [parent: number, start: number, duration: number]

function modelOf(spans: readonly SpanDraft[], { own = [], path = [] }: Partial<Pick<Waterfall, 'own' | 'path'>> = {}) {
  const column = <T>(value: (span: SpanDraft) => T): T[] => spans.map(value)
  return new TraceModel({
    trace_id: '',
    complete: true,
    start_unix_nano: '0',
    duration_ns: 100,
    spans_total: spans.length,
    root: 0,
    spans: {
      id: spans.map((_, at) => String(at)),
      parent: column(([parent]) => parent),
      start_ns: column(([, start]) => start),
      duration_ns: column(([, , duration]) => duration),
      name: column(() => 0),
      service: column(() => 0),
      version: column(() => 0),
      kind: column(() => 1),
      outcome: column(() => 'ok')
    },
    own,
    path,
    requests: [],
    texts: [''],
    blame: []
  })
}

const slot = (phase: number, grade: number): number => phase * 3 + grade

/**
 * 0 |====================| 0..100
 * 1   |=======|            10..50
 * 2         |=====|        40..70, beside 1
 * 3     |==|               20..30, below 1
 */
const family: readonly SpanDraft[] = [
  [-1, 0, 100],
  [0, 10, 40],
  [1, 20, 10],
  [0, 40, 30]
]

test('rows go down the tree, children by start; closed spans hide what is below them', () => {
  const model = modelOf(family)
  expect([...model.rows(false)]).toEqual([0, 1, 2, 3])
  expect([...model.depth]).toEqual([0, 1, 2, 1])
  model.closed.add(1)
  expect([...model.rows(false)]).toEqual([0, 1, 3])
})

test('the critical path alone keeps its spans and those above them', () => {
  const model = modelOf(family, { path: [2, 20, 30] })
  expect([...model.rows(true)]).toEqual([0, 1, 2])
})

test('gaps are where no child is, overlapping children counted once', () => {
  const model = modelOf(family)
  expect([...model.gapsOf(0)]).toEqual([0, 10, 70, 100])
  expect([...model.gapsOf(1)]).toEqual([10, 20, 30, 50])
  expect([...model.gapsOf(2)]).toEqual([20, 30])
})

test('a child that outlives its span leaves it no gap after it', () => {
  expect([
    ...modelOf([
      [-1, 0, 100],
      [0, 60, 500]
    ]).gapsOf(0)
  ]).toEqual([0, 60])
})

test('waiting for a peer that children cover is no part of the gaps; the rest of it is', () => {
  const own = [
    0,
    slot(Phase.processing, Grade.inferred),
    25,
    0,
    slot(Phase.downstream, Grade.measured),
    75,
    2,
    slot(Phase.gc, Grade.measured),
    10
  ]
  const model = modelOf(family, { own })
  expect(model.ownTimes(1)).toEqual([])
  expect(model.ownTimes(2)).toEqual([{ phase: Phase.gc, grade: Grade.measured, ns: 10 }])
  expect(model.gapTimes(0)).toEqual([
    { phase: Phase.processing, grade: Grade.inferred, ns: 25 },
    { phase: Phase.downstream, grade: Grade.measured, ns: 15 }
  ])
})

test('a chain of 50,000 spans and a fan of 50,000 are laid out without recursion', () => {
  const chain = modelOf(Array.from({ length: 50_000 }, (_, at): SpanDraft => [at - 1, at, 100_000 - at]))
  expect(chain.rows(false).at(-1)).toBe(49_999)
  expect(chain.depth[49_999]).toBe(49_999)
  const fan = modelOf(Array.from({ length: 50_000 }, (_, at): SpanDraft => [at === 0 ? -1 : 0, at, 1]))
  expect(fan.rows(false)).toHaveLength(50_000)
  expect(fan.gapsOf(0).length).toBeLessThanOrEqual(2)
})
