import { h, patch } from './dom.js'
import { count, duration, percent, signed } from './format.js'
import { live } from './live.js'
import { phaseChip, phaseColour, phaseNames, phaseWord } from './phases.js'
import { number } from './promql.js'
import { compareUrl, operationUrl } from './routes.js'
import { sum } from './time-chart.js'

/**
 * @typedef {import('./time-chart.js').History} History
 * @typedef {import('./time-chart.js').Point} Point
 * @typedef {{ fromMs: number, toMs: number }} Range
 * @typedef {{ service: string, operation: string, minutes: number, before: number, end: number | undefined }} Comparison
 */

const MINUTE_MS = 60_000
const lengths = /** @type {const} */ ([
  [5, '5 minutes'],
  [15, '15 minutes'],
  [60, 'an hour'],
  [360, '6 hours']
])
const distances = /** @type {const} */ ([
  [15, 'a quarter of an hour before'],
  [60, 'an hour before'],
  [360, '6 hours before'],
  [1_440, 'a day before']
])
const MINUTES_MAX = 24 * 60

/**
 * Two stretches of time of one operation side by side: the present and one before it, or two that were picked.
 * @param {import('./main.js').ViewTools} tools
 * @param {URLSearchParams} query
 */
export function compareView({ root, state }, query) {
  const comparison = comparisonOf(query)
  const { service, operation } = comparison
  const page = h('div', {})
  /** @type {{ now?: History, then?: History }} */
  const found = {}

  /** @param {'now' | 'then'} which */
  const ask = (which) =>
    live(() => historyUrl(comparison, which), {
      state,
      /** @param {History} answer */
      data(answer) {
        found[which] = answer
        if (found.now !== undefined && found.then !== undefined) show(found.now, found.then)
      },
      missing() {
        root.replaceChildren(crumbs(comparison), h('h1', {}, operation), h('p.verdict', {}, NOT_KNOWN))
      }
    })

  /** @param {History} now @param {History} then */
  function show(now, then) {
    patch(page, h('div', {}, ...content(comparison, now, then)))
    if (!page.isConnected) root.replaceChildren(page)
  }

  page.addEventListener('change', () => {
    const form = page.querySelector('form')
    if (form === null) return
    const data = new FormData(form)
    const picked = data.get('end')
    const end = typeof picked === 'string' ? Date.parse(picked) : NaN
    location.hash = compareUrl({
      service,
      operation,
      minutes: Number(data.get('minutes')),
      before: Number(data.get('before')),
      ...(Number.isNaN(end) ? {} : { end })
    })
  })
  const both = [ask('now'), ask('then')]
  return {
    title: `${operation}, compared`,
    stop() {
      for (const polling of both) polling.stop()
    }
  }
}

const NOT_KNOWN = 'History has nothing of this operation: it keeps a day, and begins when the first minute has passed.'

/** @param {URLSearchParams} query @returns {Comparison} */
export function comparisonOf(query) {
  /** @param {string} name @param {number} otherwise */
  const minutes = (name, otherwise) => {
    const value = Number(query.get(name) ?? '')
    return Number.isInteger(value) && value > 0 ? Math.min(value, MINUTES_MAX) : otherwise
  }
  const end = Number(query.get('end') ?? '')
  return {
    service: query.get('service') ?? '',
    operation: query.get('operation') ?? '',
    minutes: minutes('minutes', 15),
    before: minutes('before', 60),
    end: Number.isInteger(end) && end > 0 ? end : undefined
  }
}

/**
 * The two stretches; without an end the later one is the present, up to the last whole minute.
 * @param {Comparison} comparison
 * @param {number} nowMs
 * @returns {{ now: Range, then: Range }}
 */
export function rangesOf({ minutes, before, end }, nowMs) {
  const toMs = end ?? Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
  const thenMs = toMs - before * MINUTE_MS
  const lengthMs = minutes * MINUTE_MS
  return { now: { fromMs: toMs - lengthMs, toMs }, then: { fromMs: thenMs - lengthMs, toMs: thenMs } }
}

/** @param {Comparison} comparison @param {'now' | 'then'} which */
function historyUrl(comparison, which) {
  const { fromMs, toMs } = rangesOf(comparison, Date.now())[which]
  const { service, operation } = comparison
  const query = { service, operation, from_unix_ms: String(fromMs), to_unix_ms: String(toMs), points: '1' }
  return `api/v1/history?${String(new URLSearchParams(query))}`
}

/** @param {Comparison} comparison */
const crumbs = ({ service, operation }) =>
  h(
    'p.crumbs',
    {},
    h('a', { href: '#/' }, 'Operations'),
    ' / ',
    h('a', { href: `#/?${String(new URLSearchParams({ filter: service }))}` }, service),
    ' / ',
    h('a', { href: operationUrl(service, operation) }, operation)
  )

