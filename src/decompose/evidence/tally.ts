/** What was wrong with the evidence of one trace, by index of the source. */
export interface Tally {
  /** It asked for more than was left, or contradicted itself. */
  readonly conflicts: Float64Array
  /** It was negative, or far longer than its span: the unit is wrong. Nothing was claimed. */
  readonly implausible: Float64Array
  sum: number
  readonly conflict: (source: number) => void
  readonly doubt: (source: number) => void
  readonly clear: () => void
}

export function createTally(sources: number): Tally {
  const conflicts = new Float64Array(sources)
  const implausible = new Float64Array(sources)
  const tally: Tally = {
    conflicts,
    implausible,
    sum: 0,
    conflict(source) {
      conflicts[source] = (conflicts[source] as number) + 1
      tally.sum += 1
    },
    doubt(source) {
      implausible[source] = (implausible[source] as number) + 1
      tally.sum += 1
    },
    clear() {
      if (tally.sum === 0) return
      conflicts.fill(0)
      implausible.fill(0)
      tally.sum = 0
    }
  }
  return tally
}
