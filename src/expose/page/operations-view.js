import { budgetNote } from './budgets.js'
import { h, setText } from './dom.js'
import { count, duration, percent } from './format.js'
import { live } from './live.js'
import { number } from './promql.js'
import { phaseChip, phaseGradient, phaseLegend, phaseWords } from './phases.js'
import { emptyView } from './empty-view.js'
import { operationUrl } from './routes.js'

/**
 * @typedef {[service: string, operation: string, kind: string, requests: number, p50: number | null, p99: number | null,
 *   dominant: string | null, body: number[] | null, tail: number[] | null, culprit: Culprit | null,
 *   budget: import('./budgets.js').Spent | null]} OperationRow
 * @typedef {[service: string, operation: string, phase: string, share: number]} Culprit
 * @typedef {{ version: string, otlp: { grpc: number, http: number }, spans_received: number, total: number,
 *   operations: OperationRow[] }} Overview
 * @typedef {{ element: HTMLElement, update: (row: OperationRow) => void }} RowView
 */

const FILTER_WAIT_MS = 150
const NEW_ROWS_MAX = 60

/**
 * Operations by tail excess.
 * @param {import('./main.js').ViewTools} tools
 * @param {URLSearchParams} query
 */
export function operationsView({ root, state, replaceQuery }, query) {
  const filter = /** @type {HTMLInputElement} */ (
    h('input', {
      type: 'search',
      id: 'filter',
      placeholder: 'Filter by service or name   /',
      'aria-label': 'Filter operations'
    })
  )
  filter.value = query.get('filter') ?? ''
  const note = h('p.note', { role: 'status' })
  const body = h('tbody', {})
  const page = h(
    'div',
    {},
    h('div.heading', {}, h('div', {}, h('h1', {}, 'Operations'), note), h('label.filter', {}, filter)),
    phaseLegend(),
    h('table.operations', {}, head(), body)
  )
  /** @type {Map<string, RowView>} */
  const rows = new Map()
  /** @type {Overview | undefined} */
  let latest
  /** @type {number | undefined} */
  let waiting
  let asked = ''
  let frame = 0

  /** Those that the service did not send for lack of room must be asked for by name. */
  const wanted = () => filter.value.trim().toLowerCase()
  const url = () => {
    asked = latest !== undefined && latest.total > latest.operations.length ? wanted() : asked === '' ? '' : wanted()
    return `api/v1/overview${asked === '' ? '' : `?filter=${encodeURIComponent(asked)}`}`
  }

  const polling = live(url, {
    state,
    /** @param {Overview} overview */
    data(overview) {
      latest = overview
      show()
    }
  })

  function show() {
    if (latest === undefined) return
    if (latest.total === 0 && asked === '') {
      root.replaceChildren(emptyView(latest))
      return
    }
    if (!page.isConnected) root.replaceChildren(page)
    const { operations, total } = latest
    const shown = operations.filter(([service, operation]) =>
      `${service} ${operation}`.toLowerCase().includes(wanted())
    )
    setText(note, noteOf(shown.length, operations.length, total))
    arrange(shown)
  }

  /**
   * Rows that are new come some at a time, so that the first screen need not wait for the last.
   * @param {OperationRow[]} shown
   */
  function arrange(shown) {
    cancelAnimationFrame(frame)
    const focused = document.activeElement
    const keys = new Set()
    let made = 0
    let at = body.firstElementChild
    for (const row of shown) {
      const key = JSON.stringify([row[0], row[1]])
      keys.add(key)
      let view = rows.get(key)
      if (view === undefined) {
        if (++made > NEW_ROWS_MAX) {
          frame = requestAnimationFrame(show)
          break
        }
        rows.set(key, (view = rowView(row)))
      }
      view.update(row)
      if (view.element === at) at = at.nextElementSibling
      else body.insertBefore(view.element, at)
    }
    for (const [key, view] of rows) {
      if (keys.has(key)) continue
      view.element.remove()
      // What the service no longer knows is forgotten; what only the filter hides comes back as it was.
      if (!latest?.operations.some((row) => JSON.stringify([row[0], row[1]]) === key)) rows.delete(key)
    }
    if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) focused.focus()
  }

  filter.addEventListener('input', () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => {
      replaceQuery({ filter: filter.value.trim() })
      show()
      if (latest !== undefined && (latest.total > latest.operations.length || asked !== '')) polling.now()
    }, FILTER_WAIT_MS)
  })
  page.addEventListener('keydown', (event) => {
    moveFocus(event, body, filter)
  })
  return {
    title: 'Operations',
    focusFilter: () => {
      filter.focus()
    },
    stop() {
      clearTimeout(waiting)
      cancelAnimationFrame(frame)
      polling.stop()
    }
  }
}

/**
 * @param {number} shown
 * @param {number} sent
 * @param {number} total
 * @returns {string}
 */
function noteOf(shown, sent, total) {
  const order = 'The ones whose slow requests lose the most come first.'
  if (sent < total) return `${count(shown)} of ${count(total)}; a filter finds the rest. ${order}`
  return shown < sent ? `${count(shown)} of ${count(total)}. ${order}` : `${count(total)} in all. ${order}`
}

