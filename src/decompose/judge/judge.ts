import { GRADES, Grade, Phase, PHASE_SLOTS, UNATTRIBUTED_SLOT } from '../../model/phases.ts'
import { Kind } from '../../model/spans.ts'
import { createCover } from '../cut/cover.ts'
import { operationOf, Trait, type Tree } from '../cut/tree.ts'
import { type Cut, Fill } from '../cut/cut.ts'
import { coverRank } from '../cut/cover-rank.ts'
import type { Bodies } from '../learned/bodies.ts'
import type { Edges } from '../learned/edges.ts'
import { hasEvidence, type Sources } from '../evidence/index.ts'
import type { Tally } from '../evidence/tally.ts'
import type { Spreads } from '../learned/spreads.ts'
import { enlarge, growFloats, growInts } from '../scratch.ts'
import type { LoggedClaim } from './claim-log.ts'
import { createClaimResolver } from './claims.ts'

/** Marks of a verdict row. */
export const RowFlag = {
  /** A peer covers it: the blame view goes on there instead. */
  peer: 1,
  /** A call to an instrumented peer whose span is missing: blame must not guess. */
  missingPeer: 2
} as const

/** What the judge says: rows of (span, phase, grade, ns) by unit, and the pieces that the operation's body was asked for. */
export interface Verdict {
  /** PHASE_SLOTS a unit. */
  phaseNs: Float64Array
  /** 1 when an instrumented peer's span is missing in the unit. */
  partial: Uint8Array
  rows: number
  /** Rows of unit u are rowFirst[u] .. rowEnd[u]. */
  rowFirst: Uint32Array
  rowEnd: Uint32Array
  span: Int32Array
  phase: Uint8Array
  grade: Uint8Array
  flags: Uint8Array
  ns: Float64Array
  pieces: number
  pieceUnit: Int32Array
  pieceSpan: Int32Array
  pieceLeft: Int32Array
  pieceRight: Int32Array
  pieceNs: Float64Array
}

export interface Judge {
  readonly verdict: Verdict
  readonly begin: (tree: Tree, cut: Cut) => void
  readonly logTo: (log: LoggedClaim[] | undefined) => void
  /** Judges units [from, to). Units are judged from the last down, because a unit uses those it asked for. */
  readonly judge: (from: number, to: number) => void
  /** The span's own time, all children considered; PHASE_SLOTS cells from `at`. Returns what in-process children cover. */
  readonly ownTime: (span: number, phaseNs: Float64Array, at: number) => number
}

export interface JudgeTools {
  readonly bodies: Bodies
  readonly edges: Edges
  readonly sources: Sources
  readonly tally: Tally
  readonly spreads: Spreads
  /** Time over the median but within the piece's spread is processing. */
  readonly spread: boolean
}

