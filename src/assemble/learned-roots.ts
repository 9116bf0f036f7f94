import { type Marks } from '../runtime/stage.ts'
import { hashSpanId } from './id-index.ts'

/** An operation counts as a root when its remote parent never came in 99 % of its last 200 traces. */
const HISTORY_TRACES = 200
const ORPHANED_MIN = 198

export const LEARNED_OPERATIONS_MAX = 4_096
/** Places an operation can be in; the one used longest ago makes room. */
const PLACES = 8

const ROW_WORDS = 14
const HISTORY_WORDS = Math.ceil(HISTORY_TRACES / 32)
const Word = { service: 0, operation: 1, trace: 2, traces: 3, orphaned: 4, next: 5, known: 6, history: 7 } as const

/** Which operations are roots though they name a parent: behind an ingress or a browser that sends no spans. */
export interface LearnedRoots {
  /** How it was in one trace, by its number (of 32 bits): several spans of one operation there are one entry. */
  readonly observe: (service: number, operation: number, orphaned: boolean, trace: number) => void
  /** The parent of an entry that was taken for orphaned has come after all. */
  readonly retract: (service: number, operation: number) => void
  readonly isRoot: (service: number, operation: number) => boolean
  readonly mark: (marks: Marks) => void
  readonly bytes: () => number
}

export function createLearnedRoots(seed: number, forgotten: () => void): LearnedRoots {
  const words = new Uint32Array(LEARNED_OPERATIONS_MAX * ROW_WORDS)

  let operations = 0

  /** First word of an operation, or -1. */
  function find(service: number, operation: number): number {
    if (operations === 0) return -1
    const first = placesOf(service, operation)
    for (let place = first; place < first + PLACES; place++) {
      const at = place * ROW_WORDS
      if (
        words[at + Word.operation] === operation &&
        words[at + Word.service] === service &&
        words[at + Word.known] === 1
      )
        return at
    }
    return -1
  }

  function placesOf(service: number, operation: number): number {
    return hashSpanId(service, operation, seed) & (LEARNED_OPERATIONS_MAX - 1) & -PLACES
  }

  function enter(service: number, operation: number, trace: number): number {
    const chosen = placeFor(placesOf(service, operation) * ROW_WORDS, trace)
    if (words[chosen + Word.known] === 1) forgotten()
    else operations += 1
    words.fill(0, chosen, chosen + ROW_WORDS)
    words[chosen + Word.service] = service
    words[chosen + Word.operation] = operation
    words[chosen + Word.known] = 1
    words[chosen + Word.trace] = trace - 1
    return chosen
  }

  /** A free place, else the one whose last trace is longest ago; numbers may wrap. */
  function placeFor(first: number, trace: number): number {
    let chosen = first
    let longest = -1
    for (let at = first; at < first + PLACES * ROW_WORDS; at += ROW_WORDS) {
      if (words[at + Word.known] === 0) return at
      const age = (trace - (words[at + Word.trace] as number)) >>> 0
      if (age <= longest) continue
      longest = age
      chosen = at
    }
    return chosen
  }

  function setEntry(at: number, entry: number, orphaned: boolean): void {
    const word = at + Word.history + (entry >>> 5)
    const bit = 1 << (entry & 31)
    const was = ((words[word] as number) & bit) !== 0
    if (was === orphaned) return
    words[word] = (words[word] as number) ^ bit
    words[at + Word.orphaned] = (words[at + Word.orphaned] as number) + (orphaned ? 1 : -1)
  }

  return {
    observe(service, operation, orphaned, trace) {
      let at = find(service, operation)
      // Until its parent is missing for the first time, nothing is known about an operation, and most stay so.
      if (at < 0 && !orphaned) return
      if (at < 0) at = enter(service, operation, trace)
      const next = words[at + Word.next] as number
      if (words[at + Word.trace] === trace) {
        if (orphaned) setEntry(at, (next + HISTORY_TRACES - 1) % HISTORY_TRACES, true)
        return
      }
      words[at + Word.trace] = trace
      setEntry(at, next, orphaned)
      words[at + Word.next] = (next + 1) % HISTORY_TRACES
      if ((words[at + Word.traces] as number) < HISTORY_TRACES)
        words[at + Word.traces] = (words[at + Word.traces] as number) + 1
    },
    retract(service, operation) {
      const at = find(service, operation)
      if (at < 0) return
      // Which entry it was is forgotten; that there is one less is what counts.
      for (let word = at + Word.history; word < at + Word.history + HISTORY_WORDS; word++) {
        const bits = words[word] as number
        if (bits === 0) continue
        words[word] = bits & (bits - 1)
        words[at + Word.orphaned] = (words[at + Word.orphaned] as number) - 1
        return
      }
    },
    isRoot(service, operation) {
      const at = find(service, operation)
      return (
        at >= 0 && words[at + Word.traces] === HISTORY_TRACES && (words[at + Word.orphaned] as number) >= ORPHANED_MIN
      )
    },
    mark(marks) {
      for (let at = 0; at < words.length; at += ROW_WORDS) {
        if (words[at + Word.known] === 0) continue
        marks.strings[words[at + Word.service] as number] = 1
        marks.strings[words[at + Word.operation] as number] = 1
      }
    },
    bytes: () => words.byteLength
  }
}
