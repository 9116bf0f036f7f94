import { h } from './dom.js'
import { count, duration, percent, times } from './format.js'
import { gradeLegend, grades, phaseChip, phaseColour, phaseLegend, phaseNames, phaseWord } from './phases.js'
import { operationUrl } from './routes.js'
import { TraceModel } from './trace-model.js'
import { createWaterfall } from './waterfall.js'

/**
 * One trace: where its time went, span by span.
 * @param {import('./main.js').ViewTools} tools
 * @param {string} id
 * @param {URLSearchParams} query
 */
export function traceView({ root, state, replaceQuery, setTitle }, id, query) {
  const leaving = new AbortController()
  void load()

  async function load() {
    try {
      const answer = await fetch(`api/v1/traces/${id}/waterfall`, { signal: leaving.signal })
      state('live')
      if (answer.status === 404) show(h('h1', {}, 'This trace is not kept'), h('p.verdict', {}, GONE))
      else if (!answer.ok) throw new Error(String(answer.status))
      else draw(/** @type {import('./trace-model.js').Waterfall} */ (await answer.json()))
    } catch (reason) {
      if (leaving.signal.aborted) return
      state('lost')
      show(h('h1', {}, 'This trace could not be loaded'), h('p.verdict', {}, String(reason)))
    }
  }

  /** @param {...Node} content */
  function show(...content) {
    root.replaceChildren(h('p.crumbs', {}, h('a', { href: '#/' }, 'Operations'), ' / trace'), ...content)
  }

  /** @param {import('./trace-model.js').Waterfall} waterfall */
  function draw(waterfall) {
    const model = new TraceModel(waterfall)
    const details = h('aside.details.card', { hidden: true, 'aria-label': 'Details of the span' })
    const layout = h('div.trace-layout', {})
    const pathOnly = h('button.quiet', { type: 'button', 'aria-pressed': 'false' }, 'Critical path only')
    const rootName = waterfall.root < 0 ? 'A trace without a root' : nameOf(model, waterfall.root)
    setTitle(rootName)
    const chart = createWaterfall(model, {
      selected(span) {
        replaceQuery(span === undefined ? {} : { span: model.spans.id[span] })
        layout.classList.toggle('open', span !== undefined)
        details.hidden = span === undefined
        if (span !== undefined) details.replaceChildren(...spanDetails(model, span, () => claims(span), close))
      }
    })
    const close = () => {
      chart.select(undefined)
      chart.focus()
    }

    /** @param {number} span */
    async function claims(span) {
      const answer = await fetch(`api/v1/traces/${id}/claims?span_id=${model.spans.id[span]}`, {
        signal: leaving.signal
      })
      if (!answer.ok) return h('p.muted', {}, 'The trace is not kept any more.')
      return claimTable(/** @type {{ claims: Claim[] }} */ (await answer.json()).claims)
    }

    pathOnly.addEventListener('click', () => {
      const on = pathOnly.getAttribute('aria-pressed') !== 'true'
      pathOnly.setAttribute('aria-pressed', String(on))
      chart.showPathOnly(on)
    })
    layout.append(chart.element, details)
    show(
      h(
        'div.heading',
        {},
        h('div', {}, h('h1', {}, rootName), h('p.note', {}, ...summary(waterfall))),
        pathOnly,
        h('a', { href: `api/v1/traces/${id}?format=otlp`, download: `${id}.json` }, 'OTLP/JSON')
      ),
      ...blameOf(waterfall),
      phaseLegend(),
      layout,
      h('div.legend', {}, gradeLegend(), h('span', {}, HOW_TO_READ))
    )
    chart.show()
    const asked = model.spans.id.indexOf(query.get('span') ?? '')
    if (asked >= 0) chart.select(asked)
  }

  return {
    title: `Trace ${id.slice(0, 8)}`,
    stop() {
      leaving.abort()
      root.querySelector('.waterfall')?.dispatchEvent(new Event('leave'))
    }
  }
}

const GONE =
  'Only examples are kept: the slowest of each cause, and a few usual ones. This one made room for others, or the service was restarted.'
const HOW_TO_READ =
  'A bar is a span; colour is its own time, where no child covers it. Stacked colours are shares of that time, not moments. The line below bars is the critical path.'

/**
 * @param {TraceModel} model
 * @param {number} span
 * @returns {string}
 */
function nameOf(model, span) {
  const { texts } = model.waterfall
  const request = model.requestOf.get(span)
  return `${texts[model.spans.service[span]]} ${texts[request?.operation ?? model.spans.name[span]]}`
}

/** @param {import('./trace-model.js').Waterfall} waterfall */
function summary({ duration_ns: ns, spans_total: total, spans, complete, start_unix_nano: start, trace_id: id }) {
  const at = new Date(Number(BigInt(start) / 1_000_000n))
  const drawn = spans.id.length < total ? `, the first ${count(spans.id.length)} drawn` : ''
  return [
    h('b', {}, duration(ns)),
    ` \u00b7 ${count(total)} spans${drawn} \u00b7 ${at.toLocaleString()} \u00b7 `,
    h('code', {}, id),
    ...(complete ? [] : [' \u00b7 ', h('span.tag.bad', {}, 'incomplete')])
  ]
}

const BLAMED_SHOWN = 6

