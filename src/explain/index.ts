export { type BudgetsSummary, summarizeBudgets } from './budgets/summary.ts'
export { type BudgetWordsTools, budgetWarnings, describeBudgets, durationWords } from './budgets/words.ts'
export { type AdviceSummary } from './advice.ts'
export { type BoundarySummary, summarizeBoundaries } from './boundary-summary.ts'
export { explainCounters } from './counters.ts'
export { createDurationStore, type DurationStore } from './exact-quantiles.ts'
export { createExplainer, type Explainer, type ExplainTables, type ExplainTools } from './explainer.ts'
export { type Learned as ExplainLearned } from './learned.ts'
export { createPublishedBands, type JudgedRequests, type PublishedBands } from './published-bands.ts'
export { budgetsSection, explainSection, explainSettings, type ExplainSettings } from './settings.ts'
export {
  type BlameSummary,
  type OperationSummary,
  summarize,
  summarizeBlame,
  summarizeOperations,
  type TailSummary
} from './summary.ts'
