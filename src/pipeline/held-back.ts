/**
 * Which requests of the segment log may still have something in a shard. A shard that answers says what it has left of all that it was
 * given before it was asked; whatever was taken since may be its too.
 */
export interface HeldBack {
  /** This request was shared out, and all before it. */
  readonly taken: (sequence: number) => void
  /** The shard was given all that was taken so far, and is asked what is left of it. */
  readonly asked: (shard: number) => void
  /** What it found is counted; this is the first request of which it has not found everything. */
  readonly answered: (shard: number, oldest: number) => void
  /** First request of which a shard may have something that is not counted; Infinity when it has nothing. */
  readonly of: (shard: number) => number
  readonly oldest: () => number
}

interface Held {
  /** All requests before this one are in its answer ... */
  answeredBefore: number
  /** ... and before this one in its next. */
  askedBefore: number
  oldest: number
}

export function createHeldBack(shards: number): HeldBack {
  const all = Array.from({ length: shards }, (): Held => ({ answeredBefore: 0, askedBefore: 0, oldest: Infinity }))
  let next = 0

  const heldOf = (shard: number): Held => all[shard] as Held
  const oldestOf = ({ answeredBefore, oldest }: Held): number =>
    next > answeredBefore ? Math.min(oldest, answeredBefore) : oldest

  return {
    taken(sequence) {
      next = Math.max(next, sequence + 1)
    },
    asked(shard) {
      heldOf(shard).askedBefore = next
    },
    answered(shard, oldest) {
      const held = heldOf(shard)
      held.answeredBefore = held.askedBefore
      held.oldest = oldest
    },
    of: (shard) => oldestOf(heldOf(shard)),
    oldest: () => Math.min(...all.map(oldestOf))
  }
}
