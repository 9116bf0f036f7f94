/** A pod's identity may pass to its next process; more often than this, it is several processes' at once. */
const CHANGES_MAX = 4

interface Alias {
  /** 0 = several processes go by it. */
  process: number
  previous: number
  changes: number
}

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

export function createProcessAliases(aliasesMax: number): ProcessAliases {
  const aliases = new Map<number, Alias>()
  let forgotten = 0

  function change(alias: Alias, process: number): void {
    alias.changes += 1
    const isSeveral = process === alias.previous || alias.changes > CHANGES_MAX
    alias.previous = alias.process
    alias.process = isSeveral ? 0 : process
  }

  return {
    note(identity, process) {
      const known = aliases.get(identity)
      if (known !== undefined) {
        if (known.process !== process && known.process !== 0) change(known, process)
        return
      }
      if (aliases.size >= aliasesMax) {
        forgotten += aliases.size
        aliases.clear()
      }
      aliases.set(identity, { process, previous: 0, changes: 0 })
    },
    processOf: (identity) => aliases.get(identity)?.process ?? identity,
    clear() {
      aliases.clear()
    },
    forgotten: () => forgotten,
    bytes: () => aliases.size * 96
  }
}
