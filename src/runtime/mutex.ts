/** Tries before a thread lies down: what is done under a mutex takes microseconds. */
const SPINS = 200
/** How long thread 0 waits for one that may be dead: it alone could tell, but not while it waits. */
const TAKE_OVER_MS = 2_000
const FREE = 0
const HAS_WAITERS = 1

/** One thread at a time. Not reentrant. */
export interface Mutex {
  readonly lock: () => void
  readonly unlock: () => void
  /** Lets go of it for a thread that ended with it. */
  readonly release: (thread: number) => void
}

/**
 * One cell of shared memory:
 *
 *   0 --lock--> holder --someone waits--> holder + HAS_WAITERS --unlock--> 0, one is woken
 *
 * Who was woken takes it with HAS_WAITERS, because it cannot know whether it was the only one.
 */
export function createMutex(cell: Int32Array, thread: number): Mutex {
  const holder = (of: number): number => 2 * (of + 1)
  const mine = holder(thread)

  function wait(): void {
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.load(cell, 0) === FREE && Atomics.compareExchange(cell, 0, FREE, mine) === FREE) return
    }
    for (;;) {
      const held = Atomics.load(cell, 0)
      if (held === FREE) {
        if (Atomics.compareExchange(cell, 0, FREE, mine | HAS_WAITERS) === FREE) return
      } else if ((held & HAS_WAITERS) !== 0 || Atomics.compareExchange(cell, 0, held, held | HAS_WAITERS) === held) {
        const end = Atomics.wait(cell, 0, held | HAS_WAITERS, thread === 0 ? TAKE_OVER_MS : Infinity)
        if (end === 'timed-out') release(held >> 1)
      }
    }
  }

  /** `of` is the cell's value without HAS_WAITERS, halved. */
  function release(of: number): void {
    const held = Atomics.load(cell, 0)
    if (held >> 1 !== of || held === FREE) return
    if (Atomics.compareExchange(cell, 0, held, FREE) === held) Atomics.notify(cell, 0, 1)
  }

  return {
    lock() {
      if (Atomics.compareExchange(cell, 0, FREE, mine) !== FREE) wait()
    },
    unlock() {
      if (Atomics.compareExchange(cell, 0, mine, FREE) !== mine) release(mine >> 1)
    },
    release(ended) {
      release(holder(ended) >> 1)
    }
  }
}
