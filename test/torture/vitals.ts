import { Worker } from 'node:worker_threads'

/** What the watching thread is told; without an address it stops looking. */
export interface Watched {
  readonly pid: number
  readonly metrics: string
}

export interface Vitals {
  readonly residentFirstBytes: number
  readonly residentPeakBytes: number
  readonly health: Waits
  readonly metrics: Waits
  /** How late the watcher's own timers were at worst: what no answer of the service can be faster than. */
  readonly ownDelayMs: number
}

/** Of answers that were waited for. */
export interface Waits {
  readonly answered: number
  readonly failed: number
  readonly p99Ms: number
  readonly worstMs: number
}

export interface VitalsWatch {
  readonly watch: (watched: Watched | undefined) => void
  /** All that was seen since the start. */
  readonly read: () => Promise<Vitals>
  readonly close: () => Promise<number>
}

/** Looks at the process from a thread of its own, so that busy senders do not make its answers look late. */
export function watchVitals(): VitalsWatch {
  const thread = new Worker(new URL('vitals-thread.ts', import.meta.url))
  return {
    watch(watched) {
      thread.postMessage({ watched })
    },
    read() {
      return new Promise((resolve) => {
        thread.once('message', resolve)
        thread.postMessage({ read: true })
      })
    },
    close: () => thread.terminate()
  }
}
