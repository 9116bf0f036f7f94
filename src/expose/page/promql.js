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
  const { service = '', operation = '', phase, quantile, band, grade, culprit = '', at = '' } = about
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
    default:
      return undefined
  }
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