/** Reads what the process has learned and says what every section of a cut was. */
export function createJudge(tools: JudgeTools): Judge {
  const { bodies, edges, spreads } = tools
  const claims = createClaimResolver(tools.sources, tools.tally)
  const { pieces } = claims
  const ownCover = createCover()
  const verdict: Verdict = {
    phaseNs: growFloats(16 * PHASE_SLOTS),
    partial: new Uint8Array(64),
    rows: 0,
    rowFirst: new Uint32Array(64),
    rowEnd: new Uint32Array(64),
    span: growInts(64),
    phase: new Uint8Array(64),
    grade: new Uint8Array(64),
    flags: new Uint8Array(64),
    ns: growFloats(64),
    pieces: 0,
    pieceUnit: growInts(64),
    pieceSpan: growInts(64),
    pieceLeft: growInts(64),
    pieceRight: growInts(64),
    pieceNs: growFloats(64)
  }
  let tree: Tree
  let cut: Cut
  let unit = 0
  let rowFlags = 0
  // Set while a span is booked whose evidence says how much of it can have been such at most.
  let processingBounded = false
  let queueBounded = false

  function growUnits(units: number): void {
    verdict.phaseNs = enlarge(verdict.phaseNs, units * PHASE_SLOTS)
    verdict.partial = enlarge(verdict.partial, units)
    verdict.rowFirst = enlarge(verdict.rowFirst, units)
    verdict.rowEnd = enlarge(verdict.rowEnd, units)
  }

  function growRows(rows: number): void {
    verdict.span = enlarge(verdict.span, rows)
    verdict.phase = enlarge(verdict.phase, rows)
    verdict.grade = enlarge(verdict.grade, rows)
    verdict.flags = enlarge(verdict.flags, rows)
    verdict.ns = enlarge(verdict.ns, rows)
  }

  function growPieces(pieces: number): void {
    verdict.pieceUnit = enlarge(verdict.pieceUnit, pieces)
    verdict.pieceSpan = enlarge(verdict.pieceSpan, pieces)
    verdict.pieceLeft = enlarge(verdict.pieceLeft, pieces)
    verdict.pieceRight = enlarge(verdict.pieceRight, pieces)
    verdict.pieceNs = enlarge(verdict.pieceNs, pieces)
  }

  function addRow(span: number, phase: number, grade: number, ns: number): void {
    const row = verdict.rows++
    if (row === verdict.span.length) growRows(row + 1)
    verdict.span[row] = span
    verdict.phase[row] = phase
    verdict.grade[row] = grade
    verdict.flags[row] = rowFlags
    verdict.ns[row] = ns
    const cell = unit * PHASE_SLOTS + phase * GRADES + (phase === Phase.unattributed ? 0 : grade)
    verdict.phaseNs[cell] = (verdict.phaseNs[cell] as number) + ns
  }

  function addPiece(span: number, left: number, right: number, ns: number): void {
    const piece = verdict.pieces++
    if (piece === verdict.pieceUnit.length) growPieces(piece + 1)
    verdict.pieceUnit[piece] = unit
    verdict.pieceSpan[piece] = span
    verdict.pieceLeft[piece] = left
    verdict.pieceRight[piece] = right
    verdict.pieceNs[piece] = ns
  }

  const operationAt = (row: number): number => (row < 0 ? 0 : operationOf(tree, row))

  /** Own time of a span between two rows (-1 = its edge) that no claim explains. */
  function bookRest(span: number, left: number, right: number, restNs: number, book: typeof addRow): void {
    const { trace, trait } = tree
    if (trait[span] === Trait.wait && !queueBounded) {
      book(span, Phase.queueWait, Grade.measured, restNs)
    } else if (trait[span] === Trait.transport) {
      book(span, Phase.network, Grade.measured, restNs)
    } else {
      const kind = trace.kind[span] as number
      if (kind === Kind.client || kind === Kind.producer) bookCall(span, restNs, book)
      else bookBody(span, left, right, restNs, book)
    }
  }

  /** Applies the span's claims to its pieces, then books what they leave. */
  function bookPieces(span: number, share: number, book: typeof addRow): void {
    claims.resolve(tree, span, share, book)
    processingBounded = claims.isBounded(Phase.processing)
    queueBounded = claims.isBounded(Phase.queueWait)
    for (let i = 0; i < pieces.n; i++) {
      bookRest(span, pieces.left[i] as number, pieces.right[i] as number, pieces.restNs[i] as number, book)
    }
    processingBounded = queueBounded = false
  }

  function bookCall(span: number, restNs: number, book: typeof addRow): void {
    if (restNs === 0) return
    if (tree.hasPeer[span] === 1) {
      book(span, Phase.network, Grade.inferred, restNs)
      return
    }
    const service = tree.service[span] as number
    const expected = tree.trace.kind[span] === Kind.client && edges.instrumented(service, operationAt(span))
    if (expected && book === addRow) {
      rowFlags = RowFlag.missingPeer
      verdict.partial[unit] = 1
    }
    book(span, Phase.downstream, Grade.inferred, restNs)
    rowFlags = 0
  }

  /** Processing up to what the operation's body needs for this piece; what is far over it nothing proves. */
  function bookBody(span: number, left: number, right: number, restNs: number, book: typeof addRow): void {
    if (book === addRow) addPiece(span, left, right, restNs)
    if (restNs === 0) return
    let bodyNs = 0
    if (!processingBounded) {
      const service = tree.service[span] as number
      const body = bodies.rowOf(service, operationAt(span), operationAt(left), operationAt(right))
      const medianNs = body < 0 ? NaN : bodies.medianNs(body)
      if (medianNs > 0) bodyNs = restNs <= medianNs || isUsual(service, body, restNs) ? restNs : medianNs
    }
    if (bodyNs > 0) book(span, Phase.processing, Grade.inferred, bodyNs)
    if (restNs > bodyNs) book(span, Phase.unattributed, Grade.measured, restNs - bodyNs)
  }

  /** Within the spread of its like, or too little over the median to matter to a request: what the code needed this time. */
  function isUsual(service: number, body: number, restNs: number): boolean {
    if (!tools.spread) return false
    if (restNs <= bodies.usualNs(body)) return true
    return restNs - bodies.medianNs(body) <= spreads.unnoticedNs(service)
  }

  /** The part of the span's self time that the unit sees of it. */
  function shareOfSelf(span: number, seenNs: number): number {
    let selfNs = 0
    eachOwnPiece(span, (fromNs, toNs, child) => {
      if (child < 0) selfNs += toNs - fromNs
    })
    return selfNs > 0 ? Math.min(1, seenNs / selfNs) : 1
  }

  function eachOwnPiece(
    span: number,
    visit: (fromNs: number, toNs: number, child: number, left: number, right: number) => void
  ): void {
    const startNs = tree.startNs[span] as number
    const endNs = tree.endNs[span] as number
    if (endNs <= startNs) return
    ownCover.begin()
    ownCover.section(startNs, endNs, -1, -1)
    const end = tree.childEnd[span] as number
    for (let at = span === 0 ? 0 : (tree.childEnd[span - 1] as number); at < end; at++) {
      const child = tree.child[at] as number
      const rank = coverRank(tree, child)
      const fromNs = Math.max(startNs, tree.startNs[child] as number)
      if (rank >= 0) ownCover.add(child, rank, fromNs, Math.min(endNs, tree.endNs[child] as number))
    }
    ownCover.emit(visit)
  }

  /** Sections [first, end) are one span's within one unit. */
  function judgeSpan(span: number, first: number, end: number): void {
    const evidence = tree.trait[span] === Trait.ruled || hasEvidence(tree.trace, span)
    let selfNs = 0
    if (evidence) claims.begin(unit)
    for (let section = first; section < end; section++) {
      const fromNs = cut.fromNs[section] as number
      const toNs = cut.toNs[section] as number
      const fill = cut.fill[section]
      if (fill === Fill.peer) {
        rowFlags = RowFlag.peer
        addRow(span, Phase.downstream, Grade.measured, toNs - fromNs)
        rowFlags = 0
      } else if (fill === Fill.child) {
        bookChild(span, cut.cover[section] as number, toNs - fromNs)
      } else if (evidence) {
        claims.addPiece(fromNs, toNs, cut.left[section] as number, cut.right[section] as number)
        selfNs += toNs - fromNs
      } else {
        bookRest(span, cut.left[section] as number, cut.right[section] as number, toNs - fromNs, addRow)
      }
    }
    if (selfNs > 0) bookPieces(span, cut.clipped[first] === 1 ? shareOfSelf(span, selfNs) : 1, addRow)
  }

  /** Time of a span on the path that a child off the path covers: never the span's own processing. */
  function bookChild(span: number, child: number, ns: number): void {
    const rank = coverRank(tree, child)
    if (rank === 0) addRow(child, Phase.queueWait, Grade.inferred, ns)
    else if (tree.trait[child] === Trait.transport) addRow(child, Phase.network, Grade.inferred, ns)
    else if (rank < 3) addRow(rank === 1 ? span : child, Phase.downstream, Grade.inferred, ns)
    else bookScaled(child, ns)
  }

  /** The child's phases, scaled to the time it covers here; the rounding goes to its largest phase. */
  function bookScaled(child: number, ns: number): void {
    const of = cut.unitOf[child] as number
    const first = of * PHASE_SLOTS
    const wholeNs = (cut.unitToNs[of] as number) - (cut.unitFromNs[of] as number)
    const share = ns / wholeNs
    let largest = UNATTRIBUTED_SLOT
    let restNs = ns
    for (let slot = 0; slot < PHASE_SLOTS; slot++) {
      const slotNs = verdict.phaseNs[first + slot] as number
      if (slotNs > (verdict.phaseNs[first + largest] as number)) largest = slot
      restNs -= Math.floor(slotNs * share)
    }
    for (let slot = 0; slot < PHASE_SLOTS; slot++) {
      const scaledNs = Math.floor((verdict.phaseNs[first + slot] as number) * share) + (slot === largest ? restNs : 0)
      const phase = Math.floor(slot / GRADES)
      if (scaledNs > 0) addRow(child, phase, Math.max(Grade.inferred, slot % GRADES), scaledNs)
    }
    if (verdict.partial[of] === 1) verdict.partial[unit] = 1
  }

  function judgeUnit(): void {
    verdict.rowFirst[unit] = verdict.rows
    const end = cut.unitEnd[unit] as number
    for (let first = unit === 0 ? 0 : (cut.unitEnd[unit - 1] as number); first < end;) {
      const span = cut.span[first] as number
      let next = first + 1
      while (next < end && cut.span[next] === span) next += 1
      judgeSpan(span, first, next)
      first = next
    }
    verdict.rowEnd[unit] = verdict.rows
  }

  return {
    verdict,
    logTo: claims.logTo,
    begin(ofTree, ofCut) {
      tree = ofTree
      cut = ofCut
      // A section gives a row or two: room for those at once, so that a giant never waits for a copy.
      if (2 * cut.sections > verdict.span.length) {
        growUnits(cut.units)
        growRows(2 * cut.sections)
        growPieces(cut.sections)
      }
      verdict.rows = verdict.pieces = 0
    },
    judge(from, to) {
      if (to > verdict.partial.length || to * PHASE_SLOTS > verdict.phaseNs.length) growUnits(to)
      verdict.phaseNs.fill(0, from * PHASE_SLOTS, to * PHASE_SLOTS)
      verdict.partial.fill(0, from, to)
      for (unit = to - 1; unit >= from; unit--) judgeUnit()
    },
    ownTime(span, phaseNs, at) {
      let inProcessNs = 0
      const book = (_: number, phase: number, grade: number, ns: number): void => {
        const cell = at + phase * GRADES + (phase === Phase.unattributed ? 0 : grade)
        phaseNs[cell] = (phaseNs[cell] as number) + ns
      }
      claims.begin(-1)
      eachOwnPiece(span, (fromNs, toNs, child, left, right) => {
        const ns = toNs - fromNs
        const rank = child < 0 ? -1 : coverRank(tree, child)
        if (rank < 0) claims.addPiece(fromNs, toNs, left, right)
        else if (rank === 0) book(span, Phase.queueWait, Grade.measured, ns)
        else if (tree.trait[child] === Trait.transport) book(span, Phase.network, Grade.measured, ns)
        else if (rank < 3) book(span, Phase.downstream, rank === 1 ? Grade.measured : Grade.inferred, ns)
        else inProcessNs += ns
      })
      bookPieces(span, 1, book)
      return inProcessNs
    }
  }
}
