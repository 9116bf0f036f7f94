const UNITS = /** @type {const} */ ([
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, '\u00b5s'],
  [1, 'ns']
])

/**
 * A duration as a number of three digits and its unit.
 * @param {number | null | undefined} ns
 * @returns {[number: string, unit: string]}
 */
export function durationParts(ns) {
  if (ns === null || ns === undefined || Number.isNaN(ns)) return ['\u2013', '']
  if (ns === 0) return ['0', '']
  const size = Math.abs(ns)
  // 999.6 us reads 1.00 ms, never 1000 us.
  const [scale, unit] = UNITS.find(([one]) => size >= one * 0.9995) ?? [1, 'ns']
  const value = ns / scale
  const digits = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2
  return [value.toFixed(unit === 'ns' ? 0 : digits).replace('-', '\u2212'), unit]
}

/** @param {number | null | undefined} ns */
export const duration = (ns) => durationParts(ns).filter(Boolean).join('\u00a0')

/** @param {number | null | undefined} ns */
export const signed = (ns) => (ns !== null && ns !== undefined && ns > 0 ? `+${duration(ns)}` : duration(ns))

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
/** @param {number} count */
export const count = (count) => whole.format(count)

/**
 * @param {number | null | undefined} share 0 to 1
 * @returns {string}
 */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return '\u2013'
  const value = share * 100
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)}\u00a0%`
}

/**
 * @param {number} factor
 * @returns {string}
 */
export const times = (factor) => `${factor < 9.95 ? factor.toFixed(1) : factor.toFixed(0)}\u00d7`

/**
 * How long ago, in the largest unit that fits.
 * @param {number} thenMs
 * @param {number} nowMs
 * @returns {string}
 */
export function ago(thenMs, nowMs) {
  const seconds = Math.max(0, Math.round((nowMs - thenMs) / 1e3))
  if (seconds < 60) return `${seconds}\u00a0s ago`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}\u00a0min ago`
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}\u00a0h ago`
  return `${Math.floor(seconds / 86_400)}\u00a0days ago`
}
