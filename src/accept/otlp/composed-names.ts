import { type Strings } from '../../runtime/strings.ts'

/** How two strings become one: an operation's name, a process's identity. Few, and each pure. */
export type Composition = (a: string, b: string) => string

export interface ComposedNames {
  /** The interned id of the composition of two interned strings. String work happens once a pair. */
  readonly of: (composition: number, a: number, b: number) => number
  /** Pairs were forgotten because there were too many. */
  readonly forgotten: () => number
  readonly bytes: () => number
}

const FIRST_SLOTS = 1024
const WORDS = 4

/** A cache from (composition, a, b) to an interned id: open addressing over words, void when ids change their meaning. */
export function createComposedNames(
  strings: Strings,
  compositions: readonly Composition[],
  namesMax: number
): ComposedNames {
  let mask = FIRST_SLOTS - 1
  // Composition + 1 (0 = free), a, b, id.
  let words = new Uint32Array(FIRST_SLOTS * WORDS)
  let live = 0
  let generation = strings.generation()
  let forgotten = 0

  function slotOf(composition: number, a: number, b: number): number {
    let h = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0x9e3779b1) + composition
    h ^= h >>> 15
    let slot = h & mask
    for (;;) {
      const at = slot * WORDS
      const found = words[at] as number
      if (found === 0 || (found === composition + 1 && words[at + 1] === a && words[at + 2] === b)) return at
      slot = (slot + 1) & mask
    }
  }

  function clear(): void {
    if (live === 0) return
    words.fill(0)
    live = 0
  }

  function grow(): void {
    const old = words
    mask = mask * 2 + 1
    words = new Uint32Array((mask + 1) * WORDS)
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at] === 0) continue
      const to = slotOf((old[at] as number) - 1, old[at + 1] as number, old[at + 2] as number)
      words.set(old.subarray(at, at + WORDS), to)
    }
  }

  function compose(composition: number, a: number, b: number): number {
    const make = compositions[composition] as Composition
    const id = strings.internText(make(strings.text(a), strings.text(b)))
    if (live >= namesMax) {
      forgotten += live
      clear()
    }
    if (live * 2 >= mask) grow()
    const at = slotOf(composition, a, b)
    words[at] = composition + 1
    words[at + 1] = a
    words[at + 2] = b
    words[at + 3] = id
    live += 1
    return id
  }

  return {
    of(composition, a, b) {
      if (generation !== strings.generation()) {
        clear()
        generation = strings.generation()
      }
      const at = slotOf(composition, a, b)
      return words[at] === 0 ? compose(composition, a, b) : (words[at + 3] as number)
    },
    forgotten: () => forgotten,
    bytes: () => words.byteLength
  }
}
