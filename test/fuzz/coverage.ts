import { Session, type Profiler } from 'node:inspector'

/** Which blocks of some files have ever been run, as V8 counts them. */
export interface Coverage {
  /** Blocks run since the last call that were never run before. */
  readonly newBlocks: () => number
  readonly blocks: () => number
  readonly stop: () => void
}

/** V8's own counters: no package, and nothing is rewritten. Taking them costs some milliseconds, so not after each input. */
export function watchCoverage(covers: readonly string[]): Coverage {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const known = new Set<string>()

  function newBlocks(): number {
    const before = known.size
    session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
      for (const script of result) if (covers.some((part) => script.url.includes(part))) note(script)
    })
    return known.size - before
  }

  function note({ url, functions }: Profiler.ScriptCoverage): void {
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) known.add(`${url}:${startOffset}:${endOffset}:${Math.min(3, Math.ceil(Math.log2(count)))}`)
      }
    }
  }

  return {
    newBlocks,
    blocks: () => known.size,
    stop() {
      session.post('Profiler.stopPreciseCoverage')
      session.disconnect()
    }
  }
}
