import type { SharedMemory } from './shared-memory.ts'

/** Threads' cells lie on cache lines of their own. */
const STRIDE = 16
const WANTED = 0

/**
 * What all threads look at while they work must not be turned over meanwhile. A shard enters the world for one message or one
 * tick; whoever changes it has it alone, between two messages of all of them.
 *
 *   shard:  outside --enter--> inside --leave--> outside; enter waits while the world is wanted
 *   main:   wants it, waits until all are outside, changes it, opens it again; gives up after a while
 */
export interface WorldLock {
  /** Shards only. Not reentrant. */
  readonly enter: () => void
  readonly leave: () => void
  /** Main thread only. Runs `work` alone in the world; false, and nothing is done, when a shard did not leave in time. */
  readonly alone: (work: () => void, waitMs: number) => boolean
  /** Main thread only: takes a shard that ended out of the world. */
  readonly release: (thread: number) => void
}

/** For threads 1 to `shards` of the memory, and thread 0, the main one. */
export function createWorldLock(memory: SharedMemory, shards: number): WorldLock {
  const cells = memory.take(Int32Array, (shards + 1) * STRIDE)
  const own = memory.thread * STRIDE

  function isOutside(cell: number, untilMs: number): boolean {
    while (Atomics.load(cells, cell) !== 0) {
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0 || Atomics.wait(cells, cell, 1, leftMs) === 'timed-out') return Atomics.load(cells, cell) === 0
    }
    return true
  }

  function areAllOutside(waitMs: number): boolean {
    const untilMs = performance.now() + waitMs
    for (let shard = 1; shard <= shards; shard++) if (!isOutside(shard * STRIDE, untilMs)) return false
    return true
  }

  function goOut(cell: number): void {
    Atomics.store(cells, cell, 0)
    if (Atomics.load(cells, WANTED) !== 0) Atomics.notify(cells, cell)
  }

  return {
    enter() {
      for (;;) {
        Atomics.store(cells, own, 1)
        if (Atomics.load(cells, WANTED) === 0) return
        goOut(own)
        Atomics.wait(cells, WANTED, 1)
      }
    },
    leave() {
      goOut(own)
    },
    alone(work, waitMs) {
      Atomics.store(cells, WANTED, 1)
      try {
        if (!areAllOutside(waitMs)) return false
        work()
        return true
      } finally {
        Atomics.store(cells, WANTED, 0)
        Atomics.notify(cells, WANTED)
      }
    },
    release(thread) {
      goOut(thread * STRIDE)
    }
  }
}
