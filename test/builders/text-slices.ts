import { type TextSlices } from '../../src/expose/index.ts'

/** What slices of JSON say, undefined when they have nothing to say. */
export function readText(slices: TextSlices): unknown {
  let text = ''
  for (;;) {
    const { done, value } = slices.next()
    if (done === true) return value ? (JSON.parse(text) as unknown) : undefined
    text += value
  }
}

/** An answer that was made before. */
export function* textOf(answer: object | undefined): Generator<string, boolean> {
  if (answer === undefined) return false
  yield JSON.stringify(answer)
  return true
}
