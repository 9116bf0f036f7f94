import { expect, test } from '@jest/globals'
import { summarizeBudgets } from '../../../../src/explain/index.ts'
import { BudgetResult, WHOLE_REQUEST } from '../../../../src/model/budgets.ts'
import { Phase } from '../../../../src/model/phases.ts'
import { draftTables, type TableDraft } from '../../../builders/tail-tables.ts'

const p99 = { name: 'p99', phase: WHOLE_REQUEST, thresholdNs: 250_000_000, allowedRatio: 0.01 }
const gcP95 = { name: 'p95:gc', phase: Phase.gc, thresholdNs: 5_000_000, allowedRatio: 0.05 }

function see(draft: TableDraft, row: number, within: number, over: number): void {
  for (let i = 0; i < within; i++) draft.addBudgeted(row, BudgetResult.within, Phase.processing, 10_000_000)
  for (let i = 0; i < over; i++) draft.addBudgeted(row, BudgetResult.over, Phase.queueWait, 300_000_000)
}

test('each operation and target with its shares, what it mostly lost to, and those first that spend fastest', () => {
  const draft = draftTables()
  const [buy, list] = [draft.addOperation('shop', 'POST /buy'), draft.addOperation('shop', 'GET /list')]
  draft.setBudgets([{ service: 'shop', operation: '*', targets: [p99, gcP95] }])
  see(draft, draft.addTarget({ operation: list, target: p99 }), 199, 1)
  see(draft, draft.addTarget({ operation: buy, target: gcP95 }), 19, 1)
  see(draft, draft.addTarget({ operation: buy, target: p99 }), 98, 2)
  const { window_seconds: seconds, budgets, states } = summarizeBudgets(draft.tables, draft.strings)
  const whole = { budget: 'p99', phase: null, threshold_ns: 250_000_000, allowed_ratio: 0.01 }
  const ofGc = { budget: 'p95:gc', phase: 'gc', threshold_ns: 5_000_000, allowed_ratio: 0.05 }
  expect(seconds).toBe(600)
  expect(budgets).toEqual([{ service: 'shop', operation: '*', operations: 2, targets: [whole, ofGc] }])
  const shares = (within: number, over: number): object => {
    const share = { within, over, over_ratio: over / (within + over) }
    return { recent: share, total: share, dominant: 'queue_wait' }
  }
  expect(states).toEqual([
    { service: 'shop', operation: 'POST /buy', ...whole, state: 'over', ...shares(98, 2) },
    { service: 'shop', operation: 'POST /buy', ...ofGc, state: 'within', ...shares(19, 1) },
    { service: 'shop', operation: 'GET /list', ...whole, state: 'within', ...shares(199, 1) }
  ])
})

test('below the number of requests of which one may be over it says too_few, whatever they did', () => {
  const draft = draftTables()
  const row = draft.addTarget({ operation: draft.addOperation('shop', 'GET /'), target: p99 })
  const state = (): unknown => summarizeBudgets(draft.tables, draft.strings).states[0]
  expect(state()).toMatchObject({ state: 'too_few', recent: { over_ratio: null }, dominant: null })
  see(draft, row, 90, 9)
  expect(state()).toMatchObject({ state: 'too_few', recent: { over_ratio: 9 / 99 } })
  see(draft, row, 1, 0)
  expect(state()).toMatchObject({ state: 'over' })
})

test('what leaves the window is no longer recent, but still counted', () => {
  const draft = draftTables()
  const row = draft.addTarget({ operation: draft.addOperation('shop', 'GET /'), target: p99 })
  see(draft, row, 98, 2)
  draft.budgets.advance(600_000)
  expect(summarizeBudgets(draft.tables, draft.strings).states[0]).toMatchObject({
    state: 'too_few',
    recent: { within: 0, over: 0, over_ratio: null },
    total: { within: 98, over: 2 }
  })
})
