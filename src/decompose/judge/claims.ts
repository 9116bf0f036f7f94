import { GRADES, Grade, Phase, PHASES } from '../../model/phases.ts'
import { Trait, type Tree } from '../cut/tree.ts'
import type { BoundClaims, Sources } from '../evidence/index.ts'
import type { Claims, SpanView } from '../evidence/source.ts'
import type { Tally } from '../evidence/tally.ts'
import { type LoggedClaim, whyClipped } from './claim-log.ts'
import { enlarge, growFloats, growInts } from '../scratch.ts'

/** Books ns of a span to a phase. */
export type Book = (span: number, phase: number, grade: number, ns: number) => void

/** The pieces of a span's self time while it is being resolved. */
export interface Pieces {
  n: number
  fromNs: Float64Array
  toNs: Float64Array
  /** Rows on both sides; -1 = the span's edge, CUT_EDGE = a clipped one. */
  left: Int32Array
  right: Int32Array
  /** What no claim explains yet. */
  restNs: Float64Array
}

export interface ClaimResolver {
  readonly pieces: Pieces
  /** For the sake of the log: whose pieces they are, a unit or -1. */
  readonly begin: (unit: number) => void
  readonly addPiece: (fromNs: number, toNs: number, left: number, right: number) => void
  /**
   * Applies every claim on the span to its pieces: measured before inferred before estimated, exact before placed before
   * unplaced, each clipped to what is left. `share` is the part of the span's self time that the pieces are; amounts are scaled
   * by it. Afterwards `restNs` says what is left of each piece.
   */
  readonly resolve: (tree: Tree, span: number, share: number, book: Book) => void
  /** Whether the span resolved last has no more of a phase than was booked. */
  readonly isBounded: (phase: number) => boolean
  /** Keeps every claim from now on, or with undefined no more. Not for the hot path. */
  readonly logTo: (log: LoggedClaim[] | undefined) => void
}

/** Evidence that speaks of this many times its span is in the wrong unit; what clocks and rounding do is far below. */
const IMPLAUSIBLE_TIMES = 4
const IMPLAUSIBLE_NS = 100_000

const BOUNDED = 'other evidence says that there was no more of it'
const NOTHING = {
  phase: Phase.unattributed,
  grade: 0,
  askedNs: 0,
  bookedNs: 0,
  note: 'contradicts itself: claims nothing'
}

const ALL_BITS = -1

const Sort = { placed: 0, amount: 1, upTo: 2, spare: 3, exact: 4 } as const

