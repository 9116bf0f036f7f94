import { budgetsCard } from './budgets.js'
import { h, patch } from './dom.js'
import { ago, count, duration, durationParts, percent, signed } from './format.js'
import { live } from './live.js'
import { distribution } from './distribution.js'
import { historyCard } from './history-card.js'
import { gradeLegend, grades, phaseChip, phaseColour, phaseNames, phaseWord } from './phases.js'
import { number } from './promql.js'
import { traceUrl } from './routes.js'

/**
 * @typedef {Record<string, number>} Means by phase, ns
 * @typedef {{ root: { service: string, operation: string }, culprit: { service: string, operation: string, phase: string },
 *   excess_mean_ns: number | null, share: number | null }} Blame
 * @typedef {{ pattern: string, tail: { requests_share: number }, excess_mean_ns: number }} Pattern
 * @typedef {{ trace_id: string, duration_ns: number, band: string | null, outcome: string, dominant: string | null,
 *   version: string | null, at_unix_ms: number }} KeptTrace
 * @typedef {{ service: string, operation: string, class: string, requests: number, weight: number,
 *   quantiles_ns: Record<'p50' | 'p95' | 'p99' | 'p999', number | null>, body: { phases_mean_ns: Means } | null,
 *   tail: { phases_mean_ns: Means } | null, excess_mean_ns: Means | null, dominant: string | null,
 *   attributed_share: number | null, patterns: Pattern[], sampling: string, warnings: string[], first_seen_unix_ms: number, partial: number,
 *   bands: Record<string, Record<string, number>>, tail_grades_mean_ns: Record<string, Means> | null,
 *   distribution: [number, number][], blame: Blame[], traces: KeptTrace[], unattributed_tail_share: number | null,
 *   budgets: import('./budgets.js').BudgetState[], advice: { advice: string, title: string, text: string }[] }} Tail
 */

/**
 * Why the tail of one operation is slow.
 * @param {import('./main.js').ViewTools} tools
 * @param {URLSearchParams} query
 */
export function operationView(tools, query) {
  const { root, state } = tools
  const [service, operation] = [query.get('service') ?? '', query.get('operation') ?? '']
  const page = h('div', {})
  const history = historyCard(tools, { service, operation, range: query.get('range') ?? '' })
  const polling = live(() => `api/v1/tail?${String(new URLSearchParams({ service, operation }))}`, {
    state,
    /** @param {Tail} tail */
    data(tail) {
      patch(page, h('div', {}, ...content(tail)))
      page.querySelector('[data-island]')?.replaceChildren(history.element)
      if (!page.isConnected) root.replaceChildren(page)
    },
    missing() {
      // The history's card is in whatever is shown.
      if (history.element.isConnected) return
      root.replaceChildren(
        crumbs(service),
        h('h1', {}, operation),
        h(
          'p.verdict',
          {},
          'No such operation is known now. It may have been idle for an hour, or not have come back since a restart.'
        ),
        history.element
      )
    }
  })
  return {
    title: operation,
    stop() {
      polling.stop()
      history.stop()
    }
  }
}

/** @param {string} service */
const crumbs = (service) =>
  h(
    'p.crumbs',
    {},
    h('a', { href: '#/' }, 'Operations'),
    ' / ',
    h('a', { href: `#/?${String(new URLSearchParams({ filter: service }))}` }, service)
  )

/** @param {Tail} tail */
function content(tail) {
  return [
    crumbs(tail.service),
    h('h1', {}, tail.operation),
    h('p.verdict', {}, ...verdict(tail), ...patternWords(tail)),
    ...tail.warnings.map((warning) => h('p.warning', {}, warning)),
    figures(tail),
    budgetsCard(tail.budgets),
    h(
      'div.cards',
      {},
      h('div.stack', {}, distributionCard(tail), excessCard(tail)),
      h('div.stack', {}, blameCard(tail), adviceCard(tail))
    ),
    h('div', { 'data-key': 'history', 'data-island': true }),
    tracesCard(tail)
  ]
}

