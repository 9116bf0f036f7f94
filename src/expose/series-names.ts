import { type Strings } from '../runtime/strings.ts'

/** What the interner puts in place of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd'
const CLAIMS_MAX = 10_000

/**
 * The text of an interned id as a label value, different for every id. Two names that differ only in broken bytes have one
 * text: the first keeps it, the other gets its id behind it. Prometheus would drop one of two equal series.
 */
export function createSeriesNames(strings: Strings): (id: number) => string {
  const claims = new Map<string, number>()
  return (id) => {
    const text = strings.text(id)
    if (!text.includes(REPLACEMENT)) return text
    const owner = claims.get(text)
    if (owner === id) return text
    // A claim ends when its id was swept and given to another string.
    if (owner !== undefined && strings.text(owner) === text) return `${text}#${id}`
    if (claims.size >= CLAIMS_MAX) claims.clear()
    claims.set(text, id)
    return text
  }
}
