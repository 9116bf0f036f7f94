import { Kind } from '../../model/spans.ts'
import { enlarge, growFloats, growInts } from '../scratch.ts'
import { createCover } from './cover.ts'
import { type Cut, createCut, CUT_EDGE, Fill, UnitKind } from './cut.ts'
import { createSiblings } from './siblings.ts'
import { isAsync, Trait, type Tree } from './tree.ts'

/** Rank of children that overlap: wait spans first, then peers, then calls, then the rest. -1 = not waited for. */
export function coverRank(tree: Tree, child: number): number {
  if (tree.trait[child] === Trait.wait) return 0
  const kind = tree.trace.kind[child]
  if (isAsync(tree, child) && kind !== Kind.consumer) return -1
  if (tree.owner[child] === child) return 1
  return kind === Kind.client || kind === Kind.producer ? 2 : 3
}

export interface Walker {
  readonly cut: Cut
  readonly begin: (tree: Tree) => void
  /** Cuts every request of the trace; stops after about `work` children. True when done. */
  readonly walk: (work: number) => boolean
  /** Where the critical path of the trace begins; once `walk` is done. */
  readonly beginPath: (rootUnit: number) => void
  /** Follows that path through the peers; stops after about `work` sections. True when done. */
  readonly follow: (work: number) => boolean
}

/**
 * Critical path by the walk of Jaeger and CRISP: from the end backwards, to the child that finished last, then to the one that
 * finished before that one started. Here siblings that touch are both on it, overlaps below 1 % are clipped, children are
 * clipped to their parent, and an explicit stack takes chains of any depth.
 */
