import { hexOfTraceId } from '../model/trace-copy.ts'

/** Traces of the tail: what comes late of them is wanted too. */
export interface RecentTraces {
  readonly add: (traceId: Uint32Array) => void
  readonly has: (traceId: Uint32Array) => boolean
}

/** The oldest make place. */
const TRACES_MAX = 16_384

export function createRecentTraces(): RecentTraces {
  const ids = new Set<string>()
  return {
    add(traceId) {
      const [oldest] = ids
      if (ids.size === TRACES_MAX && oldest !== undefined) ids.delete(oldest)
      ids.add(hexOfTraceId(traceId))
    },
    has: (traceId) => ids.size > 0 && ids.has(hexOfTraceId(traceId))
  }
}
