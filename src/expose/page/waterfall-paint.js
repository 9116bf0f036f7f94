import { duration } from './format.js'
import { phaseNames } from './phases.js'

/** Height of a row. */
export const ROW = 24
const BAR = 12
const BAR_TOP = 5
const PATH_TOP = BAR_TOP + BAR + 1
const LABEL_GAP = 6
/** Left free at the end, so that the labels of the last bars fit. */
export const END_PX = 64

/**
 * @typedef {{ phases: string[], bar: string, path: string, text: string, hatch: string, panel: string, font: string }} Paints
 * @typedef {{ model: import('./trace-model.js').TraceModel, rows: Int32Array, rowOf: Int32Array, paints: Paints,
 *   scrollTop: number, width: number, height: number }} Scene
 * @typedef {(CanvasPattern | null)[]} Hatches by grade
 */

/**
 * The colours as they are now: a canvas knows no custom properties.
 * @param {HTMLElement} host
 * @returns {Paints}
 */
export function readPaints(host) {
  const probe = document.createElement('span')
  host.append(probe)
  /** @param {string} name */
  const colour = (name) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const paints = {
    phases: phaseNames.map(colour),
    bar: colour('bar'),
    path: colour('path'),
    text: colour('muted'),
    hatch: colour('hatch'),
    panel: colour('panel'),
    font: `11px ${getComputedStyle(probe).fontFamily}`
  }
  probe.remove()
  return paints
}

/**
 * Draws the bars of the rows in sight.
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 */
export function paintRows(canvas, scene) {
  const { model, rows, paints, scrollTop, width, height } = scene
  const ratio = devicePixelRatio
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(height * ratio)
    canvas.style.width = `${width}px`
    canvas.style.height = `${height}px`
  }
  const context = canvas.getContext('2d')
  if (context === null || width <= END_PX) return
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  context.font = paints.font
  context.textBaseline = 'middle'
  const scale = (width - END_PX) / Math.max(1, model.waterfall.duration_ns)
  const hatches = hatchPatterns(context, paints.hatch)
  const first = Math.floor(scrollTop / ROW)
  const last = Math.min(rows.length, Math.ceil((scrollTop + height) / ROW))
  for (let row = first; row < last; row++) {
    paintSpan(context, { model, paints, hatches, scale, top: row * ROW - scrollTop, span: rows[row] })
  }
  paintJumps(context, scene, scale)
  for (let row = first; row < last; row++) paintLabel(context, scene, { row, scale })
}

/** @type {WeakMap<CanvasRenderingContext2D, { colour: string, hatches: Hatches }>} */
const hatchesOf = new WeakMap()

/**
 * Two patterns over the colours: lines for inferred, dots for estimated. Made once a theme, not once a frame.
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 * @returns {Hatches}
 */
function hatchPatterns(context, colour) {
  const known = hatchesOf.get(context)
  if (known?.colour === colour) return known.hatches
  const hatches = makeHatches(context, colour)
  hatchesOf.set(context, { colour, hatches })
  return hatches
}

/** @param {CanvasRenderingContext2D} context @param {string} colour @returns {Hatches} */
function makeHatches(context, colour) {
  const lines = new OffscreenCanvas(6, 6)
  const dots = new OffscreenCanvas(5, 5)
  const [ofLines, ofDots] = [lines.getContext('2d'), dots.getContext('2d')]
  if (ofLines === null || ofDots === null) return [null, null, null]
  ofLines.strokeStyle = colour
  ofLines.lineWidth = 1.6
  ofLines.beginPath()
  for (const shift of [-6, 0, 6]) {
    ofLines.moveTo(shift - 1, 7)
    ofLines.lineTo(shift + 7, -1)
  }
  ofLines.stroke()
  ofDots.fillStyle = colour
  ofDots.arc(2.5, 2.5, 1.3, 0, 2 * Math.PI)
  ofDots.fill()
  return [null, context.createPattern(lines, 'repeat'), context.createPattern(dots, 'repeat')]
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ model: import('./trace-model.js').TraceModel, paints: Paints, hatches: Hatches, scale: number,
 *   top: number, span: number }} at
 */
