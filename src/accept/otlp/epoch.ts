import { numberFromText } from './attribute-value.ts'

/** Texts longer than any date are none. */
const TEXT_BYTES_MAX = 40
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** From 1973 on a moment's size tells its unit until the year 5138: ns, us, ms, s. */
const units = [
  { from: 1e17, to: 1e20, ns: 1 },
  { from: 1e14, to: 1e17, ns: 1e3 },
  { from: 1e11, to: 1e14, ns: 1e6 },
  { from: 1e8, to: 1e11, ns: 1e9 }
] as const

const unitOf = (said: number): (typeof units)[number] | undefined =>
  units.find(({ from, to }) => said >= from && said < to)

/** Moment in ns since 1970; NaN for what cannot be one. */
export function epochNs(said: number): number {
  const unit = unitOf(said)
  return unit === undefined ? NaN : Math.round(said * unit.ns)
}

/** How exact it is: whole seconds were cut to the second, whole milliseconds to the millisecond. */
export function epochExactNs(said: number): number {
  const unit = unitOf(said)
  return unit === undefined || !Number.isInteger(said) ? 1 : unit.ns
}

/** The number in `1700000000`, `t=1700000000.123` or `1700000000123456`, or the seconds of an ISO date; NaN without either. */
export function epochFromText(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > TEXT_BYTES_MAX) return NaN
  let from = start
  while (from < end && !isDigit(bytes[from] as number)) from++
  let to = end
  while (to > from && !isDigit(bytes[to - 1] as number)) to--
  const number = numberFromText(bytes, from, to)
  if (!Number.isNaN(number)) return number
  let text = ''
  for (let i = from; i < end; i++) text += String.fromCharCode(bytes[i] as number)
  return /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : NaN
}

const isDigit = (byte: number): boolean => byte >= DIGIT_0 && byte <= DIGIT_9
