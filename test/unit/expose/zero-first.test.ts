import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Grade, Phase } from '../../../src/model/phases.ts'
import { Band } from '../../../src/model/requests.ts'
import { OPENMETRICS, PROTOBUF, testExposer, type TestExposer } from './exposer.ts'
import { parseExposition, valueOf } from './parse-exposition.ts'

let open: TestExposer
beforeEach(() => {
  open = testExposer()
})
afterEach(() => open.exposer.app.close())

const buy = { service_name: 'shop', operation: 'buy' }
const request = {
  durationNs: 2_000_000,
  band: Band.gtP99,
  leadNs: 7,
  phases: [[Phase.gc, Grade.measured, 1_000_000]]
} as const

function addBuy(): number {
  const row = open.draft.addOperation('shop', 'buy', open.clock.nowMs)
  open.draft.addRequest(row, request)
  return row
}

const count = async (): Promise<number | undefined> =>
  valueOf(await open.scrape(), 'tail_request_duration_seconds_count', buy)
const evidence = async (phase: string): Promise<number | undefined> =>
  valueOf(await open.scrape(), 'tail_phase_evidence_seconds_total', { ...buy, phase, grade: 'measured' })

test.each(['text/plain', OPENMETRICS])(
  'every counter of a new row is 0 until zero_first has passed, then true (%s)',
  async (accept) => {
    addBuy()
    const ofBuy = async (): Promise<Set<string>> => {
      const series = parseExposition(await open.scrape(accept))
      return new Set(series.filter(({ labels }) => labels['operation'] === 'buy').map(({ value }) => value))
    }
    expect(await ofBuy()).toEqual(new Set(['0']))
    open.clock.nowMs += 29_999
    expect(await ofBuy()).toEqual(new Set(['0']))
    open.clock.nowMs += 1
    expect(await ofBuy()).toEqual(new Set(['0', '1', '0.001', '0.002', '0.000000007']))
  }
)

test('a scrape of one server does not show the value to the next: both see the 0', async () => {
  addBuy()
  expect(await count()).toBe(0)
  expect(await count()).toBe(0)
})

test('a row that nobody scraped while it was young shows its value at once', async () => {
  addBuy()
  open.clock.nowMs += 30_000
  expect(await count()).toBe(1)
})

test('evidence that appears later starts at 0 too, and is absent before', async () => {
  const row = addBuy()
  await open.scrape()
  open.clock.nowMs += 60_000
  expect(await evidence('gc')).toBe(0.001)
  expect(await evidence('network')).toBeUndefined()
  open.draft.addRequest(row, { ...request, phases: [[Phase.network, Grade.measured, 2_000_000]] })
  expect(await evidence('network')).toBe(0)
  open.clock.nowMs += 15_000
  expect(await evidence('network')).toBe(0)
  open.clock.nowMs += 15_000
  expect(await evidence('network')).toBe(0.002)
  expect(await evidence('gc')).toBe(0.001)
})

test('a culprit shows both bands and both families from its first scrape, at 0 first', async () => {
  const row = addBuy()
  open.clock.nowMs += 60_000
  const slot = open.draft.addSlot({ root: row, service: 'db', operation: 'SELECT', createdMs: open.clock.nowMs })
  open.draft.addBlame(slot, 1, Phase.processing, 3e9)
  const blame = async (): Promise<string[]> =>
    parseExposition(await open.scrape())
      .filter(({ name }) => name.startsWith('tail_blame'))
      .map(({ name, labels, value }) => `${name} ${labels['phase'] ?? ''} ${labels['band'] ?? ''} ${value}`)
  expect(await blame()).toEqual([
    'tail_blame_seconds_total processing le_p50 0',
    'tail_blame_seconds_total processing gt_p99 0',
    'tail_blame_requests_total processing le_p50 0',
    'tail_blame_requests_total processing gt_p99 0'
  ])
  open.clock.nowMs += 30_000
  expect(await blame()).toEqual([
    'tail_blame_seconds_total processing le_p50 0',
    'tail_blame_seconds_total processing gt_p99 3',
    'tail_blame_requests_total processing le_p50 0',
    'tail_blame_requests_total processing gt_p99 1'
  ])
})

test('a culprit of a row that left is not shown', async () => {
  const row = addBuy()
  open.draft.addBlame(open.draft.addSlot({ root: row, service: 'db', operation: 'SELECT' }), 1, Phase.gc, 1)
  open.draft.freeRow(row)
  expect(await open.scrape()).not.toContain('culprit_operation="SELECT"')
})

test('a row given out again starts at 0, its first-use series with it', async () => {
  const row = addBuy()
  open.clock.nowMs += 60_000
  await open.scrape()
  open.clock.nowMs += 60_000
  expect(await evidence('gc')).toBe(0.001)
  open.draft.freeRow(row)
  addBuy()
  expect(await evidence('gc')).toBe(0)
  open.clock.nowMs += 30_000
  expect(await evidence('gc')).toBe(0.001)
})

test('while it drains, even the youngest row shows its true values', async () => {
  addBuy()
  expect(await count()).toBe(0)
  open.exposer.drain()
  expect(await count()).toBe(1)
  expect(await evidence('gc')).toBe(0.001)
})

test('no exemplar hangs on a bucket that still shows 0', async () => {
  const row = addBuy()
  open.draft.setExemplar(row, { traceId: [1, 2, 3, 4], ns: 2_000_000, atMs: 5 })
  expect(await open.scrape(OPENMETRICS)).not.toContain('trace_id')
  open.clock.nowMs += 30_000
  expect(await open.scrape(OPENMETRICS)).toContain('trace_id')
})

test('a first scrape as protobuf counts as first for the text formats', async () => {
  const row = addBuy()
  open.clock.nowMs += 60_000
  open.draft.addRequest(row, { ...request, phases: [[Phase.network, Grade.measured, 2_000_000]] })
  await open.scrape(PROTOBUF)
  open.clock.nowMs += 30_000
  expect(await evidence('network')).toBe(0.002)
})