/**
 * The answer in words.
 * @param {Tail} tail
 */
function verdict({ bands, body, tail, excess_mean_ns: excess, dominant, blame, class: kind }) {
  if (kind !== 'request' && kind !== 'message')
    return [`A ${kind} operation: it is counted, and has no tail worth naming.`]
  if (body === null || tail === null || excess === null) {
    return ['Fewer than 200 requests so far, too few to say where the slowest one percent begins.']
  }
  const slow = total(bands['gt_p99'])
  const all = Object.entries(bands).reduce((sum, [band, counts]) => sum + (band === 'none' ? 0 : total(counts)), 0)
  const gap = sum(tail.phases_mean_ns) - sum(body.phases_mean_ns)
  const lost = Object.values(excess).reduce((sum, ns) => sum + Math.max(0, ns), 0)
  /** @type {(Node | string)[]} */
  const words = [
    `The slowest ${percent(slow / all)} of the requests take `,
    h('b', {}, duration(gap)),
    ' longer than a usual one.'
  ]
  if (dominant !== null && lost > 0) {
    words.push(
      ' ',
      h('b', {}, percent((excess[dominant] ?? 0) / lost)),
      ' of that is ',
      h('b', {}, phaseWord(dominant)),
      '.'
    )
  }
  const first = blame[0]
  if (first?.share !== undefined && first.share !== null && first.share > 0) {
    const { culprit } = first
    words.push(' Followed to where it is spent, most blame, ', h('b', {}, percent(first.share)), ', falls on ')
    words.push(h('b', {}, `${culprit.service} ${culprit.operation}`), ': ', h('b', {}, phaseWord(culprit.phase)), '.')
  }
  return words
}

/** Below this much of the excess a pattern is not worth a sentence. */
const PATTERN_SHARE_MIN = 0.05

/** @type {Record<string, [did: string, took: string]>} */
const patternVerbs = {
  retry: ['retried', 'the retries'],
  hedge: ['hedged a call', 'waiting before the hedges'],
  straggler: ['waited for a straggler among calls made at once', 'the stragglers']
}

/**
 * How slow requests came to take so long, where calls made again or at once tell.
 * @param {Tail} tail
 */
function patternWords({ service, operation, patterns, excess_mean_ns: excess }) {
  const gap = excess === null ? 0 : sum(excess)
  return patterns
    .filter(({ excess_mean_ns: ns }) => ns > 0 && ns >= PATTERN_SHARE_MIN * gap)
    .sort((a, b) => b.excess_mean_ns - a.excess_mean_ns)
    .flatMap(({ pattern, tail, excess_mean_ns: ns }) => {
      const [did, took] = patternVerbs[pattern] ?? [pattern, pattern]
      const about = { service, operation, pattern }
      return [
        ' ',
        number('pattern-share', about, percent(tail.requests_share)),
        ` of the slow requests ${did}; ${took} took `,
        number('pattern', about, duration(Math.min(ns, gap))),
        ` of the ${duration(gap)}.`
      ]
    })
}

/** @param {Tail} tail */
function figures({
  service,
  operation,
  quantiles_ns: quantiles,
  requests,
  body,
  tail,
  attributed_share: attributed,
  partial
}) {
  const about = { service, operation }
  /** @type {[string, Node][]} */
  const shown = [
    ['p50', number('threshold', { ...about, quantile: '0.5' }, ...big(quantiles.p50))],
    ['p95', number('threshold', { ...about, quantile: '0.95' }, ...big(quantiles.p95))],
    ['p99', number('threshold', { ...about, quantile: '0.99' }, ...big(quantiles.p99))],
    ['p99.9', number('threshold', { ...about, quantile: '0.999' }, ...big(quantiles.p999))],
    ['mean, usual', number('body', about, ...big(body === null ? null : sum(body.phases_mean_ns)))],
    ['mean, slow', number('tail', about, ...big(tail === null ? null : sum(tail.phases_mean_ns)))],
    ['requests', number('requests', about, count(requests))],
    ['explained', h('span', { title: 'Share of the tail excess that has a phase' }, percent(attributed))]
  ]
  if (partial > 0)
    shown.push(['with a hole', h('span', { title: 'A span of an instrumented peer is missing' }, count(partial))])
  return h('dl.figures', {}, ...shown.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))))
}

