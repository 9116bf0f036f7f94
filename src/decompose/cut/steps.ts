/** Work on items 0 to `size`, in order, that may be done some at a time. The size is asked for when the step begins. */
export interface Step {
  readonly size: () => number
  readonly run: (from: number, to: number) => void
}

export interface Steps {
  readonly add: (...steps: readonly Step[]) => void
  readonly waiting: () => boolean
  /** Does about `work` of what waits; gives how much it did. */
  readonly advance: (work: number) => number
}

/** Steps that wait in line, each done to its end before the next. */
export function createSteps(): Steps {
  let line: Step[] = []
  let next = 0
  let done = 0

  return {
    add(...steps) {
      line.push(...steps)
    },
    waiting: () => next < line.length,
    advance(work) {
      const step = line[next] as Step
      const size = step.size()
      const from = done
      const to = Math.min(size, from + work)
      done = to
      if (to >= size) {
        next += 1
        done = 0
      }
      if (to > from) step.run(from, to)
      if (next === line.length) {
        line = []
        next = 0
      }
      return 1 + to - from
    }
  }
}
