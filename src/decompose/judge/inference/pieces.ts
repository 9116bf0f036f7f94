import { Kind } from '../../../model/spans.ts'
import { type Cut, CUT_EDGE, Fill, UnitKind } from '../../cut/cut.ts'
import { Trait, type Tree } from '../../cut/tree.ts'
import { Around } from '../../learned/spreads.ts'

/** What a piece of time is, and so what can have stretched it. */
export const PieceKind = {
  /** Own time between two children or an edge: needs this process's CPU. */
  own: 0,
  /** From the start of a call to its peer's span: sending, the wire, the peer's runtime before its span. */
  beforePeer: 1,
  /** From the end of the peer's span to the end of the call: the answer is there, this process has to notice. */
  afterPeer: 2,
  /** A call without a peer's span: the far side, or this process late. */
  call: 3,
  /** A wait span: for its turn, and then until its process noticed. */
  wait: 4
} as const

/** The piece at hand: one object, overwritten for each. Times on the root host's clock, as in the tree. */
export interface Piece {
  span: number
  kind: number
  fromNs: number
  toNs: number
  /** Rows before and after it, -1 = the span's edge. */
  left: number
  right: number
  /** Its class among the spreads: what comes before and after. */
  before: number
  after: number
}

export const createPiece = (): Piece => ({
  span: 0,
  kind: 0,
  fromNs: 0,
  toNs: 0,
  left: 0,
  right: 0,
  before: 0,
  after: 0
})

/** Visits the pieces that nobody else covers, of every request and in-process child on a path; those cut at an edge are left out. */
export function eachPiece(tree: Tree, cut: Cut, piece: Piece, visit: () => void): void {
  for (let unit = 0; unit < cut.units; unit++) {
    if (cut.unitKind[unit] === UnitKind.window) return
    const end = cut.unitEnd[unit] as number
    for (let section = unit === 0 ? 0 : (cut.unitEnd[unit - 1] as number); section < end; section++) {
      if (cut.fill[section] === Fill.self && describe(tree, cut, section, piece)) visit()
    }
  }
}

/** False when the section is no piece of any class: a part of a connection's making, between two attempts. */
function describe(tree: Tree, cut: Cut, section: number, piece: Piece): boolean {
  const span = cut.span[section] as number
  const left = cut.left[section] as number
  const right = cut.right[section] as number
  const isWait = tree.trait[span] === Trait.wait
  if (left === CUT_EDGE || right === CUT_EDGE || (tree.trait[span] !== Trait.none && !isWait)) return false
  const { trace, owner } = tree
  if ((owner[span] as number) < 0) return false
  piece.span = span
  piece.fromNs = cut.fromNs[section] as number
  piece.toNs = cut.toNs[section] as number
  piece.left = left
  piece.right = right
  if (isWait) {
    piece.kind = PieceKind.wait
    piece.before = piece.after = 0
    return left < 0 && right < 0
  }
  const kind = trace.kind[span] as number
  if (kind !== Kind.client && kind !== Kind.producer) {
    piece.kind = PieceKind.own
    piece.before = left < 0 ? 0 : (trace.operation[left] as number)
    piece.after = right < 0 ? 0 : (trace.operation[right] as number)
    return true
  }
  if (left < 0 && right < 0) {
    // With a peer that outlived its call, nothing but an overlap is missing: that is no call into the dark.
    if (tree.hasPeer[span] === 1) return false
    piece.kind = PieceKind.call
    piece.before = piece.after = Around.call
  } else if (left < 0 && owner[right] === right) {
    piece.kind = PieceKind.beforePeer
    piece.before = piece.after = Around.beforePeer
  } else if (right < 0 && owner[left] === left) {
    piece.kind = PieceKind.afterPeer
    piece.before = piece.after = Around.afterPeer
  } else return false
  return true
}
