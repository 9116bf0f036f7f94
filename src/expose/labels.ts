import { createByteCursor } from './byte-cursor.ts'

export type LabelPair = readonly [name: string, value: string]

// Newlines stay: both text formats have an escape for them. Bidirectional controls could make a name look like another.
const unreadable = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\\(?=u[0-9a-f]{4})/g

/**
 * Control characters as `\u0000`, so that people and every scraper see them. A backslash that already stands before such
 * an escape is escaped the same way: two different names never become one.
 */
export function visible(text: string): string {
  return text.replace(unreadable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A label value between quotes, in both text formats. */
function quoted(value: string): string {
  const escaped = visible(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `"${escaped}"`
}

/** `a="x",b="y"`: escaped once, kept by whoever renders the same labels again. */
export function textLabels(pairs: readonly LabelPair[]): string {
  return pairs.map(([name, value]) => `${name}=${quoted(value)}`).join(',')
}

/** The same as LabelPair messages, field 1 of both Metric and Exemplar. */
export function protobufLabels(pairs: readonly LabelPair[]): Uint8Array {
  const all = createByteCursor(256)
  const one = createByteCursor(256)
  for (const [name, value] of pairs) {
    one.clear()
    one.text(0x0a, name)
    one.text(0x12, visible(value))
    all.message(0x0a, one.view())
  }
  return all.copy()
}
