/** One claim as it was settled, while somebody wants to know. */
export interface LoggedClaim {
  /** Unit of the cut, -1 for a span looked at alone. */
  readonly unit: number
  readonly span: number
  /** Index in `sourceNames`. */
  readonly source: number
  readonly phase: number
  readonly grade: number
  readonly askedNs: number
  readonly bookedNs: number
  /** Why it was not given all that it asked for; empty when it was. */
  readonly note: string
}

/** What a placed claim asked for that it could not have, by reason. */
export interface Refused {
  readonly outsideNs: number
  readonly notOwnNs: number
  readonly claimedNs: number
}

/** The largest part of what was refused says why. */
export function whyClipped({ outsideNs, notOwnNs, claimedNs }: Refused): string {
  const largestNs = Math.max(outsideNs, notOwnNs, claimedNs)
  if (largestNs <= 0) return ''
  if (largestNs === outsideNs) return 'outside the span'
  return largestNs === notOwnNs ? 'children cover it, or it is not on the path' : 'a stronger claim has it'
}
