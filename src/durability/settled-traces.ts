/** Words of a trace: its id, the sequence it is settled through, one that some parts are settled through, and how many. */
const WORDS = 10
const Word = { through: 4, partsThrough: 6, parts: 8, used: 9 } as const
const SLOTS_MIN = 1 << 10
const FULL_SHARE = 0.5

/** Up to where the spans of traces were settled, by trace id. */
export interface SettledTraces {
  /** Of a trace counted in several parts, each says so once: it is settled when all have. False when there is no room. */
  readonly add: (traceId: Uint32Array, last: number, parts: number) => boolean
  /** The sequence that the trace whose id is at ids[at] is settled through; -1 = it is not. */
  readonly through: (ids: Uint32Array, at: number) => number
  readonly traces: () => number
}

export function createSettledTraces(tracesMax: number): SettledTraces {
  let mask = SLOTS_MIN - 1
  let words = new Uint32Array(SLOTS_MIN * WORDS)
  let doubles = new Float64Array(words.buffer)
  let traces = 0

  /** The slot of a trace, or of where it would be. */
  function seek(ids: Uint32Array, at: number): number {
    // The second half of an id is random, also where the first holds a time.
    let slot = Math.imul((ids[at + 3] as number) ^ ((ids[at + 2] as number) >>> 7), 0x9e3779b1) & mask
    while (words[slot * WORDS + Word.used] === 1 && !isTrace(slot, ids, at)) slot = (slot + 1) & mask
    return slot
  }

  function isTrace(slot: number, ids: Uint32Array, at: number): boolean {
    for (let word = 0; word < 4; word++) if (words[slot * WORDS + word] !== ids[at + word]) return false
    return true
  }

  function grow(): void {
    const old = words
    mask = mask * 2 + 1
    words = new Uint32Array((mask + 1) * WORDS)
    doubles = new Float64Array(words.buffer)
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + Word.used] === 1) words.set(old.subarray(from, from + WORDS), seek(old, from) * WORDS)
    }
  }

  /** The first word of a trace, made if it is new; -1 when there is no room. */
  function place(ids: Uint32Array): number {
    let at = seek(ids, 0) * WORDS
    if (words[at + Word.used] === 1) return at
    if (traces === tracesMax) return -1
    if (traces + 1 > (mask + 1) * FULL_SHARE) {
      grow()
      at = seek(ids, 0) * WORDS
    }
    traces += 1
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
      if (doubles[(at + Word.partsThrough) >> 1] !== last) words[at + Word.parts] = 0
      doubles[(at + Word.partsThrough) >> 1] = last
      const settled = (words[at + Word.parts] as number) + 1
      words[at + Word.parts] = settled
      if (settled >= parts) doubles[(at + Word.through) >> 1] = last
      return true
    },
    through(ids, at) {
      const slot = seek(ids, at) * WORDS
      return words[slot + Word.used] === 1 ? (doubles[(slot + Word.through) >> 1] as number) : -1
    },
    traces: () => traces
  }
}
