import { freeMemory } from '../runtime/free-memory.ts'

/**
 * Memory for requests. That of a request which was delivered is used for another: getting a megabyte from the kernel costs as
 * much as everything else that is done to the spans in it.
 */
export interface ChunkBuffers {
  /** So many bytes with old content, alone in their ArrayBuffer. */
  readonly take: (bytes: number) => Buffer
  /** Nobody reads these bytes any more. */
  readonly giveBack: (bytes: Buffer) => void
  /** Lets go of one that a burst left. */
  readonly trim: () => void
  /** Lets go of all. */
  readonly clear: () => void
  readonly bytes: () => number
}

/** Requests come in bursts, when many traces close at once. What a burst needed goes back bit by bit. */
const SPARE_MAX = 64
const SPARE_KEPT = 8

/** Requests are of about this size when there is much to send; others get what they need and are not kept. */
export function createChunkBuffers(usualBytes: number): ChunkBuffers {
  const capacity = usualBytes + (usualBytes >>> 3)
  const spare: ArrayBufferLike[] = []
  return {
    take(bytes) {
      // Small requests come when there is little to do, and may wait long: they take no more than they need.
      if (bytes > capacity || bytes < capacity / 2) return Buffer.allocUnsafeSlow(bytes)
      return Buffer.from(spare.pop() ?? new ArrayBuffer(capacity), 0, bytes)
    },
    giveBack({ buffer }) {
      if (buffer.byteLength === capacity && spare.length < SPARE_MAX) spare.push(buffer)
      else freeMemory(buffer)
    },
    trim() {
      const last = spare.length > SPARE_KEPT ? spare.pop() : undefined
      if (last !== undefined) freeMemory(last)
    },
    clear() {
      for (const memory of spare.splice(0)) freeMemory(memory)
    },
    bytes: () => spare.length * capacity
  }
}