/** @param {number | null} ns */
function big(ns) {
  const [value, unit] = durationParts(ns)
  return unit === '' ? [value] : [value, h('span.unit', {}, unit)]
}

/** @param {Tail} tail */
function distributionCard({ service, operation, distribution: bars, quantiles_ns: quantiles, bands }) {
  const failed = Object.values(bands).reduce((sum, { error = 0, timeout = 0 }) => sum + error + timeout, 0)
  return h(
    'section.card',
    {},
    h('h2', {}, 'How long requests take'),
    h('p.note', {}, 'All since it was first seen; bar heights are square roots, so that the tail can be seen.'),
    distribution(bars, quantiles),
    h(
      'ul.legend',
      {},
      ...Object.entries(bandWords).map(([band, word]) =>
        h(
          'li.chip',
          { style: { '--colour': `var(--${bandColours[band] ?? 'line'})` } },
          `${word} `,
          number('requests', { service, operation, band }, count(total(bands[band])))
        )
      ),
      failed > 0 ? h('li', {}, `errors and timeouts ${count(failed)}`) : null
    )
  )
}

/** @type {Record<string, string>} */
const bandColours = { le_p50: 'muted', p50_p95: 'bar', p95_p99: 'bar', gt_p99: 'alert' }
const bandWords = {
  le_p50: 'to p50',
  p50_p95: 'to p95',
  p95_p99: 'to p99',
  gt_p99: 'beyond',
  none: 'before thresholds'
}

/** @param {Tail} tail */
function excessCard({ service, operation, body, tail, excess_mean_ns: excess, tail_grades_mean_ns: graded }) {
  if (body === null || tail === null || excess === null) return null
  const about = { service, operation }
  const [bodyNs, tailNs] = [sum(body.phases_mean_ns), sum(tail.phases_mean_ns)]
  const order = phaseNames
    .filter((phase) => (body.phases_mean_ns[phase] ?? 0) > 0 || (tail.phases_mean_ns[phase] ?? 0) > 0)
    .sort((a, b) => (excess[b] ?? 0) - (excess[a] ?? 0))
  let at = bodyNs
  let highest = Math.max(bodyNs, tailNs)
  for (const phase of order) highest = Math.max(highest, (at += excess[phase] ?? 0))
  at = bodyNs
  const rows = order.map((phase) => {
    const ns = excess[phase] ?? 0
    const from = Math.min(at, at + ns)
    at += ns
    return h(
      'tr',
      { 'data-key': phase },
      h('th', { scope: 'row' }, phaseChip(phase)),
      h('td.number', {}, number('body', { ...about, phase }, duration(body.phases_mean_ns[phase]))),
      h('td.number', {}, number('tail', { ...about, phase }, duration(tail.phases_mean_ns[phase]))),
      h('td.number', {}, number('excess', { ...about, phase }, signed(ns))),
      h('td.number.fold', {}, ...sureness(about, phase, graded?.[phase])),
      h('td', {}, floating(from / highest, Math.abs(ns) / highest, phase, graded?.[phase], ns < 0))
    )
  })
  return h(
    'section.card',
    {},
    h('h2', {}, 'What a slow request has and a usual one has not'),
    h('p.note', {}, 'Means per request: at or below p50 and ok, against above p99.'),
    gradeLegend(),
    h(
      'table.excess',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...['Phase', 'usual', 'slow', 'difference'].map(heading),
          h('th.number.fold', { scope: 'col' }, 'how sure'),
          h('th', { scope: 'col' })
        )
      ),
      h(
        'tbody',
        {},
        h(
          'tr.total',
          { 'data-key': 'body' },
          h('th', { scope: 'row' }, 'usual'),
          h('td.number', {}, duration(bodyNs)),
          h('td', {}),
          h('td', {}),
          h('td.fold', {}),
          h('td', {}, floating(0, bodyNs / highest, undefined, undefined, false))
        ),
        ...rows,
        h(
          'tr.total',
          { 'data-key': 'tail' },
          h('th', { scope: 'row' }, 'slow'),
          h('td', {}),
          h('td.number', {}, duration(tailNs)),
          h('td.number', {}, number('excess', about, signed(tailNs - bodyNs))),
          h('td.fold', {}),
          h('td', {}, floating(0, tailNs / highest, undefined, undefined, false))
        )
      )
    )
  )
}

