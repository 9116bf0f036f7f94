import { createMutex, type Mutex } from './mutex.ts'

export type Column = Float64Array | Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array

interface ColumnKind<T extends Column> {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: SharedArrayBuffer, byteOffset: number, length: number): T
}

/**
 * Columns that all threads of the process see. They are reserved whole, because what several threads look at cannot move when it
 * grows: pages that nobody has touched cost address space and nothing else. Whoever opens the memory of another thread must take
 * the same columns in the same order, so the same code runs in both.
 */
export interface SharedMemory {
  /** 0 in the thread that made it. */
  readonly thread: number
  readonly take: <T extends Column>(kind: ColumnKind<T>, length: number) => T
  readonly mutex: () => Mutex
  /** Of all slabs, touched or not. */
  readonly reservedBytes: () => number
  /** What another thread needs to open it. */
  readonly buffers: () => readonly SharedArrayBuffer[]
  /** Lets go of every mutex that a thread held when it ended. */
  readonly release: (thread: number) => void
}

/** Columns lie in slabs so large that the C library maps each anew: what is smaller it may clear by hand, and so touch. */
const SLAB_BYTES = 64 * 1024 ** 2
/** Columns begin on cache lines of their own. */
const LINE_BYTES = 64
const COLUMNS_MAX = 1024

export function createSharedMemory(): SharedMemory {
  const buffers: SharedArrayBuffer[] = []
  const allocate = (bytes: number): SharedArrayBuffer => {
    const buffer = new SharedArrayBuffer(bytes)
    buffers.push(buffer)
    return buffer
  }
  return memoryOver(allocate, buffers, 0)
}

/** The memory that another thread made, for thread number `thread`. */
export function openSharedMemory(buffers: readonly SharedArrayBuffer[], thread: number): SharedMemory {
  let opened = 0
  const next = (bytes: number): SharedArrayBuffer => {
    const buffer = buffers[opened++]
    if (buffer?.byteLength !== bytes) throw wrongOrder()
    return buffer
  }
  return memoryOver(next, buffers, thread)
}

const wrongOrder = (): RangeError => new RangeError('columns are taken in another order than they were made')

function memoryOver(
  allocate: (bytes: number) => SharedArrayBuffer,
  buffers: readonly SharedArrayBuffer[],
  thread: number
): SharedMemory {
  const mutexes: Mutex[] = []
  let reservedBytes = 0
  let slab = nextSlab(SLAB_BYTES)
  // The first slab begins with the length of each column, one more than it is, so that threads notice when they disagree.
  const lengths = new Float64Array(slab, 0, COLUMNS_MAX)
  let top = lengths.byteLength
  let columns = 0

  function nextSlab(bytes: number): SharedArrayBuffer {
    reservedBytes += bytes
    return allocate(bytes)
  }

  function check(bytes: number): void {
    const known = lengths[columns]
    if (known === 0) lengths[columns] = bytes + 1
    else if (known !== bytes + 1) throw wrongOrder()
    columns += 1
  }

  function take<T extends Column>(Kind: ColumnKind<T>, length: number): T {
    const bytes = length * Kind.BYTES_PER_ELEMENT
    check(bytes)
    if (bytes > SLAB_BYTES) return new Kind(nextSlab(bytes), 0, length)
    if (top + bytes > SLAB_BYTES) {
      slab = nextSlab(SLAB_BYTES)
      top = 0
    }
    const from = top
    top += Math.ceil(bytes / LINE_BYTES) * LINE_BYTES
    return new Kind(slab, from, length)
  }

  return {
    thread,
    take,
    mutex() {
      const mutex = createMutex(take(Int32Array, 1), thread)
      mutexes.push(mutex)
      return mutex
    },
    reservedBytes: () => reservedBytes,
    buffers: () => buffers,
    release(ended) {
      for (const mutex of mutexes) mutex.release(ended)
    }
  }
}