function paintSpan(context, { model, paints, hatches, scale, top, span }) {
  const { start_ns: start, duration_ns: length } = model.spans
  const left = start[span] * scale
  const right = Math.max(left + 1.5, (start[span] + length[span]) * scale)
  context.fillStyle = paints.bar
  context.fillRect(left, top + BAR_TOP + 4, right - left, BAR - 8)
  paintOwnTime(context, { model, paints, hatches, scale, top: top + BAR_TOP, span })
  context.fillStyle = paints.path
  for (const at of model.sections.get(span) ?? []) {
    const [from, to] = [model.waterfall.path[at + 1] * scale, model.waterfall.path[at + 2] * scale]
    context.fillRect(from, top + PATH_TOP, Math.max(1, to - from), 2)
  }
}

/**
 * The duration behind the bar, or before it where there is no room; over the lines that cross it.
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {{ row: number, scale: number }} at
 */
function paintLabel(context, { model, rows, paints, scrollTop, width }, { row, scale }) {
  const { start_ns: start, duration_ns: length } = model.spans
  const span = rows[row]
  const text = duration(length[span])
  const size = widthOf(context, text)
  const right = (start[span] + length[span]) * scale + LABEL_GAP
  const x = right + size < width ? right : Math.max(0, start[span] * scale - size - LABEL_GAP)
  const y = row * ROW - scrollTop + BAR_TOP + BAR / 2
  context.lineWidth = 4
  context.strokeStyle = paints.panel
  context.fillStyle = paints.text
  context.strokeText(text, x, y)
  context.fillText(text, x, y)
}

const WIDTHS_MAX = 2_000
/** @type {Map<string, number>} */
const widths = new Map()

/** Durations are of three digits, so most rows repeat another's. @param {CanvasRenderingContext2D} context @param {string} text */
function widthOf(context, text) {
  const known = widths.get(text)
  if (known !== undefined) return known
  if (widths.size >= WIDTHS_MAX) widths.clear()
  const { width } = context.measureText(text)
  widths.set(text, width)
  return width
}

/**
 * The gaps between children, each filled with the span's phases from top to bottom by their shares. Gaps that fall on the
 * pixel of the one before are left out: a span may have more of them than a screen has pixels.
 * @param {CanvasRenderingContext2D} context
 * @param {{ model: import('./trace-model.js').TraceModel, paints: Paints, hatches: Hatches, scale: number,
 *   top: number, span: number }} at
 */
function paintOwnTime(context, { model, paints, hatches, scale, top, span }) {
  const times = model.gapTimes(span)
  const all = times.reduce((sum, { ns }) => sum + ns, 0)
  if (all <= 0) return
  const gaps = model.gapsOf(span)
  let painted = -1
  for (let at = 0; at < gaps.length; at += 2) {
    const left = Math.max(painted, gaps[at] * scale)
    const right = Math.max(gaps[at] * scale + 0.75, gaps[at + 1] * scale)
    if (right - painted < 0.75) continue
    painted = right
    let y = top
    for (const { phase, grade, ns } of times) {
      const size = (ns / all) * BAR
      context.fillStyle = paints.phases[phase]
      context.fillRect(left, y, right - left, size)
      const hatch = hatches[grade]
      if (hatch !== null && right - left > 3) {
        context.fillStyle = hatch
        context.fillRect(left, y, right - left, size)
      }
      y += size
    }
  }
}

/**
 * Where the critical path goes from one span to another, as a thin upright line between their rows.
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {number} scale
 */
function paintJumps(context, { model, rowOf, paints, scrollTop, height }, scale) {
  const { path } = model.waterfall
  context.fillStyle = paints.path
  context.globalAlpha = 0.4
  let lastX = -1
  for (let at = 0; at + 3 < path.length; at += 3) {
    const [from, to] = [rowOf[path[at]], rowOf[path[at + 3]]]
    if (from < 0 || to < 0) continue
    const top = Math.max(-ROW, Math.min(from, to) * ROW - scrollTop + PATH_TOP)
    const bottom = Math.min(height + ROW, Math.max(from, to) * ROW - scrollTop + PATH_TOP + 2)
    const x = path[at + 2] * scale
    if (bottom <= top || x - lastX < 0.5) continue
    lastX = x
    context.fillRect(x - 0.5, top, 1, bottom - top)
  }
  context.globalAlpha = 1
}
