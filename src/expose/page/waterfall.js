import { h, setText } from './dom.js'
import { duration, times } from './format.js'
import { END_PX, paintRows, readPaints, ROW } from './waterfall-paint.js'

const NAMES_SHARE = 0.34
/** On a narrow screen. */
const NAMES_SHARE_NARROW = 0.45
const NARROW = 500
const NAMES_MIN = 130
const NAMES_MAX = 400
const INDENT_MAX = 14
/** Rows made beyond those in sight, so that a small scroll shows no gap. */
const SPARE = 6

let charts = 0

/**
 * Spans as rows over time. Only the rows in sight exist, and one canvas draws their bars, so twenty thousand scroll like twenty.
 * @param {import('./trace-model.js').TraceModel} model
 * @param {{ selected: (span: number | undefined) => void }} on
 */
export function createWaterfall(model, on) {
  const id = `waterfall-${++charts}`
  const ticks = h('div.ticks', {})
  const canvas = /** @type {HTMLCanvasElement} */ (h('canvas', { 'aria-hidden': 'true' }))
  const size = h('div.waterfall-size', {}, canvas)
  const scroll = h('div.waterfall-scroll', { role: 'treegrid', tabindex: 0, 'aria-label': 'Spans' }, size)
  const element = h('div.waterfall', {}, h('div.waterfall-head', {}, h('span', {}, 'Span'), ticks), scroll)
  /** @type {{ element: HTMLElement, row: number, span: number }[]} */
  const pool = []
  let rows = model.rows(false)
  let rowOf = rowsBySpan(rows, model.n)
  let pathOnly = false
  let current = 0
  /** @type {number | undefined} */
  let selected
  let frame = 0
  let paints = readPaints(element)

  function namesWidth() {
    const share = scroll.clientWidth < NARROW ? NAMES_SHARE_NARROW : NAMES_SHARE
    return Math.round(Math.min(NAMES_MAX, Math.max(NAMES_MIN, scroll.clientWidth * share)))
  }

  function layout() {
    element.style.setProperty('--names-width', `${namesWidth()}px`)
    element.style.setProperty('--labels-width', `${END_PX}px`)
    element.style.setProperty('--rows-height', `${rows.length * ROW}px`)
    size.style.height = `${rows.length * ROW}px`
    scroll.setAttribute('aria-rowcount', String(rows.length))
    drawTicks(ticks, model.waterfall.duration_ns, scroll.clientWidth - namesWidth() - END_PX)
    update()
  }

  function update() {
    cancelAnimationFrame(frame)
    frame = requestAnimationFrame(render)
  }

  function render() {
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - SPARE)
    const wanted = Math.min(rows.length - first, Math.ceil(scroll.clientHeight / ROW) + 2 * SPARE)
    while (pool.length < wanted) {
      const made = rowElement()
      pool.push({ element: made, row: -1, span: -1 })
      size.append(made)
    }
    const taken = new Set()
    for (let row = first; row < first + wanted; row++) {
      // A row keeps its element while it stays in sight: only what comes in is written.
      const slot = pool[row % pool.length]
      taken.add(slot)
      showRow(slot, row)
    }
    for (const slot of pool) slot.element.hidden = !taken.has(slot)
    paint()
  }

  function paint() {
    paintRows(canvas, {
      model,
      rows,
      rowOf,
      paints,
      scrollTop: scroll.scrollTop,
      width: scroll.clientWidth - namesWidth(),
      height: scroll.clientHeight
    })
  }

  /** @param {typeof pool[number]} slot @param {number} row */
  function showRow(slot, row) {
    const span = rows[row]
    const { element } = slot
    element.setAttribute('aria-selected', String(span === selected))
    if (slot.row !== row) {
      slot.row = row
      element.id = `${id}-${row}`
      element.setAttribute('aria-rowindex', String(row + 1))
      element.style.transform = `translateY(${row * ROW}px)`
    }
    const opens = model.children(span).length > 0
    const [twisty, name, service, tag] = /** @type {HTMLElement[]} */ ([...element.children[0].children])
    setText(twisty, !opens ? '' : model.closed.has(span) ? '\u25b8' : '\u25be')
    if (opens) element.setAttribute('aria-expanded', String(!model.closed.has(span)))
    else element.removeAttribute('aria-expanded')
    if (slot.span === span) return
    slot.span = span
    const { texts } = model.waterfall
    setText(name, texts[model.spans.name[span]])
    setText(service, texts[model.spans.service[span]])
    element.title = `${texts[model.spans.service[span]]} ${texts[model.spans.name[span]]}, ${duration(model.spans.duration_ns[span])}`
    element.setAttribute('aria-level', String(model.depth[span] + 1))
    element.style.setProperty('--indent', String(Math.min(model.depth[span], INDENT_MAX)))
    showTag(tag, span)
  }

  /** How unusual a request is for its operation. @param {HTMLElement} tag @param {number} span */
  function showTag(tag, span) {
    const request = model.requestOf.get(span)
    const p50 = request?.p50_ns ?? null
    const factor = request === undefined || p50 === null || p50 === 0 ? 0 : request.duration_ns / p50
    const failed = model.spans.outcome[span] !== 'ok'
    tag.hidden = !failed && factor < 1.5
    tag.className = failed || request?.band === 'gt_p99' ? 'tag bad' : 'tag'
    setText(tag, failed ? model.spans.outcome[span] : factor < 1.5 ? '' : times(factor))
  }

  /** @param {number} row */
  function moveTo(row) {
    current = Math.max(0, Math.min(rows.length - 1, row))
    const top = current * ROW
    if (top < scroll.scrollTop) scroll.scrollTop = top
    else if (top + ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + ROW - scroll.clientHeight
    select(rows[current])
    scroll.setAttribute('aria-activedescendant', `${id}-${current}`)
  }

  /** @param {number | undefined} span */
  function select(span) {
    if (span !== undefined) {
      const row = rowOf[span]
      if (row >= 0 && row !== current) {
        current = row
        if (row * ROW < scroll.scrollTop || row * ROW + ROW > scroll.scrollTop + scroll.clientHeight) {
          scroll.scrollTop = row * ROW - scroll.clientHeight / 3
        }
      }
    }
    selected = span
    on.selected(span)
    update()
  }

  /** @param {number} span @param {boolean} open */
  function setOpen(span, open) {
    if (model.children(span).length === 0) return
    if (open) model.closed.delete(span)
    else model.closed.add(span)
    arrange(span)
  }

  /** @param {number} keep span that stays the current one */
  function arrange(keep) {
    rows = model.rows(pathOnly)
    rowOf = rowsBySpan(rows, model.n)
    current = Math.max(0, rowOf[keep])
    layout()
  }

  scroll.addEventListener('scroll', update, { passive: true })
  size.addEventListener('click', (event) => {
    const { target } = event
    const slot = pool.find(({ element }) => target instanceof Node && element.contains(target))
    if (slot === undefined) return
    if (target instanceof Element && target.classList.contains('twisty'))
      setOpen(slot.span, model.closed.has(slot.span))
    else moveTo(slot.row)
  })
  scroll.addEventListener('keydown', (event) => {
    const span = rows[current]
    const page = Math.floor(scroll.clientHeight / ROW) - 1
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }
    if (event.key in moves)
      moveTo(
        selected === undefined && event.key === 'ArrowDown'
          ? current
          : current + moves[/** @type {keyof moves} */ (event.key)]
      )
    else if (event.key === 'ArrowLeft') {
      if (model.children(span).length > 0 && !model.closed.has(span)) setOpen(span, false)
      else if (model.spans.parent[span] >= 0) moveTo(rowOf[model.spans.parent[span]])
    } else if (event.key === 'ArrowRight') {
      if (model.closed.has(span)) setOpen(span, true)
      else moveTo(current + 1)
    } else if (event.key === 'Enter' || event.key === ' ') select(selected === span ? undefined : span)
    else if (event.key === 'Escape' && selected !== undefined) select(undefined)
    else return
    event.preventDefault()
  })
  const resized = new ResizeObserver(layout)
  const themed = () => {
    paints = readPaints(element)
    update()
  }
  addEventListener('themechange', themed)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', themed)
  element.addEventListener('leave', () => {
    resized.disconnect()
    cancelAnimationFrame(frame)
    removeEventListener('themechange', themed)
  })

  return {
    element,
    /** Once it is in the document. */
    show() {
      paints = readPaints(element)
      resized.observe(scroll)
    },
    select,
    focus() {
      scroll.focus()
    },
    /** @param {boolean} only */
    showPathOnly(only) {
      pathOnly = only
      arrange(rows[current])
    }
  }
}

