const COMMA = 0x2c
const SEMICOLON = 0x3b
const OT_MEMBER = new TextEncoder().encode('ot=')
const THRESHOLD = new TextEncoder().encode('th:')
const DIGITS_MAX = 14

/**
 * The rejection threshold that OpenTelemetry's consistent probability sampling leaves in tracestate (`ot=…;th:<hex>`),
 * as a share of all traces in [0, 1); NaN without one. Trailing zeros of its 14 hex digits are left out on the wire.
 */
export function samplingThreshold(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end) {
    while (at < end && isBlank(bytes[at] as number)) at++
    let memberEnd = at
    while (memberEnd < end && bytes[memberEnd] !== COMMA) memberEnd++
    if (startsWith(bytes, at, memberEnd, OT_MEMBER)) return thresholdOf(bytes, at + OT_MEMBER.length, memberEnd)
    at = memberEnd + 1
  }
  return NaN
}

function thresholdOf(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let valueEnd = end
  while (valueEnd > at && isBlank(bytes[valueEnd - 1] as number)) valueEnd--
  while (at < valueEnd) {
    let partEnd = at
    while (partEnd < valueEnd && bytes[partEnd] !== SEMICOLON) partEnd++
    if (startsWith(bytes, at, partEnd, THRESHOLD)) return hexFraction(bytes, at + THRESHOLD.length, partEnd)
    at = partEnd + 1
  }
  return NaN
}

function hexFraction(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > DIGITS_MAX) return NaN
  let fraction = 0
  let place = 1 / 16
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : NaN
    fraction += digit * place
    place /= 16
  }
  // The last of 56 bits may round up to a whole, and a threshold of 1 would be a weight without end.
  return Math.min(fraction, 1 - Number.EPSILON)
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09
}

function startsWith(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start < word.length) return false
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return false
  return true
}
