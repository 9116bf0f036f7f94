import { type Turn } from './slice-stream.ts'

/** A JSON text in slices of some milliseconds of work; an empty one is only a pause. Returns false when there is nothing to say. */
export type TextSlices = Iterator<string, boolean, undefined>

/** Items written at once. */
const ITEMS_A_SLICE = 1_000

/** The items of a JSON list, with its brackets. */
export function* listText(n: number, item: (index: number) => unknown): Generator<string> {
  for (let from = 0; from < n; from += ITEMS_A_SLICE) {
    const items = Array.from({ length: Math.min(ITEMS_A_SLICE, n - from) }, (_, i) => JSON.stringify(item(from + i)))
    yield (from === 0 ? '[' : ',') + items.join(',')
  }
  yield n === 0 ? '[]' : ']'
}

/** The members of a JSON object, each found when its turn comes, or written in slices of its own. */
export function* objectText(
  members: readonly (readonly [key: string, value: () => unknown])[],
  lists: readonly (readonly [key: string, slices: () => Iterable<string>])[] = []
): Generator<string> {
  let before = '{'
  for (const [key, value] of members) {
    yield `${before}${JSON.stringify(key)}:${JSON.stringify(value())}`
    before = ','
  }
  for (const [key, slices] of lists) {
    yield `${before}${JSON.stringify(key)}:`
    yield* slices()
    before = ','
  }
  yield '}'
}

/** Texts waited for; a further one is refused. Each costs a kept trace's worth of memory while it is made. */
const WAITING_MAX = 16

/**
 * Makes one text at a time, a slice a turn, and all of it before any is sent: whoever reads slowly holds up nobody. Undefined
 * when there is nothing; 'busy' when too many wait.
 */
export function createTextMaker(turn: Turn): (slices: () => TextSlices) => Promise<Buffer | undefined | 'busy'> {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  async function make(slices: TextSlices): Promise<Buffer | undefined> {
    const parts: Buffer[] = []
    for (;;) {
      const { done, value } = slices.next()
      if (done === true) return value ? Buffer.concat(parts) : undefined
      if (value !== '') parts.push(Buffer.from(value))
      await new Promise<void>(turn)
    }
  }

  return async (slices) => {
    if (waiting >= WAITING_MAX) return 'busy'
    waiting += 1
    const mine = last.then(() => make(slices()))
    last = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      waiting -= 1
    }
  }
}