export function createWalker(): Walker {
  const cover = createCover()
  const writer = createCut()
  const { cut, addUnit, addSelf, addCovered, setClipped } = writer
  const siblings = createSiblings()
  let tree: Tree
  let nextEntry = 0
  let nextUnit = 0
  let nextOnPath = 0
  let depth = 0
  let stackSpan = growInts(64)
  let stackFrom = growFloats(64)
  let stackTo = growFloats(64)
  let skipped = growInts(64)
  let gapFrom = growFloats(64)
  let gapTo = growFloats(64)
  let gapLeft = growInts(64)
  let gapRight = growInts(64)

  let coveredSpan = -1
  function addPiece(fromNs: number, toNs: number, child: number, left: number, right: number): void {
    if (child < 0) {
      addSelf(coveredSpan, fromNs, toNs, left, right)
      return
    }
    addCovered(coveredSpan, fromNs, toNs, Fill.child, child)
    const inProcess = coverRank(tree, child) === 3
    if (inProcess && (cut.unitOf[child] as number) < 0) {
      addUnit(child, tree.startNs[child] as number, tree.endNs[child] as number, UnitKind.child)
    }
  }

  function push(span: number, fromNs: number, toNs: number): void {
    if (depth === stackSpan.length) {
      stackSpan = enlarge(stackSpan, depth + 1)
      stackFrom = enlarge(stackFrom, depth + 1)
      stackTo = enlarge(stackTo, depth + 1)
    }
    stackSpan[depth] = span
    stackFrom[depth] = fromNs
    stackTo[depth++] = toNs
  }

  /** Puts a child on the path: a peer ends the walk here, anything else is walked through. */
  function descend(span: number, child: number, fromNs: number, toNs: number): void {
    if (tree.owner[child] === child) addCovered(span, fromNs, toNs, Fill.peer, child)
    else push(child, fromNs, toNs)
  }

  /** Cuts one span between two moments. Gaps wait until it is known whether a child off the path fills them. */
  function cutSpan(span: number, fromNs: number, toNs: number): number {
    const { childEnd, child, startNs, endNs } = tree
    const first = span === 0 ? 0 : (childEnd[span - 1] as number)
    const end = childEnd[span] as number
    const leftEdge = fromNs > (startNs[span] as number) ? CUT_EDGE : -1
    let right = toNs < (endNs[span] as number) ? CUT_EDGE : -1
    setClipped(leftEdge === -1 && right === -1 ? 0 : 1)
    if (first === end) {
      addSelf(span, fromNs, toNs, leftEdge, right)
      return 1
    }
    let off = 0
    let gaps = 0
    let cursor = toNs
    let chosen = -1
    for (let at = first; at < end; at++) {
      const row = child[at] as number
      const start = Math.max(startNs[row] as number, fromNs)
      let stop = Math.min(endNs[row] as number, toNs)
      if (stop <= start) continue
      const follows =
        stop <= cursor ||
        (chosen >= 0 && start < cursor && siblings.nearlyFollows(span, at, chosen, cursor, toNs - fromNs))
      if (!follows || isAsync(tree, row)) {
        if (off === skipped.length) skipped = enlarge(skipped, off + 1)
        skipped[off++] = row
        continue
      }
      stop = Math.min(stop, cursor)
      if (stop < cursor) setGap(gaps++, stop, cursor, row, right)
      descend(span, row, start, stop)
      cursor = start
      chosen = row
      right = row
    }
    if (fromNs < cursor) setGap(gaps++, fromNs, cursor, leftEdge, right)
    if (off === 0) {
      for (let i = 0; i < gaps; i++) {
        addSelf(span, gapFrom[i] as number, gapTo[i] as number, gapLeft[i] as number, gapRight[i] as number)
      }
    } else {
      fillGaps(span, gaps, off)
    }
    return 1 + end - first
  }

  function setGap(i: number, fromNs: number, toNs: number, left: number, right: number): void {
    if (i === gapFrom.length) {
      gapFrom = enlarge(gapFrom, i + 1)
      gapTo = enlarge(gapTo, i + 1)
      gapLeft = enlarge(gapLeft, i + 1)
      gapRight = enlarge(gapRight, i + 1)
    }
    gapFrom[i] = fromNs
    gapTo[i] = toNs
    gapLeft[i] = left
    gapRight[i] = right
  }

  /** Gaps of a span some of whose children are off the path: those may fill them. */
  function fillGaps(span: number, gaps: number, off: number): void {
    cover.begin()
    for (let i = 0; i < gaps; i++) {
      cover.section(gapFrom[i] as number, gapTo[i] as number, gapLeft[i] as number, gapRight[i] as number)
    }
    for (let i = 0; i < off; i++) {
      const row = skipped[i] as number
      const rank = coverRank(tree, row)
      // Outside every gap it fills nothing; the cover ignores it.
      if (rank >= 0) cover.add(row, rank, tree.startNs[row] as number, tree.endNs[row] as number)
    }
    coveredSpan = span
    cover.emit(addPiece)
  }

  /** Cuts the unit on the stack, and those it asks for. True when the stack is empty and no unit waits. */
  function drain(work: number): boolean {
    while (work > 0) {
      if (depth > 0) {
        depth -= 1
        work -= cutSpan(stackSpan[depth] as number, stackFrom[depth] as number, stackTo[depth] as number)
        if (depth === 0) cut.unitEnd[nextUnit++] = cut.sections
        continue
      }
      if (nextUnit === cut.units) return true
      const span = cut.unitSpan[nextUnit] as number
      const fromNs = cut.unitFromNs[nextUnit] as number
      const toNs = cut.unitToNs[nextUnit] as number
      if (fromNs < toNs) push(span, fromNs, toNs)
      else cut.unitEnd[nextUnit++] = cut.sections
      work -= 1
    }
    return false
  }

  /** The path goes on in the peer's unit, or in the part of it that a clipped call waits for. */
  function followPeer(section: number): void {
    const peer = cut.cover[section] as number
    const fromNs = cut.fromNs[section] as number
    const toNs = cut.toNs[section] as number
    if (fromNs === tree.startNs[peer] && toNs === tree.endNs[peer]) {
      writer.addPathUnit(cut.unitOf[peer] as number)
      return
    }
    const part = addUnit(peer, fromNs, toNs, UnitKind.window)
    while (!drain(Infinity));
    writer.addPathUnit(part)
  }

  return {
    cut,
    begin(of) {
      tree = of
      writer.clear(of.trace.n)
      siblings.begin(of)
      nextEntry = of.contextRows
      nextUnit = 0
      depth = 0
    },
    walk(work) {
      const n = tree.trace.n
      if (nextEntry < n) {
        const { owner, startNs, endNs } = tree
        const { unitOf } = cut
        for (let row = 0; row < n; row++) unitOf[row] = -1
        for (; nextEntry < n; nextEntry++) {
          if (owner[nextEntry] !== nextEntry) continue
          addUnit(nextEntry, startNs[nextEntry] as number, endNs[nextEntry] as number, UnitKind.request)
        }
      }
      return drain(work)
    },
    beginPath(rootUnit) {
      writer.addPathUnit(rootUnit)
      nextOnPath = 0
    },
    follow(work) {
      while (work > 0 && nextOnPath < cut.pathUnits) {
        const unit = cut.pathUnit[nextOnPath++] as number
        const first = unit === 0 ? 0 : (cut.unitEnd[unit - 1] as number)
        const end = cut.unitEnd[unit] as number
        for (let section = first; section < end; section++) {
          if (cut.fill[section] === Fill.peer) followPeer(section)
        }
        work -= 1 + end - first
      }
      return nextOnPath === cut.pathUnits
    }
  }
}