/** @param {Comparison} comparison @param {History} now @param {History} then */
function content(comparison, now, then) {
  const [a, b] = [then.points[0], now.points[0]]
  const head = [crumbs(comparison), h('h1', {}, comparison.operation)]
  if (a === undefined || b === undefined) {
    const missing = a === undefined ? then : now
    const text = `No requests are known from ${span(missing)}. History goes back to ${when(now.since_unix_ms)}.`
    return [...head, h('p.verdict', {}, text), picker(comparison)]
  }
  return [
    ...head,
    h('p.verdict', {}, ...verdict(a, b)),
    picker(comparison),
    figuresCard(comparison, a, b),
    h(
      'div.compared',
      {},
      phasesCard(comparison, { title: 'A slow request', note: 'Above p99, mean by phase.', part: 'tail' }, a, b),
      phasesCard(comparison, { title: 'A usual request', note: 'At or below p50 and ok.', part: 'body' }, a, b)
    )
  ]
}

/** A change below this is noise of a sketch whose bins are 2 % wide. */
const SAME = 0.05

/** @param {Point} then @param {Point} now @returns {(Node | string)[]} */
function verdict(then, now) {
  const [was, is] = [then.quantiles_ns.p99, now.quantiles_ns.p99]
  if (was === null || is === null) return ['Fewer than 200 requests in one of the two, too few for a p99.']
  const change = is / was - 1
  /** @type {(Node | string)[]} */
  const words =
    Math.abs(change) < SAME
      ? ['p99 is as it was, ', h('b', {}, duration(is)), '.']
      : [
          'p99 went from ',
          h('b', {}, duration(was)),
          ' to ',
          h('b', {}, duration(is)),
          ` (${change > 0 ? '+' : '\u2212'}${percent(Math.abs(change))}).`
        ]
  const moved = largestChange(then.tail, now.tail)
  if (moved !== undefined && Math.abs(moved.ns) > SAME * Math.max(sum(then.tail), sum(now.tail))) {
    words.push(
      ' Of a slow request, what changed most is ',
      h('b', {}, phaseWord(moved.phase)),
      `: ${duration(then.tail?.phases_mean_ns[moved.phase] ?? 0)} then, ${duration(now.tail?.phases_mean_ns[moved.phase] ?? 0)} now.`
    )
  }
  return words
}

/** @param {Point['tail']} then @param {Point['tail']} now */
function largestChange(then, now) {
  if (then === null || now === null) return undefined
  return phaseNames
    .map((phase) => ({ phase, ns: (now.phases_mean_ns[phase] ?? 0) - (then.phases_mean_ns[phase] ?? 0) }))
    .sort((a, b) => Math.abs(b.ns) - Math.abs(a.ns))[0]
}

/** @param {Comparison} comparison */
function picker({ minutes, before, end }) {
  /**
   * @param {string} name
   * @param {number} value
   * @param {readonly (readonly [number, string])[]} known
   */
  const select = (name, value, known) =>
    h(
      'select',
      { name },
      ...(known.some(([minutes]) => minutes === value)
        ? []
        : [h('option', { value, selected: true }, `${value} minutes`)]),
      ...known.map(([minutes, word]) => h('option', { value: minutes, selected: minutes === value }, word))
    )
  return h(
    'form.picker',
    {},
    h('label', {}, 'Compare ', select('minutes', minutes, lengths)),
    h(
      'label',
      {},
      ' up to ',
      h('input', {
        type: 'datetime-local',
        name: 'end',
        value: end === undefined ? '' : localTime(end),
        'aria-describedby': 'end-note'
      })
    ),
    h('span.muted', { id: 'end-note' }, end === undefined ? '(now, live)' : '(picked)'),
    h('label', {}, ' with the same ', select('before', before, distances))
  )
}

/** @param {number} ms */
function localTime(ms) {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE_MS)
  return local.toISOString().slice(0, 16)
}

/** @param {Comparison} comparison @param {Point} then @param {Point} now */
function figuresCard(comparison, then, now) {
  /** @type {[string, (point: Point) => Node | string, number | null, number | null][]} */
  const rows = [
    [
      'requests a minute',
      (p) => number('then-requests', aboutOf(comparison, p), rate(p)),
      perMinute(then),
      perMinute(now)
    ],
    ['failed', (p) => percent(failedShare(p)), failedShare(then), failedShare(now)],
    .../** @type {const} */ ([
      ['p50', '0.5'],
      ['p95', '0.95'],
      ['p99', '0.99'],
      ['p999', '0.999']
    ]).map(
      ([name, quantile]) =>
        /** @type {[string, (point: Point) => Node, number | null, number | null]} */ ([
          name === 'p999' ? 'p99.9' : name,
          (p) => number('then-quantile', { ...aboutOf(comparison, p), quantile }, duration(p.quantiles_ns[name])),
          then.quantiles_ns[name],
          now.quantiles_ns[name]
        ])
    )
  ]
  return h(
    'section.card.then-now',
    {},
    h('h2', {}, 'Then and now'),
    h('p.note', {}, `${span(then)}, and ${span(now)}`),
    h(
      'table',
      {},
      head(['', 'then', 'now', 'change']),
      h(
        'tbody',
        {},
        ...rows.map(([name, show, was, is]) =>
          h(
            'tr',
            { 'data-key': name },
            h('th', { scope: 'row' }, name),
            h('td.number', {}, show(then)),
            h('td.number', {}, show(now)),
            h('td.number', {}, changed(was, is))
          )
        )
      )
    )
  )
}

