import type { Marks } from './stage.ts'
import type { Strings } from './strings.ts'

/** A table of rows that can be swept like the strings that it names. */
export interface SweptRows {
  readonly rows: number
  readonly fullness: () => number
  /** Frees the rows left unmarked. */
  readonly sweep: (marked: Uint8Array) => void
  /** Marks the strings of the rows that are left. */
  readonly mark: (strings: Uint8Array) => void
}

const FULL = 0.75
/** A sweep that frees little is not tried again until this many ticks later. */
const TICKS_BETWEEN = 200

/** Gives back names that nobody needs any more, when their tables are three quarters full. */
export function createSweeper(
  tables: { readonly strings: Strings; readonly resources: SweptRows },
  users: readonly { readonly mark: (marks: Marks) => void }[]
): { readonly tick: () => void } {
  const { strings, resources } = tables
  let ticks = TICKS_BETWEEN
  return {
    tick() {
      ticks += 1
      if (ticks < TICKS_BETWEEN || Math.max(strings.fullness(), resources.fullness()) < FULL) return
      ticks = 0
      const marks = { strings: new Uint8Array(strings.capacity()), resources: new Uint8Array(resources.rows) }
      for (const user of users) user.mark(marks)
      resources.sweep(marks.resources)
      resources.mark(marks.strings)
      strings.sweep(marks.strings)
    }
  }
}
