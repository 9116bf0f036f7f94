import { svg } from './dom.js'
import { count, duration } from './format.js'
import { phaseColour, phaseNames } from './phases.js'

/**
 * @typedef {{ requests: number, phases_mean_ns: Record<string, number> }} Means
 * @typedef {{ from_unix_ms: number, to_unix_ms: number, requests: number, outcomes: Record<string, number>,
 *   quantiles_ns: { p50: number, p95: number, p99: number | null, p999: number | null },
 *   body: Means | null, tail: Means | null }} Point
 * @typedef {{ from_unix_ms: number, to_unix_ms: number, since_unix_ms: number | null, points: Point[],
 *   versions: { at_unix_ms: number, version: string }[] }} History
 */

export const WIDTH = 960
const LEFT = 56
const TOP = 30
const LINES = 130
const GAP = 22
const BARS = 96
const BOTTOM = 18
const HEIGHT = TOP + LINES + GAP + BARS + BOTTOM
/** A stretch without requests longer than so many points ends a line. */
const BREAK_POINTS = 2.5

/**
 * Durations over time on a logarithmic axis, below it what a slow request of each stretch was made of. Versions that began
 * to answer are marked across both.
 * @param {History} history
 * @param {number | undefined} chosen point under the cursor
 */
export function timeChart(history, chosen) {
  const { points, versions, from_unix_ms: fromMs, to_unix_ms: toMs } = history
  const chart = svg('svg.over-time', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': inWords(history) })
  const x = xOf(history)
  if (points.length > 0) {
    drawDurations(chart, points, x)
    drawPhases(chart, points, x)
  }
  for (const [ms, label] of timeTicks(fromMs, toMs)) {
    chart.append(svg('line.tick', { x1: x(ms), x2: x(ms), y1: TOP, y2: HEIGHT - BOTTOM }))
    chart.append(svg('text', { x: x(ms), y: HEIGHT - 4, 'text-anchor': 'middle' }, label))
  }
  drawVersions(chart, versions, x)
  const point = chosen === undefined ? undefined : points[chosen]
  if (point !== undefined) {
    const at = x((point.from_unix_ms + point.to_unix_ms) / 2)
    chart.append(svg('line.cursor', { x1: at, x2: at, y1: TOP - 4, y2: HEIGHT - BOTTOM }))
  }
  return chart
}

/** @param {History} history @returns {(ms: number) => number} */
const xOf =
  ({ from_unix_ms: fromMs, to_unix_ms: toMs }) =>
  (ms) =>
    LEFT + ((ms - fromMs) / (toMs - fromMs)) * (WIDTH - LEFT)

/**
 * The point nearest to a place of the chart.
 * @param {History} history
 * @param {number} at 0 to 1 across the chart
 * @returns {number | undefined}
 */
export function pointAt({ points, from_unix_ms: fromMs, to_unix_ms: toMs }, at) {
  const ms = fromMs + ((at * WIDTH - LEFT) / (WIDTH - LEFT)) * (toMs - fromMs)
  let best
  let distance = Infinity
  for (const [i, point] of points.entries()) {
    const away = Math.abs((point.from_unix_ms + point.to_unix_ms) / 2 - ms)
    if (away >= distance) continue
    distance = away
    best = i
  }
  return best
}

/**
 * @param {SVGElement} chart
 * @param {readonly Point[]} points
 * @param {(ms: number) => number} x
 */
function drawDurations(chart, points, x) {
  const lowest = Math.min(...points.map(({ quantiles_ns: { p50 } }) => p50))
  const highest = Math.max(...points.map(({ quantiles_ns: { p50, p99 } }) => p99 ?? p50))
  const from = Math.log2(lowest) - 0.3
  const to = Math.max(Math.log2(highest) + 0.3, from + 2)
  /** @param {number} ns */
  const y = (ns) => TOP + LINES - ((Math.log2(ns) - from) / (to - from)) * LINES
  for (const ns of durationTicks(2 ** from, 2 ** to)) {
    chart.append(svg('line', { x1: LEFT, x2: WIDTH, y1: y(ns), y2: y(ns) }))
    chart.append(svg('text', { x: LEFT - 6, y: y(ns) + 4, 'text-anchor': 'end' }, short(ns)))
  }
  for (const quantile of /** @type {const} */ (['p50', 'p99'])) {
    for (const run of runs(points, quantile)) {
      const path = run.map(([ms, ns], i) => `${i === 0 ? 'M' : 'L'}${x(ms).toFixed(1)} ${y(ns).toFixed(1)}`).join('')
      // A run of one point is a dot.
      chart.append(svg(`path.line-${quantile}`, { d: run.length === 1 ? `${path}h0.01` : path }))
    }
  }
}

/**
 * Points of a quantile that are next to each other.
 * @param {readonly Point[]} points
 * @param {'p50' | 'p99'} quantile
 * @returns {[ms: number, ns: number][][]}
 */
function runs(points, quantile) {
  /** @type {[number, number][][]} */
  const found = []
  const widths = points.map(({ from_unix_ms: from, to_unix_ms: to }) => to - from)
  let lastMs = -Infinity
  for (const [i, { from_unix_ms: from, to_unix_ms: to, quantiles_ns: quantiles }] of points.entries()) {
    const ns = quantiles[quantile]
    if (ns === null) continue
    const ms = (from + to) / 2
    if (ms - lastMs > BREAK_POINTS * Math.max(widths[i] ?? 0, widths[i - 1] ?? 0)) found.push([])
    found.at(-1)?.push([ms, ns])
    lastMs = ms
  }
  return found
}

/**
 * @param {SVGElement} chart
 * @param {readonly Point[]} points
 * @param {(ms: number) => number} x
 */
function drawPhases(chart, points, x) {
  const bottom = TOP + LINES + GAP + BARS
  const highest = Math.max(1, ...points.map(({ tail }) => sum(tail)))
  chart.append(svg('line.tick', { x1: LEFT, x2: WIDTH, y1: bottom, y2: bottom }))
  chart.append(svg('text', { x: LEFT - 6, y: bottom - BARS + 8, 'text-anchor': 'end' }, short(highest)))
  for (const { tail, from_unix_ms: from, to_unix_ms: to } of points) {
    if (tail === null) continue
    let y = bottom
    const left = Math.max(LEFT, x(from))
    for (const phase of phaseNames) {
      const height = ((tail.phases_mean_ns[phase] ?? 0) / highest) * BARS
      if (height < 0.2) continue
      y -= height
      chart.append(
        svg('rect', {
          x: left + 0.5,
          y,
          width: Math.max(1, x(to) - left - 1),
          height,
          style: { fill: phaseColour(phase) }
        })
      )
    }
  }
}

/**
 * Labels take turns on two lines, so that a roll-out of several versions can be read.
 * @param {SVGElement} chart
 * @param {History['versions']} versions
 * @param {(ms: number) => number} x
 */
function drawVersions(chart, versions, x) {
  for (const [i, { at_unix_ms: ms, version }] of versions.entries()) {
    const at = Math.max(LEFT, x(ms))
    const y = i % 2 === 0 ? 10 : 23
    const anchor = at > WIDTH - 120 ? 'end' : 'start'
    chart.append(svg('line.version', { x1: at, x2: at, y1: y - 9, y2: HEIGHT - BOTTOM }))
    const label = svg('text.strong', { x: at + (anchor === 'end' ? -4 : 4), y, 'text-anchor': anchor }, clip(version))
    label.append(svg('title', {}, `${version} since ${new Date(ms).toLocaleString()}`))
    chart.append(label)
  }
}

const VERSION_CHARS = 16
/** @param {string} version */
const clip = (version) => (version.length > VERSION_CHARS ? `${version.slice(0, VERSION_CHARS - 1)}\u2026` : version)

/**
 * Round times of the reader's clock, six to twelve of them.
 * @param {number} fromMs
 * @param {number} toMs
 * @returns {[number, string][]}
 */
function timeTicks(fromMs, toMs) {
  const MINUTE_MS = 60_000
  const minutes = [5, 10, 15, 30, 60, 120, 180, 360].find((step) => (toMs - fromMs) / (step * MINUTE_MS) <= 9) ?? 720
  const stepMs = minutes * MINUTE_MS
  const offsetMs = new Date(toMs).getTimezoneOffset() * MINUTE_MS
  /** @type {[number, string][]} */
  const found = []
  for (let ms = Math.ceil((fromMs - offsetMs) / stepMs) * stepMs + offsetMs; ms <= toMs; ms += stepMs) {
    if (ms - fromMs > (toMs - fromMs) * 0.02 && toMs - ms > (toMs - fromMs) * 0.02) found.push([ms, clock(ms)])
  }
  return found
}

/** @param {number} ms */
export const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })

