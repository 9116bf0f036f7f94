import { h, patch } from './dom.js'
import { count, duration, percent } from './format.js'
import { live } from './live.js'
import { phaseChip, phaseLegend } from './phases.js'
import { number } from './promql.js'
import { compareUrl } from './routes.js'
import { clock, pointAt, sum, timeChart, WIDTH } from './time-chart.js'

/** @typedef {import('./time-chart.js').History} History */
/** @typedef {import('./time-chart.js').Point} Point */

/** How far back, and points for it: as fine as history is, and two for the ends. */
const ranges = /** @type {const} */ ([
  ['1h', 'hour', 60, 62],
  ['6h', '6 hours', 360, 74],
  ['24h', 'day', 1_440, 98]
])
const MINUTE_MS = 60_000
const COMPARED_MINUTES = 15

/**
 * What an operation did over the last hours. Left and right move through time; what is there then stands below.
 * @param {import('./main.js').ViewTools} tools
 * @param {{ service: string, operation: string, range: string }} about
 */
export function historyCard({ replaceQuery }, { service, operation, range: asked }) {
  let range = rangeOf(asked)
  /** @type {History | undefined} */
  let history
  /** @type {number | undefined} */
  let chosen
  const element = h('section.card.wide', { 'aria-label': 'Over the last hours' })
  const polling = live(url, {
    state: () => undefined,
    /** @param {History} answer */
    data(answer) {
      // The cursor stays on its time, not on its place in the list.
      const at = chosen === undefined ? undefined : history?.points[chosen]?.from_unix_ms
      history = answer
      chosen = at === undefined ? undefined : answer.points.findIndex(({ to_unix_ms: to }) => to > at)
      if (chosen === -1) chosen = undefined
      render()
    },
    missing() {
      if (history === undefined) patch(element, h('section.card.wide', {}, ...waiting()))
    }
  })

  function url() {
    const [, , minutes, points] = range
    const from = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - minutes * MINUTE_MS
    const query = { service, operation, from_unix_ms: String(from), points: String(points) }
    return `api/v1/history?${String(new URLSearchParams(query))}`
  }

  function render() {
    if (history === undefined) return
    const isFirst = element.querySelector('.over-time') === null
    patch(element, h('section.card.wide', { 'aria-label': 'Over the last hours' }, ...content(history)))
    // Where the chart is wider than the screen, the present is what one looks at first.
    if (isFirst) element.querySelector('.chart-hold')?.scrollTo({ left: WIDTH })
  }

  /** @param {History} history */
  function content(history) {
    return [
      h(
        'div.card-head',
        {},
        h('h2', {}, 'Over the last hours'),
        h(
          'div.choice',
          { role: 'group', 'aria-label': 'How far back' },
          ...ranges.map(([name, word]) =>
            h('button.quiet', { type: 'button', 'data-range': name, 'aria-pressed': String(name === range[0]) }, word)
          )
        )
      ),
      h(
        'p.note',
        {},
        h('span.key-p50', {}, 'p50'),
        ' and ',
        h('span.key-p99', {}, 'p99'),
        '; below, the mean of the requests above p99 by phase. Versions are marked when they begin to answer. ',
        h('a', { href: compareUrl({ service, operation, minutes: 15, before: 60 }) }, 'Compare with an hour ago'),
        ', ',
        h('a', { href: compareUrl({ service, operation, minutes: 60, before: 1_440 }) }, 'with yesterday'),
        '.'
      ),
      h(
        'div.chart-hold',
        { tabindex: 0, role: 'group', 'aria-label': 'Chart; left and right move through time' },
        timeChart(history, chosen)
      ),
      h('p.readout', { role: 'status' }, ...readout(history)),
      phaseLegend()
    ]
  }

  /** @param {History} history */
  function readout({ points, since_unix_ms: since, from_unix_ms: from }) {
    const point = chosen === undefined ? undefined : points[chosen]
    if (point === undefined) {
      if (points.length === 0) return [since === null ? FIRST_MINUTE : 'No requests in this time.']
      const young = since !== null && since - from > 2 * MINUTE_MS
      return [young ? `Known since ${clock(since)}. ` : '', 'Point at the chart, or move with the arrow keys.']
    }
    return pointInWords(point, { service, operation })
  }

  /** @param {number | undefined} next */
  function choose(next) {
    if (history === undefined || next === chosen) return
    chosen = next === undefined ? undefined : Math.max(0, Math.min(history.points.length - 1, next))
    render()
  }

  element.addEventListener('click', (event) => {
    const pressed = event.target instanceof Element ? event.target.closest('button') : null
    const name = pressed?.dataset['range']
    if (name === undefined) return
    range = rangeOf(name)
    chosen = undefined
    replaceQuery({ service, operation, range: range[0] === '1h' ? '' : range[0] })
    polling.now()
  })
  element.addEventListener('pointermove', (event) => {
    const chart = event.target instanceof Element ? event.target.closest('.over-time') : null
    if (chart === null || history === undefined) return
    const { left, width } = chart.getBoundingClientRect()
    choose(pointAt(history, (event.clientX - left) / width))
  })
  element.addEventListener('keydown', (event) => {
    if (history === undefined || !(event.target instanceof Element) || !event.target.matches('.chart-hold')) return
    const last = history.points.length - 1
    const at = chosen ?? last + 1
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 10, PageDown: at + 10 }
    if (event.key in moves) choose(moves[/** @type {keyof moves} */ (event.key)])
    else if (event.key === 'Escape' && chosen !== undefined) choose(undefined)
    else return
    event.preventDefault()
  })
  return { element, stop: polling.stop }
}

