import { type Budget } from '../../model/budgets.ts'
import { compileGlob } from '../../runtime/glob.ts'
import { type Strings } from '../../runtime/strings.ts'

/** Which budget is an operation's: the most specific of those that match. */
export interface BudgetChoice {
  /** Index of the budget, -1 without one. */
  readonly of: (service: number, operation: number) => number
  /** Ids may be given out again: forgets what was found for them. */
  readonly forget: () => void
}

/** Answers remembered: a flood of names without rows asks again and again. A power of two. */
const REMEMBERED = 4_096

export function createBudgetChoice(budgets: readonly Budget[], strings: Strings): BudgetChoice {
  const ranked = [...budgets.entries()]
    .sort(([i, a], [j, b]) => bySpecificity(a, b) || i - j)
    .map(([index, budget]) => ({
      index,
      service: compileGlob(budget.service),
      operation: compileGlob(budget.operation)
    }))
  const services = new Uint32Array(REMEMBERED)
  const operations = new Uint32Array(REMEMBERED)
  /** Index + 2, so that 0 is nothing remembered. */
  const found = new Uint32Array(REMEMBERED)

  function find(service: number, operation: number): number {
    const [serviceName, operationName] = [strings.text(service), strings.text(operation)]
    const chosen = ranked.find((budget) => budget.service(serviceName) && budget.operation(operationName))
    return chosen?.index ?? -1
  }

  return {
    of(service, operation) {
      if (ranked.length === 0) return -1
      const place = (Math.imul(service, 0x9e3779b1) ^ operation) & (REMEMBERED - 1)
      if (found[place] === 0 || services[place] !== service || operations[place] !== operation) {
        services[place] = service
        operations[place] = operation
        found[place] = find(service, operation) + 2
      }
      return (found[place] as number) - 2
    },
    forget() {
      found.fill(0)
    }
  }
}

/** Below 0 when `a` wins where both match: by service first, then by operation. The one written first wins a draw. */
export function bySpecificity(a: Budget, b: Budget): number {
  return (
    globSpecificity(b.service) - globSpecificity(a.service) ||
    globSpecificity(b.operation) - globSpecificity(a.operation)
  )
}

/** A name beats every pattern; of patterns the one that spells out more. */
function globSpecificity(glob: string): number {
  return glob.includes('*') ? glob.replaceAll('*', '').length : Infinity
}
