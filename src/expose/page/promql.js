import { h } from './dom.js'

/** @typedef {(selector: string) => string} Sum how a counter is added up: since it began, or lately */
/** @typedef {{ title: string, says: string, query: (sum: Sum) => string, moment?: true }} Question */

/**
 * A selector with its values as Prometheus reads them; JSON's escapes are a part of Go's.
 * @param {string} name
 * @param {Record<string, string>} labels
 * @returns {string}
 */
function selector(name, labels) {
  const matchers = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return `${name}{${matchers.join(',')}}`
}

/**
 * @param {Sum} sum
 * @param {Record<string, string>} of
 * @param {string | undefined} phase
 * @param {'tail' | 'body'} part
 * @returns {string}
 */
function mean(sum, of, phase, part) {
  const band = part === 'tail' ? 'gt_p99' : 'le_p50'
  const seconds = sum(selector('tail_phase_seconds_total', { ...of, band, ...(phase !== undefined && { phase }) }))
  const requests = { ...of, band, ...(part === 'body' && { outcome: 'ok' }) }
  return `${seconds}\n  / ${sum(selector('tail_requests_total', requests))}`
}

/**
 * Every number of the page has one of these.
 * @param {string} kind
 * @param {Record<string, string>} about service, operation, and what else the kind needs
 * @returns {Question | undefined}
 */
export function questionOf(kind, about) {
  const { service = '', operation = '', pattern = '', phase, quantile, band, grade, culprit = '', at = '' } = about
  const of = { service_name: service, operation }
  switch (kind) {
    case 'requests':
      return {
        title: 'Requests',
        says: 'Requests of this operation, whatever their outcome.',
        query: (sum) => sum(selector('tail_requests_total', { ...of, ...(band !== undefined && { band }) }))
      }
    case 'threshold':
      return {
        title: `Duration at p${Number(quantile) * 100}`,
        says: 'Where the bands begin now. A threshold is never summed; over replicas take the largest.',
        query: () => `max(${selector('tail_band_threshold_seconds', { ...of, quantile: quantile ?? '' })})`,
        moment: true
      }
    case 'body':
    case 'tail':
      return {
        title: kind === 'body' ? 'Mean of a usual request' : 'Mean of a slow request',
        says: kind === 'body' ? 'Requests at or below p50 that went well.' : 'Requests above p99.',
        query: (sum) => mean(sum, of, phase, kind)
      }
    case 'excess':
      return {
        title: 'Tail excess',
        says: 'Mean of a request above p99 minus mean of one at or below p50.',
        query: (sum) => `${mean(sum, of, phase, 'tail')}\n- ${mean(sum, of, phase, 'body')}`
      }
    case 'grade':
      return {
        title: `How sure: ${grade ?? ''}`,
        says: 'Time of requests above p99 by how sure its phase is, per request.',
        query: (sum) =>
          `${sum(selector('tail_phase_evidence_seconds_total', { ...of, phase: phase ?? '', grade: grade ?? '' }))}\n  / ${sum(selector('tail_requests_total', { ...of, band: 'gt_p99' }))}`
      }
    case 'budget':
    case 'budget-total':
    case 'budget-requests':
    case 'budget-threshold':
    case 'budget-allowed':
      return questionOfBudget(kind, { ...of, budget: about['budget'] ?? '' })
    case 'pattern': {
      /** @param {Sum} sum @param {string} band @param {Record<string, string>} more */
      const part = (sum, band, more) =>
        `${sum(selector('tail_pattern_seconds_total', { ...of, pattern, band }))}\n  / ${sum(selector('tail_requests_total', { ...of, band, ...more }))}`
      return {
        title: `Time of a ${pattern}`,
        says: 'What it cost a request above p99 on average, minus the same of one at or below p50.',
        query: (sum) => `${part(sum, 'gt_p99', {})}\n- ${part(sum, 'le_p50', { outcome: 'ok' })}`
      }
    }
    case 'pattern-share':
      return {
        title: `Requests with a ${pattern}`,
        says: 'Their share of the requests above p99.',
        query: (sum) =>
          `${sum(selector('tail_pattern_requests_total', { ...of, pattern, band: 'gt_p99' }))}\n  / ${sum(selector('tail_requests_total', { ...of, band: 'gt_p99' }))}`
      }
    case 'blame': {
      const root = { root_service_name: service, root_operation: operation }
      const who = { culprit_service_name: culprit, culprit_operation: at, ...(phase !== undefined && { phase }) }
      /** @param {Sum} sum @param {string} of @param {Record<string, string>} more */
      const part = (sum, of, more) =>
        `${sum(selector('tail_blame_seconds_total', { ...root, ...who, band: of }))}\n  / ${sum(selector('tail_requests_total', { service_name: service, operation, band: of, ...more }))}`
      return {
        title: 'Blame',
        says: 'Critical-path time of this operation spent by that culprit: tail minus body, per request.',
        query: (sum) => `${part(sum, 'gt_p99', {})}\n- ${part(sum, 'le_p50', { outcome: 'ok' })}`
      }
    }
    case 'then-requests':
    case 'then-quantile':
    case 'then-body':
    case 'then-tail':
      return questionOfThen(kind, of, about)
    default:
      return undefined
  }
}

/**
 * @param {string} kind
 * @param {Record<string, string>} target
 * @returns {Question}
 */
