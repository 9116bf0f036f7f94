/** Total length of the union of n intervals. Sorts both arrays: which end belongs to which start does not matter for it. */
export function unionNs(from: Float64Array, to: Float64Array, n: number): number {
  from.subarray(0, n).sort()
  to.subarray(0, n).sort()
  let sumNs = 0
  let open = 0
  let openedNs = 0
  for (let start = 0, end = 0; end < n;) {
    if (start < n && (from[start] as number) <= (to[end] as number)) {
      if (open++ === 0) openedNs = from[start] as number
      start += 1
    } else {
      if (--open === 0) sumNs += (to[end] as number) - openedNs
      end += 1
    }
  }
  return sumNs
}
