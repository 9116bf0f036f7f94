/**
 * Zeroed memory for what comes and goes by megabytes. Of ArrayBuffers V8 takes every 32 MiB that are new for a reason to collect
 * all garbage; of what threads may share it counts nothing. Whoever takes it therefore has to bound it.
 */
export function largeMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes)
}
