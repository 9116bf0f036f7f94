import { type BudgetQuantile } from '../model/budgets.ts'
import { type AnalyzeOptions, summarizeFiles } from './analyze.ts'
import { observedByService } from './suggest-budgets/from-service.ts'
import { type Observed, suggest } from './suggest-budgets/suggestion.ts'
import { budgetsYaml } from './suggest-budgets/yaml-text.ts'

export interface SuggestBudgetsOptions extends Omit<AnalyzeOptions, 'json' | 'explain'> {
  /** Address of a running service's metrics, instead of files. */
  readonly from?: string
  readonly quantiles: readonly BudgetQuantile[]
}

const NOTHING_SEEN = 1

/** Prints budgets that what was seen would keep, as YAML for the settings file. Gives the exit code. */
export async function suggestBudgets(options: SuggestBudgetsOptions): Promise<number> {
  const { from, files, quantiles, output } = options
  const observed = from === undefined ? await observedInFiles(options) : await observedByService(from, options)
  if (observed === undefined) return NOTHING_SEEN
  output.write(budgetsYaml(suggest(observed, quantiles), from ?? files.join(', ')))
  output.flush()
  return 0
}

async function observedInFiles(options: SuggestBudgetsOptions): Promise<Observed[] | undefined> {
  const summary = await summarizeFiles(options)
  return summary?.operations.map(
    ({ service, operation, class: kind, requests, quantiles_ns: { p50, p95, p99, p999 } }) => ({
      service,
      operation,
      class: kind,
      requests,
      quantilesNs: { p50, p95, p99, 'p99.9': p999 }
    })
  )
}
