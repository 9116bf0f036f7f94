import type { Strings } from '../../runtime/strings.ts'
import { enlarge } from '../scratch.ts'

const UNKNOWN = 0
const NO = 1
const YES = 2

/** A test of texts, made once per interned string. */
export function createTextCache(test: (text: string) => boolean, strings: Strings): (id: number) => boolean {
  let known = new Uint8Array(0)
  let generation = -1
  return (id) => {
    if (generation !== strings.generation()) {
      known.fill(UNKNOWN)
      generation = strings.generation()
    }
    if (id >= known.length) known = enlarge(known, Math.max(id + 1, strings.capacity()))
    let answer = known[id] as number
    if (answer === UNKNOWN) answer = known[id] = test(strings.text(id)) ? YES : NO
    return answer === YES
  }
}
