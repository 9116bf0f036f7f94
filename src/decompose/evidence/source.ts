import type { Wants } from '../../model/spans.ts'
import type { Tree } from '../cut/tree.ts'

/** What a source may read of the span it speaks about. */
export interface SpanView {
  readonly tree: Tree
  readonly span: number
  /** The span's own times, on the root host's clock. */
  readonly startNs: number
  readonly endNs: number
  /** First number of the span's row for the source's want, NaN without one. */
  readonly number: (want: number) => number
  /** Rows of one want: time of the event on the root host's clock, and its field. */
  readonly events: (want: number, each: (atNs: number, field: number) => void) => void
  /** As `number`, of another span of the trace. */
  readonly numberOf: (span: number, want: number) => number
}

/** Where a source books the time it proves. Asking for more than is left is a conflict: clipped and counted. */
export interface Claims {
  /** An interval of the span. */
  readonly placed: (phase: number, grade: number, fromNs: number, toNs: number) => void
  /** An amount of the span's self time, wherever in it. */
  readonly amount: (phase: number, grade: number, ns: number) => void
  /** All there is of a phase, placed evidence included: booked before anything of its grade, and no more to this phase afterwards. */
  readonly exactly: (phase: number, grade: number, ns: number) => void
  /** As much of an amount as is left, and no more to this phase afterwards: an upper bound, never a conflict. */
  readonly upTo: (phase: number, grade: number, ns: number) => void
  /** As much of an interval as is left after all of its grade: said without knowing what else is claimed, so never a conflict. */
  readonly spare: (phase: number, grade: number, fromNs: number, toNs: number) => void
  /** The evidence contradicts itself and claims nothing. */
  readonly conflict: () => void
}

/** One kind of proof. A source is one file: what it wants kept of each span, and what it makes of it. Pure. */
export interface EvidenceSource {
  /** Label of its conflicts and of its claims. */
  readonly name: string
  /** Kept by the decoder for it; `number(0)` reads the first, and so on. */
  readonly wants: Wants
  readonly claim: (view: SpanView, claims: Claims) => void
}

/** What a source of leads may read of an entry span. */
export interface LeadView {
  readonly tree: Tree
  readonly span: number
  /** Start of the span as it was sent, in ns since 1970 (256 ns apart at best). */
  readonly startEpochNs: number
  readonly number: (want: number) => number
  /** How exact a moment is, in ns. */
  readonly exactNs: (want: number) => number
}

/** Proof of how long a request waited before its entry span began. */
export interface LeadSource {
  readonly name: string
  readonly wants: Wants
  /** ns, NaN when it says nothing of this span. Negative and absurd ones are the caller's to refuse. */
  readonly leadNs: (view: LeadView) => number
}
