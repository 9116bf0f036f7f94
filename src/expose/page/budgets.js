import { h, setText } from './dom.js'
import { count, duration, percent } from './format.js'
import { phaseChip, phaseWord } from './phases.js'
import { number } from './promql.js'

/**
 * @typedef {[budget: string, state: string, over: number | null, allowed: number]} Spent of an operation's targets the one spent fastest
 * @typedef {{ within: number, over: number, over_ratio: number | null }} Shares
 * @typedef {{ service: string, operation: string, budget: string, phase: string | null, threshold_ns: number,
 *   allowed_ratio: number, state: string, recent: Shares, total: Shares, dominant: string | null }} BudgetState
 */

/**
 * A line about an operation's budget, which is made when there is one.
 * @param {string} service
 * @param {string} operation
 */
export function budgetNote(service, operation) {
  const element = h('span.budget', {})
  /** @type {HTMLElement | undefined} */
  let button
  return {
    element,
    /** @param {Spent | null} spent */
    update(spent) {
      if (spent === null) {
        element.replaceChildren()
        button = undefined
        return
      }
      const [budget, state, over, allowed] = spent
      if (button === undefined) {
        button = number('budget', { service, operation, budget })
        button.tabIndex = -1
        element.replaceChildren(button)
      }
      button.dataset['budget'] = budget
      element.classList.toggle('over', state === 'over')
      setText(button, noteOf(budget, state, over, allowed))
    }
  }
}

/**
 * @param {string} budget
 * @param {string} state
 * @param {number | null} over
 * @param {number} allowed
 */
function noteOf(budget, state, over, allowed) {
  if (state === 'too_few') return `${budget} budget: too few requests lately`
  return `${state === 'over' ? 'over' : 'within'} its ${budget} budget: ${percent(over)}, allowed ${percent(allowed)}`
}

/**
 * How an operation keeps its targets.
 * @param {readonly BudgetState[]} budgets
 */
export function budgetsCard(budgets) {
  if (budgets.length === 0) return null
  return h(
    'section.card',
    { 'data-key': 'budgets' },
    h('h2', {}, 'Its latency budget'),
    h(
      'p.note',
      {},
      'Shares of the requests that took longer; lately is the last ten minutes, unless the settings say otherwise.'
    ),
    h(
      'table.budgets',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, 'Target'),
          ...['allowed', 'lately', 'of requests'].map((text) => h('th.number', { scope: 'col' }, text)),
          h('th.number.fold', { scope: 'col' }, 'since it began'),
          h('th', { scope: 'col' }, 'mostly')
        )
      ),
      h('tbody', {}, ...budgets.map(budgetRow))
    )
  )
}

/** @param {BudgetState} state */
function budgetRow({ service, operation, budget, phase, threshold_ns: ns, allowed_ratio: allowed, ...kept }) {
  const about = { service, operation, budget }
  const { state, recent, total, dominant } = kept
  const [quantile] = budget.split(':')
  return h(
    'tr',
    { 'data-key': budget },
    h(
      'th',
      { scope: 'row' },
      `${quantile ?? ''}${phase === null ? '' : ` of ${phaseWord(phase)}`} within `,
      number('budget-threshold', about, duration(ns))
    ),
    h('td.number', {}, number('budget-allowed', about, percent(allowed))),
    h(
      'td.number',
      {},
      h(
        `span.verdict-${state === 'over' ? 'over' : 'within'}`,
        {},
        number('budget', about, percent(recent.over_ratio))
      ),
      state === 'too_few' ? h('span.muted', {}, ' too few to say') : null
    ),
    h('td.number', {}, number('budget-requests', about, count(recent.within + recent.over))),
    h('td.number.fold', {}, number('budget-total', about, percent(total.over_ratio))),
    h('td', {}, total.over === 0 ? h('span.muted', {}, '\u2013') : phaseChip(dominant))
  )
}