/** @param {readonly string[]} names */
const head = (names) =>
  h('thead', {}, h('tr', {}, ...names.map((name, at) => h(at === 0 ? 'th' : 'th.number', { scope: 'col' }, name))))

/** @param {number | null} was @param {number | null} is */
function changed(was, is) {
  if (was === null || is === null || was === 0) return '\u2013'
  const share = is / was - 1
  return Math.abs(share) < 0.005 ? '0\u00a0%' : `${share > 0 ? '+' : '\u2212'}${percent(Math.abs(share))}`
}

/** @param {Point} point */
const perMinute = ({ requests, from_unix_ms: from, to_unix_ms: to }) => requests / ((to - from) / MINUTE_MS)
/** @param {Point} point */
const rate = (point) => (perMinute(point) < 10 ? perMinute(point).toFixed(1) : count(perMinute(point)))
/** @param {Point} point */
const failedShare = ({ requests, outcomes }) => ((outcomes['error'] ?? 0) + (outcomes['timeout'] ?? 0)) / requests

/** @param {{ service: string, operation: string }} of @param {Point} point */
const aboutOf = ({ service, operation }, { from_unix_ms: from, to_unix_ms: to }) => ({
  service,
  operation,
  from: String(from),
  to: String(to)
})

/**
 * @param {Comparison} comparison
 * @param {{ title: string, note: string, part: 'tail' | 'body' }} what
 * @param {Point} then
 * @param {Point} now
 */
function phasesCard(comparison, { title, note, part }, then, now) {
  const [a, b] = [then[part], now[part]]
  if (a === null || b === null) {
    return h('section.card', {}, h('h2', {}, title), h('p.muted', {}, 'None in one of the two.'))
  }
  const highest = Math.max(sum(a), sum(b), 1)
  const order = phaseNames
    .filter((phase) => (a.phases_mean_ns[phase] ?? 0) + (b.phases_mean_ns[phase] ?? 0) > 0)
    .sort((x, y) => Math.abs(difference(y)) - Math.abs(difference(x)))
  /** @param {string} phase */
  function difference(phase) {
    return (b?.phases_mean_ns[phase] ?? 0) - (a?.phases_mean_ns[phase] ?? 0)
  }
  /** @param {Point} point @param {number} ns @param {string} phase */
  const cell = (point, ns, phase) =>
    h('td.number', {}, number(`then-${part}`, { ...aboutOf(comparison, point), phase }, duration(ns)))
  return h(
    'section.card',
    {},
    h('h2', {}, title),
    h('p.note', {}, note),
    h(
      'table',
      {},
      head(['Phase', 'then', 'now', 'change', '']),
      h(
        'tbody',
        {},
        ...order.map((phase) =>
          h(
            'tr',
            { 'data-key': phase },
            h('th', { scope: 'row' }, phaseChip(phase)),
            cell(then, a.phases_mean_ns[phase] ?? 0, phase),
            cell(now, b.phases_mean_ns[phase] ?? 0, phase),
            h('td.number', {}, signed(difference(phase))),
            h('td.twice', {}, bars(phase, a.phases_mean_ns[phase] ?? 0, b.phases_mean_ns[phase] ?? 0, highest))
          )
        ),
        h(
          'tr.total',
          { 'data-key': 'all' },
          h('th', { scope: 'row' }, 'all'),
          h('td.number', {}, number(`then-${part}`, aboutOf(comparison, then), duration(sum(a)))),
          h('td.number', {}, number(`then-${part}`, aboutOf(comparison, now), duration(sum(b)))),
          h('td.number', {}, signed(sum(b) - sum(a))),
          h('td', {})
        )
      )
    )
  )
}

/** Then above now, on one scale. @param {string} phase @param {number} was @param {number} is @param {number} highest */
function bars(phase, was, is, highest) {
  /** @param {number} ns */
  const width = (ns) => `${((ns / highest) * 100).toFixed(2)}%`
  const fill = phaseColour(phase)
  return h(
    'div.bars',
    { 'aria-hidden': 'true' },
    h('span.body', { hidden: was === 0, style: { '--width': width(was), '--fill': fill } }),
    h('span.tail', { hidden: is === 0, style: { '--width': width(is), '--fill': fill } })
  )
}

/** @param {{ from_unix_ms: number, to_unix_ms: number }} of */
const span = ({ from_unix_ms: from, to_unix_ms: to }) => `${when(from)} to ${when(to)}`

/** @param {number | null} ms */
const when = (ms) =>
  ms === null
    ? 'nowhere yet'
    : new Date(ms).toLocaleString([], { weekday: 'short', hour: '2-digit', minute: '2-digit' })
