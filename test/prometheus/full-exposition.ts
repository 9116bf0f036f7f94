import { BudgetResult, WHOLE_REQUEST } from '../../src/model/budgets.ts'
import { PATTERNS } from '../../src/model/patterns.ts'
import { BOUNDARY_BANDS, BOUNDARY_COMPONENTS } from '../../src/model/boundaries.ts'
import { Grade, GRADES, Phase, PHASES } from '../../src/model/phases.ts'
import { BANDS, OUTCOMES, samplings } from '../../src/model/requests.ts'
import { draftTables } from '../builders/tail-tables.ts'
import { stageCounters, testExposer, type TestExposer } from '../unit/expose/exposer.ts'

export const HOSTILE_NAME = 'GET /"quoted"\\n\n{id},le="1"\u0000 日本語'
export const TRACE_ID = '0000000100000002000000030000002a'
export const OPERATIONS = 5
export const REQUESTS_EACH = 600

/** An exposer with a value in every series that it can have, now. */
export function fullExposer(): TestExposer {
  const draft = draftTables()
  const nowMs = Date.now()
  for (let i = 0; i < OPERATIONS; i++) {
    const row = draft.addOperation(`team/service-${i}`, i === 0 ? HOSTILE_NAME : `POST /things/{id}/${i}`)
    for (let request = 0; request < REQUESTS_EACH; request++) {
      const durationNs = 1_000_000 + request * 1_000_000
      draft.addRequest(row, {
        durationNs,
        band: request % BANDS,
        outcome: request % OUTCOMES,
        leadNs: request,
        phases: [[request % (PHASES - 1), request % GRADES, 500_000]]
      })
    }
    draft.adviceOf.set(row, i)
    for (let pattern = 0; pattern < PATTERNS; pattern++) draft.addPattern(row, pattern % 2, pattern, 250_000_000)
    draft.setThresholds(row, [0.3e9, 0.57e9, 0.594e9, 0.6e9])
    draft.setExemplar(row, { traceId: [1, 2, 3, 42], ns: 600_000_000, atMs: nowMs })
    const slot = draft.addSlot({ root: row, service: 'database', operation: 'SELECT things' })
    draft.addBlame(slot, 0, Phase.processing, 1_000_000)
    draft.addBlame(slot, 1, Phase.gc, Grade.inferred)
    const target = { name: 'p99', phase: WHOLE_REQUEST, thresholdNs: 250_000_000, allowedRatio: 0.01 }
    const budget = draft.addTarget({ operation: row, target })
    draft.addBudgeted(budget, BudgetResult.within, Phase.processing, 1_000_000)
    draft.addBudgeted(budget, BudgetResult.over, Phase.queueWait, 300_000_000)
    for (let component = 0; component < BOUNDARY_COMPONENTS; component++) {
      const edge = {
        edge: i,
        caller: `team/service-${i}`,
        callee: HOSTILE_NAME,
        callerLanguage: i % 4,
        calleeLanguage: 2
      }
      draft.addBoundary({ ...edge, component, band: i % BOUNDARY_BANDS, bucket: i, ns: 1_000 })
    }
    draft.samplings.push({ service: draft.operations.service[row] as number, sampling: i % samplings.length })
  }
  draft.setBudgets([{ service: 'team/*', operation: HOSTILE_NAME, targets: [] }])
  const open = testExposer({
    draft,
    settings: { zeroFirstMs: 0 },
    sources: {
      counters: [stageCounters()],
      memory: () => ({ spans: 1, strings: 2 }),
      pressure: () => ({ causes: ['memory'], memoryLimitBytes: 1024 }),
      clockOffsets: () => [{ from: 'node-a', to: 'node-b', seconds: 0.003 }]
    }
  })
  open.clock.nowMs = nowMs
  return open
}
