import { afterEach, expect, test } from '@jest/globals'
import { BudgetResult, WHOLE_REQUEST } from '../../../src/model/budgets.ts'
import { attempts, deliveries, type DestinationState } from '../../../src/model/forwarding.ts'
import { Pattern } from '../../../src/model/patterns.ts'
import { Grade, Phase } from '../../../src/model/phases.ts'
import { Band } from '../../../src/model/requests.ts'
import { series, type SeriesFamily } from '../../../src/expose/series.ts'
import { createDurationHistogram } from '../../../src/runtime/duration-histogram.ts'
import { stageCounters, testExposer, type TestExposer } from './exposer.ts'
import { parseExposition } from './parse-exposition.ts'

let open: TestExposer | undefined
afterEach(() => open?.exposer.app.close())

const families: readonly SeriesFamily[] = Object.values(series)

const destination: DestinationState = {
  name: 'tempo',
  spans: Float64Array.from(deliveries, (_, i) => i),
  requests: Float64Array.from(attempts, (_, i) => i),
  queueBytes: 1,
  queueBytesMax: 2,
  memoryBytes: 1,
  disk: { bytes: 3, degraded: false },
  durations: createDurationHistogram().cells,
  healthy: true,
  lastFailure: ''
}

/** One value in every family. */
async function fullExposition(): Promise<string> {
  open = testExposer({
    settings: { zeroFirstMs: 0 },
    sources: {
      memory: () => ({ spans: 1 }),
      clockOffsets: () => [{ from: 'a', to: 'b', seconds: 1 }],
      durability: () => ({ segments: 1, bytes: 2, spareBytes: 1, degraded: false }),
      destinations: () => [destination]
    }
  })
  const { draft } = open
  const row = draft.addOperation('shop', 'buy')
  const phases = [[Phase.gc, Grade.measured, 1]] as const
  draft.addRequest(row, { durationNs: 5, band: Band.gtP99, leadNs: 1, phases })
  draft.setThresholds(row, [1, 2, 3, 4])
  draft.adviceOf.set(row, 2)
  draft.addPattern(row, 1, Pattern.hedge, 1)
  const edge = { edge: 0, caller: 'shop', callee: 'shop', callerLanguage: 1, calleeLanguage: 2 }
  draft.addBoundary({ ...edge, component: 1, band: 1, bucket: 4, ns: 5e6 })
  draft.addBlame(draft.addSlot({ root: row, service: 'db', operation: 'SELECT' }), 1, Phase.gc, 1)
  const target = { name: 'p99', phase: WHOLE_REQUEST, thresholdNs: 4, allowedRatio: 0.01 }
  draft.setBudgets([{ service: '*', operation: '*', targets: [target] }])
  draft.addBudgeted(draft.addTarget({ operation: row, target }), BudgetResult.over, Phase.gc, 5)
  draft.samplings.push({ service: draft.operations.service[row] as number, sampling: 0 })
  return open.scrape()
}

test('every family of the catalogue is exposed, with its help, its labels in its order, and values from its lists', async () => {
  const text = await fullExposition()
  const parsed = parseExposition(text)
  for (const { name, type, help, labels, values } of families) {
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type === 'unknown' ? 'untyped' : type}\n`)
    const own = parsed.filter(
      (line) => line.name.replace(type === 'histogram' ? /_(bucket|sum|count)$/ : '', '') === name
    )
    expect([name, own.length > 0]).toEqual([name, true])
    for (const line of own) {
      expect(Object.keys(line.labels).filter((label) => label !== 'le')).toEqual(labels)
      for (const [label, allowed] of Object.entries(values ?? {})) expect(allowed).toContain(line.labels[label])
    }
  }
})

test('no tail_ series is exposed that neither the catalogue nor a stage names', async () => {
  const text = await fullExposition()
  const named = [...text.matchAll(/^# TYPE (tail_\S+) /gm)].map((match) => match[1])
  const unnamed = named.filter((name) => !families.some((family) => family.name === name))
  expect(unnamed).toEqual([
    'tail_scrapes_total',
    'tail_scrapes_refused_total',
    'tail_reads_refused_total',
    'tail_scrapes_cut_total'
  ])
})

test('names and labels follow the conventions: unit last, counters end in _total, scraper labels are left alone', () => {
  for (const { name, type, unit, labels } of families) {
    expect(name).toMatch(/^tail_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    if (unit !== '') expect(name.replace(/_total$/, '').endsWith(`_${unit}`)).toBe(true)
    for (const taken of ['service', 'namespace', 'pod', 'instance', 'job']) expect(labels).not.toContain(taken)
  }
})

test('counters of one name in two pipelines are one series, added up', async () => {
  const [a, b] = [stageCounters(), stageCounters()]
  a.add('tail_spans_late_total', 2, 1)
  b.add('tail_spans_late_total', 3, 1)
  open = testExposer({ sources: { counters: [a, b] } })
  const late = parseExposition(await open.scrape()).filter(({ name }) => name === 'tail_spans_late_total')
  expect(late.map(({ labels, value }) => [labels['result'], value])).toEqual([
    ['joined', '0'],
    ['ignored', '5']
  ])
})

test('an unknown threshold is left out, and nothing says NaN', async () => {
  open = testExposer()
  const row = open.draft.addOperation('shop', 'buy')
  open.draft.setThresholds(row, [5, NaN, NaN, NaN])
  const text = await open.scrape()
  expect(text.match(/^tail_band_threshold_seconds\{/gm)).toHaveLength(1)
  expect(text).not.toMatch(/nan|undefined/i)
})

test("the process's own metrics are there, but for the names that promtool refuses", async () => {
  open = testExposer()
  const names = new Set(parseExposition(await open.scrape()).map(({ name }) => name))
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds'
  ]) {
    expect(names).toContain(name)
  }
  expect([...names].filter((name) => /^nodejs_(active_\w+_total|eventloop_utilization)/.test(name))).toEqual([])
})
