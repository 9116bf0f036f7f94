const WORDS = 1 << 23
const STEPS = 2_000_000
const ROUNDS = 3

/**
 * How fast this machine is at this moment: ns of CPU for a read that waits for the one before it, anywhere in 32 MiB, and for one
 * step of a hash in registers. Two runs of the bench compare as far as these do.
 */
export function yardstick(): string {
  const ring = new Uint32Array(WORDS)
  // A permutation of full period: every word leads to another, so no read can begin before the last has ended.
  for (let i = 0; i < WORDS; i++) ring[i] = (Math.imul(i, 1_664_525) + 1_013_904_223) & (WORDS - 1)
  const read = best(() => {
    let at = 0
    for (let step = 0; step < STEPS; step++) at = ring[at] as number
    return at
  })
  const hash = best(() => {
    let h = 1
    for (let step = 0; step < STEPS; step++) h = Math.imul(h ^ (h >>> 15), 0x9e3779b1)
    return h
  })
  return `Yardstick: ${read.toFixed(1)} ns a dependent read of 32 MiB, ${hash.toFixed(2)} ns a step of a hash.`
}

function best(work: () => number): number {
  let bestNs = Infinity
  let kept = 0
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    kept += work()
    const { user, system } = process.cpuUsage(before)
    bestNs = Math.min(bestNs, ((user + system) * 1e3) / STEPS)
  }
  return kept === -1 ? NaN : bestNs
}