/**
 * @param {number} fromNs
 * @param {number} toNs
 * @returns {number[]}
 */
function durationTicks(fromNs, toNs) {
  const steps = toNs / fromNs > 200 ? [1] : toNs / fromNs > 25 ? [1, 3] : [1, 2, 5]
  const found = []
  for (let power = 10 ** Math.floor(Math.log10(fromNs)); power < toNs; power *= 10) {
    for (const step of steps) if (power * step > fromNs && power * step < toNs) found.push(power * step)
  }
  return found
}

/** @param {number} ns */
const short = (ns) => duration(ns).replace(/\.0+(?=\D)/, '')

/** @param {Means | null} means */
export const sum = (means) => Object.values(means?.phases_mean_ns ?? {}).reduce((all, ns) => all + ns, 0)

/** @param {History} history */
function inWords({ points, versions }) {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return 'No requests in this time'
  const of = /** @param {Point} point */ ({ quantiles_ns: { p50, p99 } }) =>
    `half within ${duration(p50)}, 99 % within ${duration(p99)}`
  const requests = points.reduce((all, point) => all + point.requests, 0)
  const changes = versions.map(({ at_unix_ms: ms, version }) => `version ${version} at ${clock(ms)}`)
  return [`${count(requests)} requests; at first ${of(first)}, at last ${of(last)}`, ...changes].join('; ')
}
