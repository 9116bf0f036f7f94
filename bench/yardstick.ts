const WORDS = 1 << 23
const STEPS = 2_000_000
const ROUNDS = 3
/** Over a second or two: neighbours come and go. */
const WIDE_ROUNDS = 60

/**
 * How fast this machine is at this moment: ns of CPU for a read that waits for the one before it, anywhere in 32 MiB, for one
 * step of a hash in registers, and for a step of six hashes at once. One hash leaves most of a core unused, six do not: where
 * their time varies, another tenant has the other half of the core. Two runs of the bench compare as far as these do.
 */
export function yardstick(): string {
  const ring = new Uint32Array(WORDS)
  // A permutation of full period: every word leads to another, so no read can begin before the last has ended.
  for (let i = 0; i < WORDS; i++) ring[i] = (Math.imul(i, 1_664_525) + 1_013_904_223) & (WORDS - 1)
  const read = Math.min(...rounds(ROUNDS, () => chase(ring)))
  const hash = Math.min(...rounds(ROUNDS, hashOne))
  const six = rounds(WIDE_ROUNDS, hashSix).toSorted((a, b) => a - b)
  const at = (share: number): string => (six[Math.floor(six.length * share)] ?? NaN).toFixed(2)
  return [
    `Yardstick: ${read.toFixed(1)} ns a dependent read of 32 MiB, ${hash.toFixed(2)} ns a step of a hash,`,
    `${at(0)} ns a step of six at once (p50 ${at(0.5)}, p90 ${at(0.9)}).`
  ].join(' ')
}

function chase(ring: Uint32Array): number {
  let at = 0
  for (let step = 0; step < STEPS; step++) at = ring[at] as number
  return at
}

function hashOne(): number {
  let h = 1
  for (let step = 0; step < STEPS; step++) h = Math.imul(h ^ (h >>> 15), 0x9e3779b1)
  return h
}

function hashSix(): number {
  let [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6]
  for (let step = 0; step < STEPS; step++) {
    a = Math.imul(a ^ (a >>> 15), 0x9e3779b1)
    b = Math.imul(b ^ (b >>> 15), 0x9e3779b1)
    c = Math.imul(c ^ (c >>> 15), 0x9e3779b1)
    d = Math.imul(d ^ (d >>> 15), 0x9e3779b1)
    e = Math.imul(e ^ (e >>> 15), 0x9e3779b1)
    f = Math.imul(f ^ (f >>> 15), 0x9e3779b1)
  }
  return a ^ b ^ c ^ d ^ e ^ f
}

/** ns of CPU per step, each round. */
function rounds(count: number, work: () => number): number[] {
  // Compiles it.
  let kept = work()
  const times = Array.from({ length: count }, () => {
    const before = process.cpuUsage()
    kept ^= work()
    const { user, system } = process.cpuUsage(before)
    return ((user + system) * 1e3) / STEPS
  })
  // Looked at, so that nobody may leave the work out; whole numbers are never this.
  return kept === 0.5 ? [NaN] : times
}
