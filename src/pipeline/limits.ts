import { type Settings } from '../settings/settings.ts'

export const stringLimits = { stringsMax: 1 << 19, bytesMax: 48 * 1024 ** 2, stringBytesMax: 512 }

/** Each shard's share of what open traces may hold. Traces spread evenly, so that their limits together are the settings'. */
export function shardSettings(settings: Settings, shards: number): Settings {
  const share = (limit: number): number => Math.max(1, Math.floor(limit / shards))
  const { assemble, decompose, forward } = settings
  return {
    ...settings,
    assemble: {
      ...assemble,
      spansMax: share(assemble.spansMax),
      tracesMax: share(assemble.tracesMax),
      lateBytesMax: share(assemble.lateBytesMax)
    },
    forward: { ...forward, heldBytesMax: share(forward.heldBytesMax) },
    decompose: {
      ...decompose,
      inference: { ...decompose.inference, heldBytesMax: share(decompose.inference.heldBytesMax) }
    }
  }
}
