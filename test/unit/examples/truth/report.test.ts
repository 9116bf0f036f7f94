import { expect, test } from '@jest/globals'
import { truthDocument } from '../../../../examples/shop/truth/document.ts'
import { noTally, type Tally } from '../../../../examples/shop/truth/figures.ts'
import { byCause, meanOverCauses, type Scored, tables, worth } from '../../../../examples/shop/truth/report.ts'

function scored(cause: string, pairs: Record<string, number>, seed = 1): Scored {
  const tally: Tally = { ...noTally(), causes: new Map(Object.entries(pairs)) }
  tally.tailRequests = [...tally.causes.values()].reduce((sum, times) => sum + times, 0)
  return { cause, level: 'default', seed, tally }
}

const all = [
  scored('queue', { 'queue_wait>queue_wait': 3, 'queue_wait>unattributed': 1 }),
  scored('gc', { 'gc>gc': 0, 'gc>scheduling': 10 }, 1),
  scored('gc', { 'gc>gc': 10 }, 2),
  scored('skew', {}),
  scored('none', { 'processing>unattributed': 100 })
]

test('recordings of one cause are put together, causes weigh alike, and those without such requests are left out', () => {
  const causes = byCause(all)
  expect(causes.get('gc')?.tailRequests).toBe(20)
  const { localCause, localCauses, traceCause } = meanOverCauses(causes)
  expect(localCause).toBeCloseTo((0.75 + 0.5) / 2)
  expect(localCauses).toBe(24)
  expect(traceCause).toBeNaN()
})

test('the table shows the mean beside what is asked, every cause, and what was taken for what', () => {
  const text = tables(all)
  expect(text).toMatch(/\| default \| 63 % of 24 \|/)
  expect(text).toMatch(/\| _asked of default_ \| ≥ 70 % \| ≥ 72 % \| ≤ 14 % \|/)
  expect(text).toMatch(/\| none \| 0 % of 100 \|/)
  expect(text).toMatch(/\| queue_wait \| 3 \| 0 \| 0 \| 0 \| 0 \| 0 \| 1 \| 75 % \|/)
  expect(text).not.toContain('waits')
})

test('what a rule is worth is what is lost without it', () => {
  const without = [scored('queue', { 'queue_wait>unattributed': 4 }), ...all.slice(1)]
  expect(worth(all, without)).toMatch(/\| default \| -37\.5 \|/)
})

test('TRUTH.md names every recording and says what the figures mean', () => {
  const recording = (one: Scored) => ({
    folder: `recordings/${one.cause}-default-${one.seed}`,
    meta: {
      cause: one.cause,
      level: one.level,
      seed: one.seed,
      startedUnixNano: '0',
      seconds: 40,
      rate: 100,
      episodes: [],
      cpuDelayMs: { gateway: 2_400 }
    },
    traceFiles: [],
    metricFiles: [],
    truthFiles: []
  })
  const text = truthDocument(all, all.map(recording))
  expect(text).toContain('| gc-default-2 | default | 2 | 40 | 100 | 0 | 0 | 2 s |')
  for (const figure of ['right local cause', 'right service + phase', 'phase error', 'attributed', 'false certainty']) {
    expect(text).toContain(`| ${figure} | `)
  }
})
