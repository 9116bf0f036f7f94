/** Every threshold of the rules but what is stretched (learned/spreads.ts); none depends on a workload. Found on recordings with measured truth, D30. */
export const thresholds = {
  /** Neighbours: at least half of the excess lies under other requests' stretched pieces ... */
  covered: 0.5,
  /** ... and less than half of it is crossed by pieces of normal length. */
  crossed: 0.5,
  /** A witness's excess overlaps at least half of the shorter of the two. */
  witnessOverlap: 0.5,
  /** Twice as many pieces begin in an excess as are stretched over it: no stall. */
  lively: 2,
  /** A process that stood still began nothing for at least half of the excess. */
  quiet: 0.5,
  /** Waits that end within 2 % of their length of each other end at the same moment ... */
  sameMoment: 0.02,
  /** ... as a release when there are three others at least, two of which came while the first waited ... */
  releasedOthers: 3,
  releasedDuring: 2,
  /** ... with at most a quarter as many left waiting ... */
  releasedStayed: 0.25,
  /** ... and all let go within a twentieth of the longest wait. */
  releasedWithin: 0.05,
  /** A callee that would have begun at least 8 pieces during a gap and began less than a tenth of them was silent. */
  silentUsually: 8,
  silentShare: 0.1,
  /** Weak witnesses' claims may sum up to twice the interval's scheduling delay: one late goroutine can hold up two spans. */
  budget: 2,
  /** Collecting for more than 10 % of the interval makes gc the cause of stalls and of unexplained own time. */
  gcShare: 0.1
} as const