/** Collects the claims of a span's sources, then books them in the order of their strength. */
export function createClaimResolver(sources: Sources, tally: Tally): ClaimResolver {
  const pieces: Pieces = {
    n: 0,
    fromNs: growFloats(16),
    toNs: growFloats(16),
    left: growInts(16),
    right: growInts(16),
    restNs: growFloats(16)
  }
  // Claims of the span at hand.
  let claims = 0
  let sort = growInts(16)
  let phase = growInts(16)
  let grade = growInts(16)
  let a = growFloats(16)
  let b = growFloats(16)
  let sourceOf = growInts(16)
  // Open stretches of its pieces, and what is taken of them by place.
  let opens = 0
  let openFrom = growFloats(16)
  let openTo = growFloats(16)
  let openPiece = growInts(16)
  let taken = 0
  let takenFrom = growFloats(16)
  let takenTo = growFloats(16)
  let takenBy = growInts(16)
  const phaseOpen = new Uint8Array(PHASES)
  let log: LoggedClaim[] | undefined
  let unit = -1
  let source = 0
  let base = 0

  const view = {
    tree: undefined as unknown as Tree,
    span: 0,
    startNs: 0,
    endNs: 0,
    number: (want: number): number => view.numberOf(view.span, want),
    numberOf(span: number, want: number): number {
      const { evidence, evidenceEnd } = view.tree.trace
      const end = evidenceEnd[span] as number
      for (let i = span === 0 ? 0 : (evidenceEnd[span - 1] as number); i < end; i++) {
        if (evidence.code[i] === base + want) return evidence.a[i] as number
      }
      return NaN
    },
    events(want: number, each: (atNs: number, field: number) => void): void {
      const { evidence, evidenceEnd } = view.tree.trace
      const end = evidenceEnd[view.span] as number
      for (let i = view.span === 0 ? 0 : (evidenceEnd[view.span - 1] as number); i < end; i++) {
        if (evidence.code[i] === base + want) each(view.startNs + (evidence.a[i] as number), evidence.b[i] as number)
      }
    }
  } satisfies SpanView

  /** The sources that anything was kept for; a rule may speak of a span by its name alone. */
  function bitsOf(span: number): number {
    const { evidence, evidenceEnd } = view.tree.trace
    if (view.tree.trait[span] === Trait.ruled) return ALL_BITS
    let bits = 0
    const end = evidenceEnd[span] as number
    for (let i = span === 0 ? 0 : (evidenceEnd[span - 1] as number); i < end; i++) {
      bits |= sources.claimBits[evidence.code[i] as number] as number
    }
    return bits
  }

  function collectClaims(bits: number): void {
    for (let i = 0; i < sources.claims.length; i++) {
      if ((bits & (1 << i)) === 0) continue
      const bound = sources.claims[i] as BoundClaims
      source = bound.index
      base = bound.firstCode
      bound.source.claim(view, collect)
    }
  }

  function addClaim(which: number, toPhase: number, withGrade: number, from: number, to: number): void {
    if (claims === sort.length) {
      sort = enlarge(sort, claims + 1)
      phase = enlarge(phase, claims + 1)
      grade = enlarge(grade, claims + 1)
      a = enlarge(a, claims + 1)
      b = enlarge(b, claims + 1)
      sourceOf = enlarge(sourceOf, claims + 1)
    }
    sort[claims] = which
    phase[claims] = toPhase
    grade[claims] = withGrade
    a[claims] = from
    b[claims] = to
    sourceOf[claims++] = source
  }
  /** A length that cannot be is counted and claims nothing. */
  function isPlausible(toPhase: number, withGrade: number, ns: number): boolean {
    const mostNs = IMPLAUSIBLE_TIMES * (view.endNs - view.startNs) + IMPLAUSIBLE_NS
    if (ns >= 0 && ns <= mostNs) return true
    tally.doubt(source)
    const note = ns >= 0 ? 'implausible: far longer than its span' : 'implausible: negative'
    log?.push({ unit, span: view.span, source, phase: toPhase, grade: withGrade, askedNs: ns, bookedNs: 0, note })
    return false
  }
  const collect: Claims = {
    placed: (toPhase, withGrade, fromNs, toNs) => {
      if (isPlausible(toPhase, withGrade, toNs - fromNs)) addClaim(Sort.placed, toPhase, withGrade, fromNs, toNs)
    },
    amount: (toPhase, withGrade, ns) => {
      if (isPlausible(toPhase, withGrade, ns)) addClaim(Sort.amount, toPhase, withGrade, ns, 0)
    },
    exactly: (toPhase, withGrade, ns) => {
      if (isPlausible(toPhase, withGrade, ns)) addClaim(Sort.exact, toPhase, withGrade, ns, 0)
    },
    upTo: (toPhase, withGrade, ns) => {
      if (isPlausible(toPhase, withGrade, ns)) addClaim(Sort.upTo, toPhase, withGrade, ns, 0)
    },
    spare: (toPhase, withGrade, fromNs, toNs) => {
      addClaim(Sort.spare, toPhase, withGrade, fromNs, toNs)
    },
    conflict: () => {
      tally.conflict(source)
      log?.push({ ...NOTHING, unit, span: view.span, source })
    }
  }

  function addOpen(fromNs: number, toNs: number, piece: number): void {
    if (opens === openFrom.length) {
      openFrom = enlarge(openFrom, opens + 1)
      openTo = enlarge(openTo, opens + 1)
      openPiece = enlarge(openPiece, opens + 1)
    }
    openFrom[opens] = fromNs
    openTo[opens] = toNs
    openPiece[opens++] = piece
  }

  /** Takes [fromNs, toNs) out of the open stretches. Returns how much of it was open. */
  function take(fromNs: number, toNs: number): number {
    let tookNs = 0
    for (let i = opens - 1; i >= 0; i--) {
      const openStart = openFrom[i] as number
      const openEnd = openTo[i] as number
      const from = Math.max(openStart, fromNs)
      const to = Math.min(openEnd, toNs)
      if (to <= from) continue
      const piece = openPiece[i] as number
      // Amounts are taken from a piece wherever in it: less may be left than is open.
      const ns = Math.min(to - from, pieces.restNs[piece] as number)
      tookNs += ns
      pieces.restNs[piece] = (pieces.restNs[piece] as number) - ns
      openTo[i] = from
      if (to < openEnd) addOpen(to, openEnd, piece)
    }
    return tookNs
  }

  /** Books what is left of a claim's interval; gives how much that was, -1 where its phase takes no more. */
  function bookInterval(claim: number, book: Book): number {
    const fromNs = a[claim] as number
    const toNs = b[claim] as number
    if (phaseOpen[phase[claim] as number] === 0) {
      logClaim(claim, toNs - fromNs, 0, BOUNDED)
      return -1
    }
    const ownNs = log === undefined ? 0 : ownOf(fromNs, toNs)
    const tookNs = take(fromNs, toNs)
    if (log !== undefined) logClaim(claim, toNs - fromNs, tookNs, whyNotAll(claim, ownNs, tookNs))
    if (tookNs > 0) book(view.span, phase[claim] as number, grade[claim] as number, tookNs)
    return tookNs
  }

  function bookPlaced(claim: number, whole: boolean, book: Book): void {
    const tookNs = bookInterval(claim, book)
    if (tookNs < 0) return
    const fromNs = a[claim] as number
    const toNs = b[claim] as number
    let excusedNs = 0
    for (let i = 0; i < taken; i++) {
      if (takenBy[i] !== sourceOf[claim]) continue
      excusedNs += Math.max(0, Math.min(toNs, takenTo[i] as number) - Math.max(fromNs, takenFrom[i] as number))
    }
    if (taken === takenFrom.length) {
      takenFrom = enlarge(takenFrom, taken + 1)
      takenTo = enlarge(takenTo, taken + 1)
      takenBy = enlarge(takenBy, taken + 1)
    }
    takenFrom[taken] = fromNs
    takenTo[taken] = toNs
    takenBy[taken++] = sourceOf[claim] as number
    if (whole && tookNs + excusedNs < toNs - fromNs) tally.conflict(sourceOf[claim] as number)
  }

  function bookAmount(claim: number, share: number, book: Book): void {
    const askedNs = Math.floor((a[claim] as number) * share)
    const to = phase[claim] as number
    if (phaseOpen[to] === 0) logClaim(claim, askedNs, 0, BOUNDED)
    else {
      const tookNs = Math.min(askedNs, restNs())
      logClaim(claim, askedNs, tookNs, tookNs < askedNs ? 'no more own time is left' : '')
      if (tookNs > 0) {
        spread(tookNs)
        book(view.span, to, grade[claim] as number, tookNs)
      }
      if (tookNs < askedNs && sort[claim] !== Sort.upTo) tally.conflict(sourceOf[claim] as number)
    }
    if (sort[claim] !== Sort.amount) phaseOpen[to] = 0
  }

  function logClaim(claim: number, askedNs: number, bookedNs: number, note: string): void {
    log?.push({
      unit,
      span: view.span,
      source: sourceOf[claim] as number,
      phase: phase[claim] as number,
      grade: grade[claim] as number,
      askedNs,
      bookedNs,
      note
    })
  }

  /** How much of an interval is the span's own time, whoever has claimed it. */
  function ownOf(fromNs: number, toNs: number): number {
    let sumNs = 0
    for (let i = 0; i < pieces.n; i++) {
      const overlapNs = Math.min(toNs, pieces.toNs[i] as number) - Math.max(fromNs, pieces.fromNs[i] as number)
      sumNs += Math.max(0, overlapNs)
    }
    return sumNs
  }

  function whyNotAll(claim: number, ownNs: number, tookNs: number): string {
    const fromNs = a[claim] as number
    const toNs = b[claim] as number
    const insideNs = Math.max(0, Math.min(toNs, view.endNs) - Math.max(fromNs, view.startNs))
    return whyClipped({ outsideNs: toNs - fromNs - insideNs, notOwnNs: insideNs - ownNs, claimedNs: ownNs - tookNs })
  }

  function restNs(): number {
    let sumNs = 0
    for (let i = 0; i < pieces.n; i++) sumNs += pieces.restNs[i] as number
    return sumNs
  }

  /** Takes an amount from all pieces in proportion to what is left of them, to the nanosecond. */
  function spread(ns: number): void {
    let leftNs = ns
    let fromNs = restNs()
    for (let i = 0; i < pieces.n && fromNs > 0; i++) {
      const rest = pieces.restNs[i] as number
      const part = Math.min(rest, Math.round(leftNs * (rest / fromNs)))
      pieces.restNs[i] = rest - part
      leftNs -= part
      fromNs -= rest
    }
  }

  return {
    pieces,
    logTo(to) {
      log = to
    },
    begin(of) {
      unit = of
      pieces.n = 0
    },
    addPiece(fromNs, toNs, left, right) {
      const i = pieces.n++
      if (i === pieces.fromNs.length) {
        pieces.fromNs = enlarge(pieces.fromNs, i + 1)
        pieces.toNs = enlarge(pieces.toNs, i + 1)
        pieces.left = enlarge(pieces.left, i + 1)
        pieces.right = enlarge(pieces.right, i + 1)
        pieces.restNs = enlarge(pieces.restNs, i + 1)
      }
      pieces.fromNs[i] = fromNs
      pieces.toNs[i] = toNs
      pieces.left[i] = left
      pieces.right[i] = right
      pieces.restNs[i] = toNs - fromNs
    },
    resolve(tree, span, share, book) {
      view.tree = tree
      view.span = span
      view.startNs = tree.startNs[span] as number
      view.endNs = tree.endNs[span] as number
      claims = opens = taken = 0
      phaseOpen.fill(1)
      collectClaims(bitsOf(span))
      if (claims === 0) return
      for (let i = 0; i < pieces.n; i++) addOpen(pieces.fromNs[i] as number, pieces.toNs[i] as number, i)
      for (let strength = Grade.measured as number; strength < GRADES; strength++) {
        for (let claim = 0; claim < claims; claim++) {
          if (grade[claim] === strength && sort[claim] === Sort.exact) bookAmount(claim, share, book)
        }
        for (let claim = 0; claim < claims; claim++) {
          if (grade[claim] === strength && sort[claim] === Sort.placed) bookPlaced(claim, share === 1, book)
        }
        for (let claim = 0; claim < claims; claim++) {
          if (grade[claim] === strength && (sort[claim] === Sort.amount || sort[claim] === Sort.upTo)) {
            bookAmount(claim, share, book)
          }
        }
        for (let claim = 0; claim < claims; claim++) {
          if (grade[claim] === strength && sort[claim] === Sort.spare) bookInterval(claim, book)
        }
      }
    },
    isBounded: (of) => phaseOpen[of] === 0
  }
}
