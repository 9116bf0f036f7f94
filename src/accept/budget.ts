import { free } from '../runtime/free-memory.ts'

/** Buffers up to this size are used again: a fresh one costs page faults, which are dearer than the copy into it. */
const POOLED_SIZE_MAX = 1 << 20
const POOLED_SIZE_MIN = 1 << 14
const POOLED_BYTES_MAX = 16 << 20

/** The bytes that bodies under way may hold, over all connections, and the buffers they are read into. */
export interface Budget {
  /** Whether so many more bytes would fit now. */
  readonly fits: (bytes: number) => boolean
  readonly reserve: (bytes: number) => boolean
  readonly release: (bytes: number) => void
  /** A buffer of at least so many bytes, reserved; undefined when the budget is spent. */
  readonly lend: (bytes: number) => Buffer<ArrayBuffer> | undefined
  readonly giveBack: (buffer: Buffer<ArrayBuffer>) => void
  readonly memory: () => { readonly inFlightBytes: number; readonly pooledBytes: number }
}

export function createBudget(bytesMax: number): Budget {
  const pools = new Map<number, Buffer<ArrayBuffer>[]>()
  let inFlightBytes = 0
  let pooledBytes = 0

  function reserve(bytes: number): boolean {
    if (inFlightBytes + bytes > bytesMax) return false
    inFlightBytes += bytes
    return true
  }

  return {
    fits: (bytes) => inFlightBytes + bytes <= bytesMax,
    reserve,
    release(bytes) {
      inFlightBytes -= bytes
    },
    lend(bytes) {
      const size = bytes > POOLED_SIZE_MAX ? bytes : Math.max(POOLED_SIZE_MIN, powerOfTwoFrom(bytes))
      if (!reserve(size)) return undefined
      const pooled = pools.get(size)?.pop()
      if (pooled === undefined) return Buffer.allocUnsafeSlow(size)
      pooledBytes -= size
      return pooled
    },
    giveBack(buffer) {
      const size = buffer.length
      inFlightBytes -= size
      if (size > POOLED_SIZE_MAX || pooledBytes + size > POOLED_BYTES_MAX) {
        free(buffer)
        return
      }
      const pool = pools.get(size)
      if (pool === undefined) pools.set(size, [buffer])
      else pool.push(buffer)
      pooledBytes += size
    },
    memory: () => ({ inFlightBytes, pooledBytes })
  }
}

function powerOfTwoFrom(bytes: number): number {
  return 2 ** (32 - Math.clz32(bytes - 1))
}