/** @param {import('./trace-model.js').Waterfall} waterfall */
function blameOf({ blame }) {
  const all = blame.reduce((sum, { ns }) => sum + ns, 0)
  if (all === 0) return []
  return [
    h('h2', {}, 'Where the time of the whole request went'),
    h(
      'div.blame-strip',
      { 'aria-hidden': 'true' },
      ...blame
        .filter(({ ns }) => ns / all > 0.002)
        .map(({ phase, grade, ns }) =>
          h(grade === null ? 'span' : `span.${grade}`, {
            style: { '--share': String(ns / all), '--colour': phaseColour(phase) }
          })
        )
    ),
    h(
      'ul.blame-words',
      {},
      ...blame
        .slice(0, BLAMED_SHOWN)
        .map(({ service, operation, phase, grade, ns }) =>
          h(
            'li.chip',
            { style: { '--colour': phaseColour(phase) } },
            h(
              'span',
              {},
              h('b', {}, percent(ns / all)),
              ` ${service} ${operation}: ${phaseWord(phase)}`,
              grade === null ? '' : h('span.muted', {}, ` ${grade}`)
            )
          )
        )
    )
  ]
}

const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer']

/**
 * @param {TraceModel} model
 * @param {number} span
 * @param {() => Promise<Node>} claims
 * @param {() => void} close
 */
function spanDetails(model, span, claims, close) {
  const { texts } = model.waterfall
  const { spans } = model
  const request = model.requestOf.get(span)
  const version = texts[spans.version[span]]
  /** @type {[string, Node | string][]} */
  const facts = [
    ['service', texts[spans.service[span]]],
    ['kind', kinds[spans.kind[span]] || 'unspecified'],
    ['outcome', spans.outcome[span]],
    ['begins at', duration(spans.start_ns[span])],
    ['takes', duration(spans.duration_ns[span])]
  ]
  if (version !== '') facts.splice(1, 0, ['version', version])
  if (request !== undefined && request.lead_wait_ns > 0) facts.push(['waited before', duration(request.lead_wait_ns)])
  if (request?.p50_ns !== undefined && request.p50_ns !== null) {
    const { p50_ns: p50, p99_ns: p99 } = request
    facts.push(['usual', `p50 ${duration(p50)}, p99 ${duration(p99)}`], ['this one', unusual(request)])
  }
  const shut = h('button.quiet', { type: 'button' }, 'Close')
  shut.addEventListener('click', close)
  const ask = h('button.quiet', { type: 'button' }, 'Who says so?')
  const answer = h('div', { role: 'status' })
  ask.addEventListener('click', () => {
    answer.replaceChildren(h('p.muted', {}, 'Asking.'))
    claims().then(
      (table) => {
        answer.replaceChildren(table)
      },
      () => {
        answer.replaceChildren(h('p.muted', {}, 'No answer.'))
      }
    )
  })
  return [
    h('h2', {}, texts[spans.name[span]]),
    h('dl', {}, ...facts.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value)])),
    ownTable(model, span),
    h('div.buttons', {}, ask, shut),
    answer,
    request === undefined
      ? null
      : h(
          'p',
          {},
          h('a', { href: operationUrl(texts[spans.service[span]], texts[request.operation]) }, 'The whole operation')
        )
  ].filter((part) => part !== null)
}

/** @param {import('./trace-model.js').RequestOfTrace} request */
export function unusual({ duration_ns: ns, p50_ns: p50, band }) {
  const factor = p50 === null || p50 === 0 ? '' : `${times(ns / p50)} its p50`
  return band === 'gt_p99' ? `${factor}, beyond p99` : factor
}

/**
 * @param {TraceModel} model
 * @param {number} span
 */
function ownTable(model, span) {
  const own = model.ownTimes(span)
  if (own.length === 0) return h('p.muted', {}, 'No time of its own: children cover all of it.')
  return table(
    [
      h('th', { scope: 'col' }, 'Own time'),
      h('th', { scope: 'col' }, 'how sure'),
      h('th.number', { scope: 'col' }, '')
    ],
    own.map(({ phase, grade, ns }) => [
      h('td', {}, phaseChip(phaseNames[phase])),
      h('td', {}, phaseNames[phase] === 'unattributed' ? '' : grades[grade]),
      h('td.number', {}, duration(ns))
    ])
  )
}

/** @typedef {{ source: string, phase: string, grade: string | null, asked_ns: number, booked_ns: number, note: string }} Claim */

/** @param {Claim[]} claims */
function claimTable(claims) {
  if (claims.length === 0) return h('p.muted', {}, 'Nobody claims any of its time.')
  return table(
    [
      h('th', { scope: 'col' }, 'Source'),
      h('th', { scope: 'col' }, 'says'),
      h('th.number', { scope: 'col' }, 'asked'),
      h('th.number', { scope: 'col' }, 'got')
    ],
    claims.map(({ source, phase, grade, asked_ns: asked, booked_ns: booked, note }) => [
      h('td', {}, source.replaceAll('_', ' '), note === '' ? null : h('div.muted', {}, note)),
      h('td', {}, phaseChip(phase), grade === null ? null : h('div.muted', {}, grade)),
      h('td.number', {}, duration(asked)),
      h('td.number', {}, duration(booked))
    ])
  )
}

/**
 * @param {HTMLElement[]} heads
 * @param {HTMLElement[][]} rows
 */
function table(heads, rows) {
  const body = rows.map((cells) => h('tr', {}, ...cells))
  return h('table', {}, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...body))
}
