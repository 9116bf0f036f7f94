import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from '@jest/globals'
import { BudgetResult, WHOLE_REQUEST } from '../../../src/model/budgets.ts'
import { Pattern } from '../../../src/model/patterns.ts'
import { Advice } from '../../../src/model/advice.ts'
import { BoundaryBand, BoundaryComponent } from '../../../src/model/boundaries.ts'
import { Grade, Phase } from '../../../src/model/phases.ts'
import { Band, Outcome, Sampling } from '../../../src/model/requests.ts'
import { Language } from '../../../src/model/spans.ts'
import { draftTables, type TableDraft } from '../../builders/tail-tables.ts'
import { OPENMETRICS, stageCounters, testExposer, type TestExposer } from './exposer.ts'

let open: TestExposer | undefined
afterEach(() => open?.exposer.app.close())

/** Of series that differ from run to run (the process's own, its own durations) nothing is compared. */
const unsteady = /^(# (HELP|TYPE|UNIT) )?(process_|nodejs_|tail_scrape|tail_ingest)/

const story = `Scenario: POST /buy of shop/cart was called three times, and waited once for 4 s before it began.
  10 ms, ok, half of it processing (inferred), half downstream (measured)           -> le_p50
  10 ms, ok, standing for 2 sampled requests, all of it unattributed                -> p50_p95
   2 s, timeout, 1.5 s queue_wait (measured), 0.4 s gc (estimated), rest unattributed -> gt_p99, exemplar
Its budget allows 1 % over 250 ms: the slow one is over it, and of queue_wait (20 ms) too.
In the slow one, 1.25 s of the critical path were spent by db, in its own queue, 1 s of that before a retry.
It calls a Rust library in its process: handing over took 40 us in the body once, 7.5 ms in the tail once.
Everything is an hour old and was scraped before, so all values show.
`

function fill(draft: TableDraft): void {
  const row = draft.addOperation('shop/cart', 'POST /buy')
  draft.operations.live[0] = 0
  draft.addRequest(row, {
    durationNs: 10_000_000,
    band: Band.leP50,
    phases: [
      [Phase.processing, Grade.inferred, 5_000_000],
      [Phase.downstream, Grade.measured, 5_000_000]
    ]
  })
  draft.addRequest(row, { durationNs: 10_000_000, band: Band.p50P95, weight: 2 })
  draft.addRequest(row, {
    durationNs: 2_000_000_000,
    band: Band.gtP99,
    outcome: Outcome.timeout,
    leadNs: 4_000_000_000,
    phases: [
      [Phase.queueWait, Grade.measured, 1_500_000_000],
      [Phase.gc, Grade.estimated, 400_000_000]
    ]
  })
  draft.operations.partial[row] = 1
  draft.addPattern(row, 1, Pattern.retry, 1_000_000_000)
  draft.adviceOf.set(row, Advice.enableBusyNs)
  draft.setThresholds(row, [10_000_000, 50_000_000, 1_000_000_001, NaN])
  draft.setExemplar(row, { traceId: [0x0af7, 1, 2, 0xffffffff], ns: 2_000_000_000, atMs: 1_700_000_000_123 })
  const slot = draft.addSlot({ root: row, service: 'db', operation: 'SELECT' })
  draft.addBlame(slot, 1, Phase.queueWait, 1_250_000_000)
  const targets = [
    { name: 'p99', phase: WHOLE_REQUEST, thresholdNs: 250_000_000, allowedRatio: 0.01 },
    { name: 'p99:queue_wait', phase: Phase.queueWait, thresholdNs: 20_000_000, allowedRatio: 0.005 }
  ]
  draft.setBudgets([{ service: 'shop/*', operation: 'POST /*', targets }])
  for (const target of targets) {
    const budget = draft.addTarget({ operation: row, target })
    draft.addBudgeted(budget, BudgetResult.within, Phase.processing, 10_000_000)
    draft.addBudgeted(budget, BudgetResult.over, Phase.queueWait, 1_500_000_000)
  }
  const edge = {
    edge: 0,
    caller: 'shop/cart',
    callerLanguage: Language.go,
    callee: 'shop/cart',
    calleeLanguage: Language.rust
  }
  const handedOver = { ...edge, component: BoundaryComponent.marshalling }
  draft.addBoundary({ ...handedOver, band: BoundaryBand.body, bucket: 0, ns: 40_000 })
  draft.addBoundary({ ...handedOver, band: BoundaryBand.tail, bucket: 4, ns: 7_500_000 })
  draft.samplings.push({ service: draft.operations.service[row] as number, sampling: Sampling.ratio })
}

test.each([
  ['text', 'text/plain', 'exposition.text.txt'],
  ['openmetrics', OPENMETRICS, 'exposition.openmetrics.txt']
])('in %s the story of the golden file reads as the golden file has it', async (_format, accept, file) => {
  const draft = draftTables()
  fill(draft)
  const counters = stageCounters()
  counters.add('tail_spans_received_total', 24)
  counters.add('tail_spans_late_total', 2, 1)
  const sources = {
    counters: [counters],
    memory: () => ({ spans: 4096 }),
    clockOffsets: () => [{ from: 'node-a', to: 'node-b', seconds: -0.0025 }]
  }
  open = testExposer({ draft, sources })
  await open.scrape()
  open.clock.nowMs += 60_000
  const lines = (await open.scrape(accept)).split('\n').filter((line) => !unsteady.test(line))
  const actual = `${story}---\n${lines.join('\n')}`
  const path = new URL(file, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] !== undefined || !existsSync(path)) writeFileSync(path, actual)
  expect(actual).toBe(readFileSync(path, 'utf8'))
})