function questionOfBudget(kind, target) {
  const requests = 'tail_budget_requests_total'
  /** @param {Sum} sum */
  const over = (sum) =>
    `${sum(selector(requests, { ...target, result: 'over' }))}\n  / ${sum(selector(requests, target))}`
  const title = `Over the target ${target['budget'] ?? ''}`
  const says = 'Share of the requests over the target. Alerts compare it with the share that is allowed.'
  switch (kind) {
    case 'budget':
      return { title, says, query: () => over(lately), moment: true }
    case 'budget-requests': {
      const query = () => `sum(increase(${selector(requests, target)}[10m]))`
      return {
        title: 'Requests against the target',
        says: 'Failures count only where they are over.',
        query,
        moment: true
      }
    }
    case 'budget-threshold': {
      const query = () => `max(${selector('tail_budget_threshold_seconds', target)})`
      return { title: 'The target', says: 'As in the settings; every replica says it.', query, moment: true }
    }
    case 'budget-allowed': {
      const query = () => `max(${selector('tail_budget_allowed_ratio', target)})`
      return {
        title: 'Allowed over the target',
        says: 'As in the settings; every replica says it.',
        query,
        moment: true
      }
    }
    default:
      return { title, says, query: over }
  }
}

/**
 * A number of a stretch of time: the same from Prometheus, at the moment when the stretch ended.
 * @param {string} kind
 * @param {Record<string, string>} of
 * @param {Record<string, string>} about from and to in ms since 1970, quantile, phase
 * @returns {Question}
 */
function questionOfThen(kind, of, { from = '0', to = '0', quantile = '', phase }) {
  const seconds = Math.max(1, Math.round((Number(to) - Number(from)) / 1e3))
  /** @param {string} selector */
  const increase = (selector) => `increase(${selector}[${seconds}s] @ ${Math.round(Number(to) / 1e3)})`
  /** @type {Sum} */
  const sum = (selector) => `sum(${increase(selector)})`
  const says = `From ${new Date(Number(from)).toLocaleString()} to ${new Date(Number(to)).toLocaleString()}.`
  if (kind === 'then-requests') {
    return { title: 'Requests', says, query: () => sum(selector('tail_requests_total', of)), moment: true }
  }
  if (kind === 'then-quantile') {
    const buckets = selector('tail_request_duration_seconds_bucket', of)
    return {
      title: `Duration at p${Number(quantile) * 100}`,
      says: `${says} From the histogram's fourteen buckets: coarser than the sketch that this page reads.`,
      query: () => `histogram_quantile(${quantile}, sum by (le) (${increase(buckets)}))`,
      moment: true
    }
  }
  const part = kind === 'then-tail' ? 'tail' : 'body'
  const title = part === 'tail' ? 'Mean of a slow request' : 'Mean of a usual request'
  return { title, says, query: () => mean(sum, of, phase, part), moment: true }
}

/** @type {Sum} */
const sinceBegin = (selector) => `sum(${selector})`
/** @type {Sum} */
const lately = (selector) => `sum(rate(${selector}[10m]))`

/**
 * A number that shows its query when it is pressed.
 * @param {string} kind
 * @param {Record<string, string>} about
 * @param {...(Node | string)} children
 */
export function number(kind, about, ...children) {
  const data = Object.fromEntries(Object.entries(about).map(([name, value]) => [`data-${name}`, value]))
  return h(
    'button.q',
    { type: 'button', 'data-q': kind, title: 'Show the PromQL of this number', ...data },
    ...children
  )
}

/** @type {Promise<string | null> | undefined} */
let prometheus

/** Where Prometheus is, if the settings say; asked once. */
async function findPrometheus() {
  try {
    const answer = await fetch('api/v1/links')
    return /** @type {{ prometheus: string | null }} */ (await answer.json()).prometheus
  } catch {
    // The query can still be copied.
    return null
  }
}

/**
 * A query as a page of Prometheus shows it.
 * @param {string} url
 * @param {string} query
 */
export const graphUrl = (url, query) =>
  `${url.replace(/\/+$/, '')}/graph?${String(new URLSearchParams({ 'g0.expr': query, 'g0.tab': '1' }))}`

/** @param {HTMLDialogElement} dialog */
async function linkToPrometheus(dialog) {
  const url = await (prometheus ??= findPrometheus())
  if (url === null) return
  for (const shown of dialog.querySelectorAll('.with-copy')) {
    const href = graphUrl(url, shown.querySelector('code')?.textContent ?? '')
    shown.append(h('a', { href, target: '_blank', rel: 'noopener' }, 'Open in Prometheus'))
  }
}

/**
 * Shows the queries of a number.
 * @param {HTMLDialogElement} dialog
 * @param {Question} question
 */
export function showQuestion(dialog, { title, says, query, moment }) {
  const parts =
    moment === true
      ? [['Now', query(sinceBegin)]]
      : [
          ['As on this page: since the counter began', query(sinceBegin)],
          ['Over the last 10 minutes', query(lately)]
        ]
  dialog.replaceChildren(
    h('h2', { id: 'query-title' }, title),
    h('p.note', {}, says),
    ...parts.flatMap(([label = '', text = '']) => [h('h3', {}, label), copyable(text)]),
    h('form.dialog-end', { method: 'dialog' }, h('button.quiet', {}, 'Close'))
  )
  dialog.showModal()
  void linkToPrometheus(dialog)
}

/**
 * Text to take away.
 * @param {string} text
 */
export function copyable(text) {
  return h(
    'div.with-copy',
    {},
    h('pre', { tabindex: 0 }, h('code', {}, text)),
    h('button.quiet', { type: 'button', 'data-copy': true }, 'Copy')
  )
}

/**
 * Copies the text beside a pressed button; where the browser forbids it, selects it.
 * @param {HTMLElement} button
 */
export async function copyBeside(button) {
  const text = button.parentElement?.querySelector('code')
  if (text === null || text === undefined) return
  try {
    await navigator.clipboard.writeText(text.textContent)
    button.textContent = 'Copied'
  } catch {
    getSelection()?.selectAllChildren(text)
    button.textContent = 'Selected: press Ctrl+C'
  }
}