/**
 * The row of each span, -1 of those that are not shown.
 * @param {Int32Array} rows
 * @param {number} spans
 */
function rowsBySpan(rows, spans) {
  const rowOf = new Int32Array(spans).fill(-1)
  for (let row = 0; row < rows.length; row++) rowOf[rows[row]] = row
  return rowOf
}

function rowElement() {
  return h(
    'div.waterfall-row',
    { role: 'row' },
    h(
      'div.waterfall-name',
      { role: 'gridcell' },
      h('span.twisty', { 'aria-hidden': 'true' }),
      h('span.operation', {}),
      h('span.service', {}),
      h('span.tag', {})
    )
  )
}

const TICK_PX = 110

/**
 * Round times across the top.
 * @param {HTMLElement} ticks
 * @param {number} totalNs
 * @param {number} width
 */
function drawTicks(ticks, totalNs, width) {
  const rough = (totalNs / Math.max(1, width)) * TICK_PX
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((ns) => ns >= rough) ?? power
  const made = []
  for (let ns = 0; ns <= totalNs; ns += step) {
    if ((1 - ns / totalNs) * width < -1) break
    made.push(
      h('span', { style: { '--at': `${((ns / totalNs) * 100).toFixed(3)}%` } }, duration(ns).replace(/\.0+(?=\D)/, ''))
    )
  }
  ticks.replaceChildren(...made)
}
