import type { SharedMemory } from '../../runtime/shared-memory.ts'

/** A pod's identity may pass to its next process; more often than this, it is several processes' at once. */
const CHANGES_MAX = 4

/**
 * The other identities of a process. Spans may name the instance and metrics only the container: whoever sends both in one
 * resource says that they are the same process. What is read again and again stays; there is no order to it.
 */
export interface ProcessAliases {
  /** `identity` is one of `process`. */
  readonly note: (identity: number, process: number) => void
  /** The process that goes by this identity; itself without one, 0 when several do. */
  readonly processOf: (identity: number) => number
  readonly clear: () => void
  /** Aliases dropped at once because there were too many. */
  readonly forgotten: () => number
  readonly bytes: () => number
}

const FIRST_SLOTS = 256
/** Cells of an alias; its process is 0 when several go by it. */
const Word = { identity: 0, process: 1, previous: 2, changes: 3 } as const
const WORDS = 4
const Cell = { live: 0, forgotten: 1 } as const

/** Seen by all threads: read without a lock, written under one. */
export function createProcessAliases(aliasesMax: number, memory: SharedMemory): ProcessAliases {
  let slots = FIRST_SLOTS
  while (slots < 2 * aliasesMax) slots *= 2
  const words = memory.take(Int32Array, slots * WORDS)
  const cells = memory.take(Int32Array, 2)
  const mutex = memory.mutex()

  const word = (at: number, which: number): number => words[at + which] as number

  /** Where the identity is, or would be. */
  function find(identity: number): number {
    const h = Math.imul(identity, 0x9e3779b1)
    for (let slot = h ^ (h >>> 15); ; slot++) {
      const at = (slot & (slots - 1)) * WORDS
      const found = word(at, Word.identity)
      if (found === identity || found === 0) return at
    }
  }

  function change(at: number, process: number): void {
    const changes = word(at, Word.changes) + 1
    const isSeveral = process === word(at, Word.previous) || changes > CHANGES_MAX
    words[at + Word.changes] = changes
    words[at + Word.previous] = word(at, Word.process)
    words[at + Word.process] = isSeveral ? 0 : process
  }

  function clear(): void {
    if (cells[Cell.live] === 0) return
    words.fill(0)
    cells[Cell.live] = 0
  }

  function add(identity: number, process: number): void {
    if ((cells[Cell.live] as number) >= aliasesMax) {
      cells[Cell.forgotten] = (cells[Cell.forgotten] as number) + (cells[Cell.live] as number)
      clear()
    }
    const at = find(identity)
    words[at + Word.process] = process
    words[at + Word.previous] = words[at + Word.changes] = 0
    cells[Cell.live] = (cells[Cell.live] as number) + 1
    Atomics.store(words, at + Word.identity, identity)
  }

  function write(identity: number, process: number): void {
    const at = find(identity)
    if (word(at, Word.identity) === 0) add(identity, process)
    else if (word(at, Word.process) !== process && word(at, Word.process) !== 0) change(at, process)
  }

  return {
    note(identity, process) {
      const at = find(identity)
      // What everybody says of every request is known.
      const known = word(at, Word.identity) === identity
      if (known && (word(at, Word.process) === process || word(at, Word.process) === 0)) return
      mutex.lock()
      try {
        write(identity, process)
      } finally {
        mutex.unlock()
      }
    },
    processOf(identity) {
      const at = find(identity)
      // A place that was free may have become another's meanwhile.
      return word(at, Word.identity) === identity ? word(at, Word.process) : identity
    },
    clear,
    forgotten: () => cells[Cell.forgotten] as number,
    bytes: () => 8 * WORDS * (cells[Cell.live] as number)
  }
}
