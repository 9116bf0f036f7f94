import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { Fault } from '../../runtime/fault.ts'
import { memoryAllowance } from '../../runtime/memory-limit.ts'
import { MEMORY_MIN_BYTES, type Settings } from '../../settings/settings.ts'

/** Of what this process may come to use; the rest is for what no process can foresee. */
const AUTO_SHARE = 0.75

/** In bytes, as the settings say or three quarters of what this process may use. Throws BAD_SETTINGS. */
export function memoryLimit({ memoryLimitBytes }: Settings): number {
  const { bytes, saidBy } = memoryAllowance()
  const limitBytes = memoryLimitBytes === 'auto' ? Math.floor(bytes * AUTO_SHARE) : memoryLimitBytes
  if (limitBytes >= MEMORY_MIN_BYTES && limitBytes <= bytes) return limitBytes
  const limit = `memory_limit is ${mebibytes(limitBytes)}`
  const there = `the ${saidBy} allows ${mebibytes(bytes)}`
  const problem =
    limitBytes > bytes
      ? `${limit}, but ${there}`
      : `${limit} (75 % of what ${there}), but it takes ${mebibytes(MEMORY_MIN_BYTES)}`
  throw new Fault('BAD_SETTINGS', problem)
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)}MiB`
}

/** V8 takes its own limit from the command line, before a line of ours runs: setting the flag later changes nothing. */
export function heapWarnings(limitBytes: number): string[] {
  const heapBytes = getHeapStatistics().heap_size_limit
  if (heapBytes <= limitBytes) return []
  const wanted = Math.floor(limitBytes / 2 / 1024 ** 2)
  return [
    `V8 may let its heap grow to ${mebibytes(heapBytes)}, over memory_limit ${mebibytes(limitBytes)}; NODE_OPTIONS=--max-old-space-size=${wanted} makes it collect garbage in time`
  ]
}

/** So much memory a thread must have for garbage not to matter: its heap, with what lives there, is a few dozen MiB. */
const ROOMY_THREAD_BYTES = 1024 ** 3
/** V8 collects when heap and new arrays come to three times what lived after the last collection. */
const HEAP_GROWING_PERCENT = 200

/**
 * Where there is room, lets garbage pile up for longer. By its own rule V8 collects everything as soon as arrays have grown by 8 MiB,
 * which each burst of spans makes them do (D121).
 */
export function collectSeldom(limitBytes: number, workers: number): void {
  const threads = workers === 1 ? 1 : 1 + workers
  if (limitBytes >= threads * ROOMY_THREAD_BYTES) setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
}
