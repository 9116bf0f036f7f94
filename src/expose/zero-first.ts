/**
 * A counter that appears with a value loses it: rate() and increase() see only what comes after. So a series shows 0 until
 * it is `zeroFirstMs` old. By age, not by scrape, so that two Prometheus servers both see the 0.
 */
export interface ZeroFirst {
  readonly hides: (sinceMs: number, nowMs: number) => boolean
  /** From now on nothing is hidden: there will be no later scrape. */
  readonly drain: () => void
}

export function createZeroFirst(zeroFirstMs: number): ZeroFirst {
  let draining = false
  return {
    hides: (sinceMs, nowMs) => !draining && nowMs - sinceMs < zeroFirstMs,
    drain() {
      draining = true
    }
  }
}

/** When the series that are made on first use were made: one time a cell, kept while its row belongs to the same owner. */
export interface FirstUse {
  /** Forgets the row's cells if the row was given out again since. */
  readonly enter: (row: number, createdMs: number) => void
  /** When this cell's series was made, NaN if it is not in use. A cell used for the first time is made at `atMs`. */
  readonly since: (row: number, cell: number, used: boolean, atMs: number) => number
}

export function createFirstUse(cellsPerRow: number): FirstUse {
  let owners = new Float64Array(0)
  let sinceMs = new Float64Array(0)

  function grow(rows: number): void {
    const largerOwners = new Float64Array(rows).fill(NaN)
    largerOwners.set(owners)
    owners = largerOwners
    const larger = new Float64Array(rows * cellsPerRow).fill(NaN)
    larger.set(sinceMs)
    sinceMs = larger
  }

  return {
    enter(row, createdMs) {
      if (row >= owners.length) grow(Math.max(64, owners.length * 2, row + 1))
      if (owners[row] === createdMs) return
      owners[row] = createdMs
      sinceMs.fill(NaN, row * cellsPerRow, (row + 1) * cellsPerRow)
    },
    since(row, cell, used, atMs) {
      const index = row * cellsPerRow + cell
      const since = sinceMs[index] as number
      if (!used || !Number.isNaN(since)) return since
      sinceMs[index] = atMs
      return atMs
    }
  }
}
