import { type StringsOptions } from '../runtime/strings.ts'
import { type Settings } from '../settings/settings.ts'

const STRING_BYTES_MAX = 512
/** Most names are shorter; the others have the rest of it. */
const TEXT_BYTES_MEAN = 96
/** Of its hash, place, length and mark, and of the slots by which it is found. */
const ENTRY_BYTES = 48

export function stringLimits({ namesBytesMax }: Settings): StringLimits {
  const stringsMax = Math.floor(namesBytesMax / (TEXT_BYTES_MEAN + ENTRY_BYTES))
  return { stringsMax, bytesMax: stringsMax * TEXT_BYTES_MEAN, stringBytesMax: STRING_BYTES_MAX }
}

type StringLimits = Pick<StringsOptions, 'stringsMax' | 'bytesMax' | 'stringBytesMax'>

/** What lies on the heap of a shard are names and small objects: spans lie in array buffers, which this does not limit. */
const HEAP_MIB_MIN = 128
const HEAP_MIB_MAX = 1_024
/** Of memory_limit, for the heaps of all shards together. */
const HEAP_SHARE = 1 / 4

/** How large the heap of a shard may become. */
export function shardHeapMib({ memoryLimitBytes, workers }: Settings): number {
  if (memoryLimitBytes === 'auto') return HEAP_MIB_MAX
  const share = Math.floor((memoryLimitBytes * HEAP_SHARE) / workers / 1024 ** 2)
  return Math.min(HEAP_MIB_MAX, Math.max(HEAP_MIB_MIN, share))
}

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