/** @param {string} name */
const rangeOf = (name) => ranges.find(([known]) => known === name) ?? ranges[0]

const FIRST_MINUTE = 'Nothing yet: the first minute is shown when it has passed.'

const waiting = () => [h('h2', {}, 'Over the last hours'), h('p.muted', {}, FIRST_MINUTE)]

/**
 * One stretch of time; its numbers show their queries.
 * @param {Point} point
 * @param {{ service: string, operation: string }} of
 * @returns {(Node | string)[]}
 */
function pointInWords(point, of) {
  const { from_unix_ms: from, to_unix_ms: to, requests, outcomes, quantiles_ns: quantiles, tail } = point
  const about = { ...of, from: String(from), to: String(to) }
  const failed = (outcomes['error'] ?? 0) + (outcomes['timeout'] ?? 0)
  /** @type {(Node | string)[]} */
  const words = [
    h('b', {}, `${clock(from)}\u2013${clock(to)}`),
    ' ',
    number('then-requests', about, count(requests)),
    requests === 1 ? ' request' : ' requests',
    failed > 0 ? `, ${percent(failed / requests)} failed` : '',
    ', p50 ',
    number('then-quantile', { ...about, quantile: '0.5' }, duration(quantiles.p50)),
    ', p99 ',
    number('then-quantile', { ...about, quantile: '0.99' }, duration(quantiles.p99))
  ]
  const all = sum(tail)
  if (tail !== null && all > 0) {
    const parts = Object.entries(tail.phases_mean_ns)
      .filter(([, ns]) => ns / all >= 0.05)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 3)
    words.push(', slow ones ', number('then-tail', about, duration(all)), ': ')
    for (const [phase, ns] of parts) {
      words.push(phaseChip(phase), ' ', number('then-tail', { ...about, phase }, duration(ns)), ' ')
    }
  }
  const minutes = Math.max(COMPARED_MINUTES, Math.round((to - from) / MINUTE_MS))
  const before = Math.round((Date.now() - to) / MINUTE_MS)
  if (before >= minutes) {
    words.push(' ', h('a', { href: compareUrl({ ...of, minutes, before }) }, 'Compare with now'))
  }
  return words
}
