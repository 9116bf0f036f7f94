/** A map from two interned ids to a small number: open addressing in typed arrays, nothing allocated per look-up. */
export interface PairIndex {
  /** -1 when absent. */
  readonly get: (a: number, b: number) => number
  readonly set: (a: number, b: number, value: number) => void
  readonly delete: (a: number, b: number) => void
  readonly forEach: (visit: (a: number, b: number, value: number) => void) => void
  readonly size: () => number
  readonly bytes: () => number
}

function hash(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  return h ^ (h >>> 13)
}

export function createPairIndex(): PairIndex {
  let mask = 63
  let size = 0
  let keysA = new Uint32Array(mask + 1)
  let keysB = new Uint32Array(mask + 1)
  /** Value + 1, so that 0 is an empty place. */
  let values = new Uint32Array(mask + 1)

  function placeOf(a: number, b: number): number {
    let place = hash(a, b) & mask
    while (values[place] !== 0 && (keysA[place] !== a || keysB[place] !== b)) place = (place + 1) & mask
    return place
  }

  function put(place: number, a: number, b: number, stored: number): void {
    keysA[place] = a
    keysB[place] = b
    values[place] = stored
  }

  function grow(): void {
    const [oldA, oldB, oldValues] = [keysA, keysB, values]
    mask = mask * 2 + 1
    keysA = new Uint32Array(mask + 1)
    keysB = new Uint32Array(mask + 1)
    values = new Uint32Array(mask + 1)
    for (let i = 0; i < oldValues.length; i++) {
      if (oldValues[i] === 0) continue
      const [a, b] = [oldA[i] as number, oldB[i] as number]
      put(placeOf(a, b), a, b, oldValues[i] as number)
    }
  }

  return {
    get: (a, b) => (values[placeOf(a, b)] as number) - 1,
    set(a, b, value) {
      if ((size + 1) * 2 > mask) grow()
      const place = placeOf(a, b)
      if (values[place] === 0) size += 1
      put(place, a, b, value + 1)
    },
    delete(a, b) {
      let hole = placeOf(a, b)
      if (values[hole] === 0) return
      size -= 1
      // Backward shift: whatever follows and may sit nearer to its own place moves up, so no tombstones gather.
      for (let next = (hole + 1) & mask; values[next] !== 0; next = (next + 1) & mask) {
        const home = hash(keysA[next] as number, keysB[next] as number) & mask
        if (((next - home) & mask) < ((next - hole) & mask)) continue
        put(hole, keysA[next] as number, keysB[next] as number, values[next] as number)
        hole = next
      }
      values[hole] = 0
    },
    forEach(visit) {
      for (let i = 0; i <= mask; i++) {
        if (values[i] !== 0) visit(keysA[i] as number, keysB[i] as number, (values[i] as number) - 1)
      }
    },
    size: () => size,
    bytes: () => values.length * 12
  }
}