/**
 * @param {string} text
 * @param {number} at
 */
const heading = (text, at) => h(at === 0 ? 'th' : 'th.number', { scope: 'col' }, text)

/**
 * The surest grade that has any of a phase's time, and its share.
 * @param {Record<string, string>} about
 * @param {string} phase
 * @param {Means | undefined} means
 */
function sureness(about, phase, means) {
  if (means === undefined) return [h('span.muted', {}, '\u2013')]
  const all = sum(means)
  return grades
    .filter((grade) => (means[grade] ?? 0) / all >= 0.005)
    .slice(0, 2)
    .flatMap((grade, at) => [
      at > 0 ? ', ' : '',
      number(
        'grade',
        { ...about, phase, grade },
        `${grade}${(means[grade] ?? 0) / all > 0.995 ? '' : ` ${percent((means[grade] ?? 0) / all)}`}`
      )
    ])
}

/**
 * A bar that begins where the one above ended, its parts hatched by how sure they are.
 * @param {number} from
 * @param {number} width
 * @param {string | undefined} phase
 * @param {Means | undefined} means
 * @param {boolean} less
 */
function floating(from, width, phase, means, less) {
  const colour = phase === undefined ? 'var(--bar)' : phaseColour(phase)
  const all = means === undefined ? 0 : sum(means)
  const parts =
    means === undefined || all <= 0
      ? [h('span', { style: { '--width': '100%', '--colour': colour } })]
      : grades.map((grade) =>
          h(`span.${grade}`, { style: { '--width': share((means[grade] ?? 0) / all), '--colour': colour } })
        )
  return h(
    less ? 'div.floating.less' : 'div.floating',
    { style: { '--from': share(from), '--width': share(width) } },
    ...parts
  )
}

/** @param {number} part */
const share = (part) => `${(part * 100).toFixed(2)}%`

const CULPRITS_SHOWN = 12

/** @param {Tail} tail */
function blameCard({ service, operation, blame }) {
  /** @type {Map<string, { service: string, operation: string, ns: number, rows: Blame[] }>} */
  const culprits = new Map()
  for (const row of blame) {
    if ((row.share ?? 0) < 0.001) continue
    const key = JSON.stringify([row.culprit.service, row.culprit.operation])
    const known = culprits.get(key) ?? { ...row.culprit, ns: 0, rows: [] }
    known.ns += row.excess_mean_ns ?? 0
    known.rows.push(row)
    culprits.set(key, known)
  }
  const sorted = [...culprits.values()].sort((a, b) => b.ns - a.ns).slice(0, CULPRITS_SHOWN)
  const all = blame.reduce((sum, { excess_mean_ns: ns }) => sum + Math.max(0, ns ?? 0), 0)
  const note =
    blame.length === 0
      ? 'No blame yet: only operations that are the root of traces have some, after half a minute.'
      : 'The same excess, followed through every service to where it is spent.'
  const items = sorted.flatMap((found) => {
    const about = { service, operation, culprit: found.service, at: found.operation }
    return [
      branch('level-1', `${found.service} ${found.operation}`, about, found.ns, all, undefined),
      ...found.rows.map(({ culprit, excess_mean_ns: ns }) =>
        branch('level-2', phaseChip(culprit.phase), { ...about, phase: culprit.phase }, ns ?? 0, all, culprit.phase)
      )
    ]
  })
  return h(
    'section.card',
    {},
    h('h2', {}, 'Who spends it'),
    h('p.note', {}, note),
    blame.length === 0
      ? null
      : h(
          'ol.tree',
          {},
          h(
            'li.level-0',
            { 'data-key': 'root' },
            h('span', {}, `${service} ${operation}`),
            h('span', {}),
            h('span.number', {}, '100\u00a0%'),
            h('span.number', {}, signed(all))
          ),
          ...items
        )
  )
}

