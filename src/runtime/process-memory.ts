import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

/** Memory that a thread has beside what its own code accounts for. */
export interface ThreadMemory {
  /** Pages of its V8 heap that are in memory: objects, compiled code, garbage. */
  readonly heapBytes: number
  /** Its array buffers, those included that V8 has yet to free, at their full length. */
  readonly arrayBytes: number
}

/** `process.memoryUsage` has the kernel add up all threads, for 0.3 ms; V8 says in 10 us by how much its own arrays have grown since. */
const ARRAYS_EVERY_MS = 1_000
let arraysAskedMs = -Infinity
/** What V8 does not count: arrays that threads may share, which seldom come or go. */
let uncountedBytes = 0

export function threadMemory(): ThreadMemory {
  const { total_physical_size: heapBytes, external_memory: countedBytes } = getHeapStatistics()
  const nowMs = performance.now()
  if (nowMs - arraysAskedMs >= ARRAYS_EVERY_MS) {
    arraysAskedMs = nowMs
    uncountedBytes = process.memoryUsage().arrayBuffers - countedBytes
  }
  return { heapBytes, arrayBytes: countedBytes + uncountedBytes }
}

/** What of the process is in memory: everything, and the files among it. */
export interface ResidentMemory {
  readonly bytes: number
  readonly fileBytes: number
}

let pageBytes: number | undefined

/** From /proc/self/statm, the one file that tells without a look at every thread; where there is none, no page is known to be one of a file. */
export function residentMemory(): ResidentMemory {
  let statm
  try {
    statm = readFileSync('/proc/self/statm', 'utf8')
  } catch {
    return { bytes: process.memoryUsage.rss(), fileBytes: 0 }
  }
  const [, resident = 0, shared = 0] = statm.split(' ').map(Number)
  // Its unit; Node tells nowhere how large a page is.
  pageBytes ??= 2 ** Math.round(Math.log2(process.memoryUsage.rss() / resident))
  return { bytes: resident * pageBytes, fileBytes: shared * pageBytes }
}
