// Scratch columns are reused from trace to trace and grow by doubling, so the steady state allocates nothing.

const roomFor = (n: number): number => {
  let size = 64
  while (size < n) size *= 2
  return size
}

export const growInts = (n: number): Int32Array<ArrayBuffer> => new Int32Array(roomFor(n))
export const growFloats = (n: number): Float64Array<ArrayBuffer> => new Float64Array(roomFor(n))

/** `from` with room for n, its cells kept. */
export function enlarge<T extends Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array>(
  from: T,
  n: number
): T {
  if (from.length >= n) return from
  const to = new (from.constructor as new (size: number) => T)(roomFor(n))
  to.set(from)
  return to
}
