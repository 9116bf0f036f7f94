/** Whole numbers below a limit, the same for the same seed. */
export function createRandom(seed: number): (below: number) => number {
  let x = Math.imul(seed, 0x9e3779b1) | 1
  return (below) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
}
