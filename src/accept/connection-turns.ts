/** Runs what is given to it in order, and lets everybody else have their turn when that has taken a while. */
export type ConnectionTurns = (work: () => void) => void

export function createConnectionTurns(msPerTurn: number): ConnectionTurns {
  const waiting: (() => void)[] = []
  let isRunning = false
  let startedMs = 0

  function begin(): void {
    startedMs = performance.now()
    next()
  }

  function next(): void {
    const work = waiting.shift()
    if (work === undefined) {
      isRunning = false
      return
    }
    work()
    // What the work left for the next tick belongs to it, and comes before this.
    process.nextTick(goOn)
  }

  function goOn(): void {
    if (performance.now() - startedMs < msPerTurn) next()
    else setImmediate(begin)
  }

  return (work) => {
    waiting.push(work)
    if (isRunning) return
    isRunning = true
    setImmediate(begin)
  }
}