function head() {
  const columns = [
    ['Operation', ''],
    ['Requests', 'number'],
    ['p50', 'number'],
    ['p99', 'number'],
    ['Tail excess', 'number'],
    ['A usual request, and a slow one', ''],
    ['Mostly lost to', '']
  ]
  return h('thead', {}, h('tr', {}, ...columns.map(([text, kind]) => h('th', { scope: 'col', class: kind }, text))))
}

/**
 * @param {OperationRow} first
 * @returns {RowView}
 */
function rowView([service, operation, kind]) {
  const about = { service, operation }
  const requests = number('requests', about)
  const p50 = number('threshold', { ...about, quantile: '0.5' })
  const p99 = number('threshold', { ...about, quantile: '0.99' })
  const excess = number('excess', about)
  const bodyBar = h('div.body', {})
  const tailBar = h('div.tail', {})
  const bars = h('div.bars', { role: 'img' }, bodyBar, tailBar)
  const mostly = h('td', {})
  for (const button of [requests, p50, p99, excess]) button.tabIndex = -1
  const name = h('a.name', { href: operationUrl(service, operation) }, operation === '' ? '(no name)' : operation)
  const budget = budgetNote(service, operation)
  const element = h(
    'tr',
    {},
    h('td', {}, name, h('span.service', {}, service, kind === 'request' ? null : ` \u00b7 ${kind}`), budget.element),
    h('td.number', { 'data-label': 'requests' }, requests),
    h('td.number', { 'data-label': 'p50' }, p50),
    h('td.number', { 'data-label': 'p99' }, p99),
    h('td.number.excess', { 'data-label': 'excess' }, excess),
    h('td', {}, bars),
    mostly
  )
  let shownLost = ''
  return {
    element,
    update([, , , seen, half, ninetyNine, dominant, body, tail, culprit, spent]) {
      setText(requests, count(seen))
      setText(p50, duration(half))
      setText(p99, duration(ninetyNine))
      const [bodyNs, tailNs] = [sum(body), sum(tail)]
      setText(excess, body === null || tail === null ? 'too few yet' : duration(positive(body, tail)))
      const longest = Math.max(bodyNs, tailNs, 1)
      drawBar(bodyBar, body, bodyNs / longest)
      drawBar(tailBar, tail, tailNs / longest)
      bars.setAttribute(
        'aria-label',
        `usual ${duration(bodyNs)}: ${phaseWords(body ?? [])}; slow ${duration(tailNs)}: ${phaseWords(tail ?? [])}`
      )
      budget.update(spent)
      const lost = lostTo(service, operation, dominant, culprit)
      if (lost.key === shownLost) return
      shownLost = lost.key
      mostly.replaceChildren(...lost.nodes())
    }
  }
}

/**
 * The culprit of the whole trace where one is known, else the phase of the operation itself.
 * @param {string} service
 * @param {string} operation
 * @param {string | null} dominant
 * @param {Culprit | null} culprit
 */
function lostTo(service, operation, dominant, culprit) {
  if (culprit === null) return { key: `${dominant}`, nodes: () => [phaseChip(dominant)] }
  const [who, what, phase, part] = culprit
  const where = who === service && what === operation ? 'of its own' : `in ${who} ${what}`
  return {
    key: JSON.stringify(culprit),
    nodes: () => [phaseChip(phase), h('span.share', {}, ` ${percent(part)}`), h('span.service', {}, where)]
  }
}

/** @param {number[] | null} times */
const sum = (times) => (times ?? []).reduce((total, ns) => total + ns, 0)

/**
 * @param {number[]} body
 * @param {number[]} tail
 */
const positive = (body, tail) => tail.reduce((total, ns, at) => total + Math.max(0, ns - (body[at] ?? 0)), 0)

/**
 * @param {HTMLElement} bar
 * @param {number[] | null} times
 * @param {number} share
 */
function drawBar(bar, times, share) {
  bar.hidden = times === null
  if (times === null) return
  bar.style.setProperty('--fill', phaseGradient(times))
  bar.style.setProperty('--width', `${(share * 100).toFixed(1)}%`)
}

/**
 * Up and down go from row to row, left and right along the numbers of one.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} body
 * @param {HTMLElement} filter
 */
function moveFocus(event, body, filter) {
  const { target, key } = event
  if (!(target instanceof HTMLElement)) return
  const row = target.closest('tr')
  if (target === filter) {
    if (key === 'ArrowDown') focus(body.querySelector('a'))
    else return
  } else if (row === null || row.parentElement !== body) return
  else if (key === 'ArrowDown') focus(row.nextElementSibling?.querySelector('a'))
  else if (key === 'ArrowUp') focus(row.previousElementSibling?.querySelector('a') ?? filter)
  else if (key === 'ArrowRight' || key === 'ArrowLeft') {
    const stops = [...row.querySelectorAll('a, button')]
    const next = stops[stops.indexOf(target) + (key === 'ArrowRight' ? 1 : -1)]
    focus(next)
  } else return
  event.preventDefault()
}

/** @param {Element | null | undefined} element */
function focus(element) {
  if (element instanceof HTMLElement) element.focus()
}