/**
 * @param {string} level
 * @param {Node | string} label
 * @param {Record<string, string>} about
 * @param {number} ns
 * @param {number} all
 * @param {string | undefined} phase
 */
function branch(level, label, about, ns, all, phase) {
  const part = Math.max(0, ns) / all
  const colour = phase === undefined ? 'var(--muted)' : phaseColour(phase)
  return h(
    `li.${level}`,
    { 'data-key': `${level} ${JSON.stringify(about)}` },
    h('span', {}, label),
    h('span.bar', {}, h('span', { style: { '--width': share(part), '--colour': colour } })),
    h('span.number', {}, percent(part)),
    h('span.number', {}, number('blame', about, signed(ns)))
  )
}

/** @param {Tail} tail */
function adviceCard({ advice, unattributed_tail_share: share }) {
  if (advice.length === 0 || share === null) return null
  return h(
    'section.card',
    {},
    h('h2', {}, 'What to switch on'),
    h('p.note', {}, `Nothing explains ${percent(share)} of the time of its slowest requests lately.`),
    h(
      'ol.advice',
      {},
      ...advice.map(({ advice: key, title, text }) =>
        h('li', { 'data-key': key }, h('h3', {}, title), h('p', {}, text))
      )
    )
  )
}

/** @param {Tail} tail */
function tracesCard({ service, traces, bands }) {
  const now = Date.now()
  const rows = traces.map(({ trace_id: id, duration_ns: ns, band, dominant, outcome, version, at_unix_ms: at }) =>
    h(
      'tr',
      { 'data-key': id },
      h('td', {}, h('a', { href: traceUrl(id) }, id.slice(0, 8))),
      h('td.number', {}, duration(ns)),
      h('td', {}, band === null ? '' : (bandNames[band] ?? band)),
      h('td', {}, phaseChip(dominant)),
      h('td', {}, h(outcome === 'ok' ? 'span.tag' : 'span.tag.bad', {}, outcome)),
      h('td.fold', {}, version ?? h('span.muted', {}, 'not said')),
      h(
        'td.number',
        {},
        h('time', { datetime: new Date(at).toISOString(), title: new Date(at).toLocaleString() }, ago(at, now))
      )
    )
  )
  const known = total(bands['gt_p99']) > 0
  return h(
    'section.card',
    {},
    h('h2', {}, 'Traces that are kept'),
    h('p.note', {}, known ? 'The slowest of each dominant phase, and usual ones for contrast.' : 'The slowest so far.'),
    traces.length === 0
      ? h('p.muted', {}, `None of ${service} yet.`)
      : h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              ...['Trace', 'Duration', 'Band', 'Mostly', 'Outcome', 'Version', 'Seen'].map((text) =>
                h(
                  text === 'Duration' || text === 'Seen' ? 'th.number' : text === 'Version' ? 'th.fold' : 'th',
                  { scope: 'col' },
                  text
                )
              )
            )
          ),
          h('tbody', {}, ...rows)
        )
  )
}

/** @type {Record<string, string>} */
const bandNames = { le_p50: 'usual', p50_p95: 'p50\u2013p95', p95_p99: 'p95\u2013p99', gt_p99: 'beyond p99' }

/** @param {Record<string, number>} means */
const sum = (means) => Object.values(means).reduce((all, ns) => all + ns, 0)
/** @param {Record<string, number> | undefined} counts */
const total = (counts) => sum(counts ?? {})
