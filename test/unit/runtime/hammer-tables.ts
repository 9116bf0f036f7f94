import { createResources } from '../../../src/accept/otlp/index.ts'
import { createBodies } from '../../../src/decompose/learned/bodies.ts'
import type { SharedMemory } from '../../../src/runtime/shared-memory.ts'
import { createStrings } from '../../../src/runtime/strings.ts'
import { createWorldLock } from '../../../src/runtime/world-lock.ts'

/** What hammering threads and their test have in common. */
export interface HammerData {
  readonly buffers: readonly SharedArrayBuffer[]
  readonly thread: number
  readonly shards: number
  readonly messages: number
}

/** What a thread holds at the end, and what it did. */
export interface HammerReport {
  readonly ids: readonly (readonly [text: string, id: number])[]
  readonly rows: readonly (readonly [text: string, row: number])[]
  /** Texts whose id gave back another text, within one message. */
  readonly wrong: readonly string[]
  readonly lessons: number
}

export const TEXTS = 3_000
export const PIECES = 40

/** Small enough to grow, to overflow and to be swept; in every thread the same. */
export function hammerTables(memory: SharedMemory, shards: number) {
  const strings = createStrings({ stringsMax: 2_500, bytesMax: 1 << 17, stringBytesMax: 64, seed: 5, memory })
  const resources = createResources(strings, { resourcesMax: 400 }, memory)
  const bodies = createBodies({ piecesMin: 20, rowsMax: 64, memory })
  return { strings, resources, bodies, mutex: memory.mutex(), world: createWorldLock(memory, shards) }
}
