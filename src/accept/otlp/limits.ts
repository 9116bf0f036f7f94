/** What the decoders hold themselves to, whatever a sender sends. */
export interface DecoderLimits {
  /** Kept attributes, events and links of one span; the rest are counted. */
  readonly evidencePerSpanMax: number
  /** Live only: spans that end further ahead of the clock are refused. Twin clocks are never that wrong, broken ones are. */
  readonly futureMaxMs: number
  /** Live only: spans that ended longer ago are refused. Infinity = off. */
  readonly spanAgeMaxMs: number
  /** Distinct (service, process, host, version, language); more share one row. */
  readonly resourcesMax: number
  /** Remembered operation names and identities; beyond it they are composed anew. */
  readonly composedNamesMax: number
  /** Rows of a batch kept allocated between requests; a larger one is given back. */
  readonly idleRowsMax: number
}

export const decoderLimits: DecoderLimits = {
  evidencePerSpanMax: 64,
  futureMaxMs: 600_000,
  spanAgeMaxMs: Infinity,
  resourcesMax: 65_536,
  composedNamesMax: 65_536,
  idleRowsMax: 32_768
}
