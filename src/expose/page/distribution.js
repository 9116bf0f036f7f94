import { svg } from './dom.js'
import { count, duration } from './format.js'

const WIDTH = 640
const HEIGHT = 150
const TOP = 34
const BOTTOM = 18
const PER_OCTAVE = 8

/**
 * Durations on a logarithmic axis, coloured by band, with the thresholds drawn.
 * @param {readonly [upperNs: number, requests: number][]} bars
 * @param {Record<string, number | null>} quantiles
 */
export function distribution(bars, quantiles) {
  const height = TOP + HEIGHT + BOTTOM
  const chart = svg('svg.distribution', {
    viewBox: `0 0 ${WIDTH} ${height}`,
    role: 'img',
    'aria-label': inWords(bars, quantiles)
  })
  const [first, last] = [bars[0], bars.at(-1)]
  if (first === undefined || last === undefined) return chart
  const from = Math.log2(first[0]) - 1 / PER_OCTAVE
  const to = Math.max(Math.log2(last[0]), from + 1)
  /** @param {number} ns */
  const x = (ns) => ((Math.log2(ns) - from) / (to - from)) * WIDTH
  const highest = Math.max(...bars.map(([, requests]) => requests), 1)
  const { p50 = null, p99 = null } = quantiles

  if (p99 !== null)
    chart.append(svg('rect.shade', { x: x(p99), y: TOP, width: Math.max(0, WIDTH - x(p99)), height: HEIGHT }))
  for (const [ns, label] of ticks(2 ** from, 2 ** to)) {
    chart.append(svg('line', { x1: x(ns), x2: x(ns), y1: TOP, y2: TOP + HEIGHT }))
    chart.append(svg('text', { x: x(ns), y: height - 4, 'text-anchor': x(ns) > WIDTH - 30 ? 'end' : 'middle' }, label))
  }
  for (const [upper, requests] of bars) {
    if (requests === 0) continue
    const size = Math.max(1.5, Math.sqrt(requests / highest) * HEIGHT)
    const left = x(upper / 2 ** (1 / PER_OCTAVE))
    const kind = p50 !== null && upper <= p50 * 1.05 ? 'usual' : p99 !== null && upper > p99 * 1.02 ? 'slow' : 'between'
    const bar = svg(`rect.${kind}`, {
      x: left + 0.5,
      y: TOP + HEIGHT - size,
      width: Math.max(1, x(upper) - left - 1),
      height: size,
      rx: 1
    })
    bar.append(svg('title', {}, `up to ${duration(upper)}: ${count(requests)} requests`))
    chart.append(bar)
  }
  drawThresholds(chart, quantiles, x)
  return chart
}

/**
 * Labels take turns on two lines, so that near thresholds do not cover each other.
 * @param {SVGElement} chart
 * @param {Record<string, number | null>} quantiles
 * @param {(ns: number) => number} x
 */
function drawThresholds(chart, quantiles, x) {
  const names = { p50: 'p50', p95: 'p95', p99: 'p99', p999: 'p99.9' }
  let line = 0
  for (const [key, name] of Object.entries(names)) {
    const ns = quantiles[key]
    if (ns === null || ns === undefined) continue
    const at = Math.min(WIDTH, Math.max(0, x(ns)))
    const y = line++ % 2 === 0 ? 24 : 10
    const anchor = at > WIDTH - 80 ? 'end' : 'start'
    chart.append(svg('line.threshold', { x1: at, x2: at, y1: y - 8, y2: TOP + HEIGHT }))
    chart.append(
      svg('text.strong', { x: at + (anchor === 'end' ? -4 : 4), y, 'text-anchor': anchor }, `${name} ${duration(ns)}`)
    )
  }
}

/**
 * Round durations within the axis, at most one each factor of two, five, ten.
 * @param {number} fromNs
 * @param {number} toNs
 * @returns {[number, string][]}
 */
function ticks(fromNs, toNs) {
  const steps = toNs / fromNs > 2_000 ? [1] : toNs / fromNs > 60 ? [1, 3] : [1, 2, 5]
  /** @type {[number, string][]} */
  const found = []
  for (let power = 10 ** Math.floor(Math.log10(fromNs)); power < toNs; power *= 10) {
    for (const step of steps) {
      const ns = power * step
      if (ns > fromNs && ns < toNs) found.push([ns, duration(ns).replace(/\.0+(?=\D)/, '')])
    }
  }
  return found
}

/**
 * @param {readonly [number, number][]} bars
 * @param {Record<string, number | null>} quantiles
 * @returns {string}
 */
function inWords(bars, { p50 = null, p99 = null }) {
  const requests = bars.reduce((sum, [, n]) => sum + n, 0)
  return `${count(requests)} requests; half within ${duration(p50)}, 99 % within ${duration(p99)}, the longest about ${duration(bars.at(-1)?.[0])}`
}
