/** Numbers of one block count together: the answer may be too small by that much, and memory is a cell a block. */
const BLOCK = 256

/** The smallest of many numbers that mostly grow, each added once and removed once. */
export interface Oldest {
  readonly add: (value: number) => void
  readonly remove: (value: number) => void
  /** At most the smallest; Infinity when there is none. */
  readonly value: () => number
}

export function createOldest(): Oldest {
  const blocks = new Map<number, number>()
  /** No block below it is in use. */
  let lowest = Infinity

  return {
    add(value) {
      const block = Math.floor(value / BLOCK)
      blocks.set(block, (blocks.get(block) ?? 0) + 1)
      lowest = Math.min(lowest, block)
    },
    remove(value) {
      const block = Math.floor(value / BLOCK)
      const left = (blocks.get(block) ?? 0) - 1
      if (left > 0) blocks.set(block, left)
      else blocks.delete(block)
    },
    value() {
      if (blocks.size === 0) lowest = Infinity
      else if (!blocks.has(lowest)) lowest = Math.min(...blocks.keys())
      return lowest * BLOCK
    }
  }
}
