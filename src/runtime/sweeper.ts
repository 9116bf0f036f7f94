import { type Counters, createCounters } from './counters.ts'
import type { Marks } from './stage.ts'
import type { Strings } from './strings.ts'

/** A table of rows that can be swept like the strings that it names. */
export interface SweptRows {
  readonly fullness: () => number
  readonly marks: Uint8Array
  readonly beginMarking: () => void
  /** Frees the rows left unmarked. */
  readonly sweep: (marked: Uint8Array) => void
  /** Marks the strings of the rows that are left. */
  readonly mark: (strings: Uint8Array) => void
}

/** The other threads that hold names. */
export interface OtherHolders {
  /** Asks each of them to mark what it holds, in the marks that all share. It goes on working: what it is given from now on is marked. */
  readonly ask: () => void
  readonly haveAnswered: () => boolean
  /** Runs `work` while none of them is at work; false, and nothing was done, when that was not to be had in time. */
  readonly alone: (work: () => void) => boolean
}

const FULL = 0.75
/** A sweep that frees little is not tried again until this many ticks later. */
const TICKS_BETWEEN = 200

const nobody: OtherHolders = {
  ask: () => undefined,
  haveAnswered: () => true,
  alone(work) {
    work()
    return true
  }
}

export const nameCounters = {
  tail_names_overflow_total: {
    help: 'Names and values that were called __other__ because names_bytes_max was reached.'
  }
} as const

export interface Sweeper {
  readonly counters: Counters<typeof nameCounters>
  /** Sweeps when a table is three quarters full. */
  readonly tick: () => void
  /** Sweeps whatever there is: memory is short. */
  readonly sweep: () => void
}

/** Gives back names that nobody needs any more, when their tables are three quarters full. */
export function createSweeper(
  tables: { readonly strings: Strings; readonly resources: SweptRows },
  users: readonly { readonly mark: (marks: Marks) => void }[],
  others: OtherHolders = nobody
): Sweeper {
  const { strings, resources } = tables
  const marks: Marks = { strings: strings.marks, resources: resources.marks }
  let ticks = TICKS_BETWEEN
  const counters = createCounters(nameCounters)
  let isMarking = false
  let overflowed = 0

  function sweep(): void {
    for (const user of users) user.mark(marks)
    resources.sweep(marks.resources)
    resources.mark(marks.strings)
    strings.sweep(marks.strings)
  }

  function step(): void {
    if (!isMarking) {
      ticks = 0
      isMarking = true
      resources.beginMarking()
      strings.beginMarking()
      others.ask()
    }
    if (others.haveAnswered() && others.alone(sweep)) isMarking = false
  }

  return {
    counters,
    tick() {
      ticks += 1
      counters.add('tail_names_overflow_total', strings.overflowed() - overflowed)
      overflowed = strings.overflowed()
      const isDue = ticks >= TICKS_BETWEEN && Math.max(strings.fullness(), resources.fullness()) >= FULL
      if (isMarking || isDue) step()
    },
    sweep: step
  }
}
