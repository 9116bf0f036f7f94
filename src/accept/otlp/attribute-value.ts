/** Bytes that ranges point into: the request itself, or what JSON strings were encoded to. */
export interface ByteSource {
  readonly bytes: Uint8Array
  /** Of the same bytes. */
  readonly view: DataView
}

export const noBytes: ByteSource = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)) }

export const ValueKind = { none: 0, text: 1, number: 2 } as const

/** The attribute value being read: a number, or bytes[start, end) as text; of a string array, its first element. Reused. */
export interface AttributeValue {
  kind: number
  start: number
  end: number
  number: number
}

export function createAttributeValue(): AttributeValue {
  return { kind: ValueKind.none, start: 0, end: 0, number: NaN }
}

/** Texts longer than any number's are no numbers. */
const NUMBER_BYTES_MAX = 40
const EXACT_DIGITS = 15

/** The decimal number that bytes[start, end) spell, NaN when they spell none. */
export function numberFromText(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > NUMBER_BYTES_MAX) return NaN
  let value = 0
  let at = start
  while (at < end) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    at++
  }
  if (at === end && end - start <= EXACT_DIGITS) return value
  let text = ''
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number)
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN
}

const timeoutWords = ['timeout', 'timed out', 'timedout', 'timed_out', 'deadline', 'cancel'].map((word) =>
  new TextEncoder().encode(word)
)

/** Whether bytes[start, end) speak of a timeout, a deadline or a cancellation, in any case. */
export function saysTimeout(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const first = (bytes[at] as number) | 0x20
    if (first !== 0x74 && first !== 0x64 && first !== 0x63) continue
    if (timeoutWords.some((word) => startsWithWord(bytes, at, end, word))) return true
  }
  return false
}

/** Whether bytes[at, end) begin with a lower-case ASCII word, in any case. */
export function startsWithWord(bytes: Uint8Array, at: number, end: number, word: Uint8Array): boolean {
  if (end - at < word.length) return false
  for (let i = 0; i < word.length; i++) {
    const wanted = word[i] as number
    const byte = bytes[at + i] as number
    const isLetter = wanted >= 0x61 && wanted <= 0x7a
    if ((isLetter ? byte | 0x20 : byte) !== wanted) return false
  }
  return true
}
