import { type SettledTable, type SettledThrough } from '../model/logged.ts'

/** Words of a trace: its id, the sequence it is settled through, one that some parts are settled through, and how many. */
const WORDS = 10
const Word = { through: 4, partsThrough: 6, parts: 8, used: 9 } as const
const SLOTS_MIN = 1 << 10
const FULL_SHARE = 0.5

/** Up to where the spans of traces were settled, by trace id. */
export interface SettledTraces extends SettledTable {
  /** Of a trace counted in several parts, each says so once: it is settled when all have. False when there is no room. */
  readonly add: (traceId: Uint32Array, last: number, parts: number) => boolean
  readonly traces: () => number
}

/** Slots in memory that all threads can read. */
interface Slots {
  readonly words: Uint32Array
  readonly doubles: Float64Array
}

const slotsIn = (shared: SharedArrayBuffer): Slots => ({
  words: new Uint32Array(shared),
  doubles: new Float64Array(shared)
})
const emptySlots = (slots: number): Slots => slotsIn(new SharedArrayBuffer(slots * WORDS * 4))

/** The slot of a trace, or of where it would be. */
function seek({ words }: Slots, ids: Uint32Array, at: number): number {
  const slots = words.length / WORDS
  // The second half of an id is random, also where the first holds a time.
  let slot = Math.imul((ids[at + 3] as number) ^ ((ids[at + 2] as number) >>> 7), 0x9e3779b1) & (slots - 1)
  while (words[slot * WORDS + Word.used] === 1 && !isTrace(words, slot, ids, at)) slot = (slot + 1) & (slots - 1)
  return slot
}

function isTrace(words: Uint32Array, slot: number, ids: Uint32Array, at: number): boolean {
  for (let word = 0; word < 4; word++) if (words[slot * WORDS + word] !== ids[at + word]) return false
  return true
}

function through(slots: Slots, ids: Uint32Array, at: number): number {
  const first = seek(slots, ids, at) * WORDS
  return slots.words[first + Word.used] === 1 ? (slots.doubles[(first + Word.through) >> 1] as number) : -1
}

/** What another thread said is settled; it must have said all of it. */
export function openSettledTraces(shared: SharedArrayBuffer): SettledThrough {
  const slots = slotsIn(shared)
  return (ids, at) => through(slots, ids, at)
}

export function createSettledTraces(tracesMax: number): SettledTraces {
  let slots = emptySlots(SLOTS_MIN)
  let traces = 0

  function grow(): void {
    const { words: old } = slots
    slots = emptySlots((2 * old.length) / WORDS)
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + Word.used] === 1) slots.words.set(old.subarray(from, from + WORDS), seek(slots, old, from) * WORDS)
    }
  }

  /** The first word of a trace, made if it is new; -1 when there is no room. */
  function place(ids: Uint32Array): number {
    let at = seek(slots, ids, 0) * WORDS
    if (slots.words[at + Word.used] === 1) return at
    if (traces === tracesMax) return -1
    if (traces + 1 > (slots.words.length / WORDS) * FULL_SHARE) {
      grow()
      at = seek(slots, ids, 0) * WORDS
    }
    traces += 1
    const { words, doubles } = slots
    words.set(ids.subarray(0, 4), at)
    words[at + Word.used] = 1
    doubles[(at + Word.through) >> 1] = -1
    doubles[(at + Word.partsThrough) >> 1] = -1
    return at
  }

  return {
    add(traceId, last, parts) {
      const at = place(traceId)
      if (at < 0) return false
      const { words, doubles } = slots
      if (doubles[(at + Word.partsThrough) >> 1] !== last) words[at + Word.parts] = 0
      doubles[(at + Word.partsThrough) >> 1] = last
      const settled = (words[at + Word.parts] as number) + 1
      words[at + Word.parts] = settled
      if (settled >= parts) doubles[(at + Word.through) >> 1] = last
      return true
    },
    through: (ids, at) => through(slots, ids, at),
    shared: () => slots.words.buffer as SharedArrayBuffer,
    traces: () => traces
  }
}
