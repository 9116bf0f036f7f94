import { type Resources } from '../../model/spans.ts'
import { grown } from '../columns.ts'

/** Versions noted of one interval: a sender that makes one up for each request must not fill the history. */
export const VERSIONS_MAX = 1_000

/** Which versions of services answered requests since the last `take`. A request costs one byte written. */
export interface SeenVersions {
  readonly see: (resource: number) => void
  /** Pairs of service and version; what is over the limit is left out and told. */
  readonly take: (onLost: (versions: number) => void) => Uint32Array
  /** Rows seen must not be given to others before they are taken. */
  readonly mark: (resources: Uint8Array) => void
  readonly bytes: () => number
}

export function createSeenVersions(resources: Resources): SeenVersions {
  let seen = new Uint8Array(64)

  return {
    see(resource) {
      if (resource >= seen.length) seen = grown(seen, Math.max(resource + 1, seen.length * 2))
      seen[resource] = 1
    },
    take(onLost) {
      const pairs = new Map<string, readonly [number, number]>()
      for (let row = 0; row < seen.length; row++) {
        const version = resources.version[row] as number
        if (seen[row] === 0 || version === 0) continue
        const service = resources.service[row] as number
        pairs.set(`${service} ${version}`, [service, version])
      }
      seen.fill(0)
      if (pairs.size > VERSIONS_MAX) onLost(pairs.size - VERSIONS_MAX)
      return Uint32Array.from([...pairs.values()].slice(0, VERSIONS_MAX).flat())
    },
    mark(marked) {
      for (let row = 0; row < seen.length; row++) if (seen[row] === 1) marked[row] = 1
    },
    bytes: () => seen.byteLength
  }
}
