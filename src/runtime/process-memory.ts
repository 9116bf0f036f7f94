import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

/** Memory that a thread has beside what its own code accounts for. */
export interface ThreadMemory {
  /** Pages of its V8 heap that are in memory: objects, compiled code, garbage. */
  readonly heapBytes: number
  /** Its array buffers, those included that V8 has yet to free, at their full length. */
  readonly arrayBytes: number
}

export function threadMemory(): ThreadMemory {
  return { heapBytes: getHeapStatistics().total_physical_size, arrayBytes: process.memoryUsage().arrayBuffers }
}

/** What of the process is in memory: everything, and the files among it. */
export interface ResidentMemory {
  readonly bytes: number
  readonly fileBytes: number
}

/** From /proc/self/statm; where there is none, no page is known to be one of a file. */
export function residentMemory(): ResidentMemory {
  const bytes = process.memoryUsage.rss()
  try {
    const [, resident = 0, shared = 0] = readFileSync('/proc/self/statm', 'utf8').split(' ').map(Number)
    return { bytes, fileBytes: (bytes * shared) / resident }
  } catch {
    return { bytes, fileBytes: 0 }
  }
}
