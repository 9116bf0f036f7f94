import { PATTERNS } from '../../model/patterns.ts'
import type { IsResent } from '../evidence/attempts.ts'
import { enlarge, growFloats, growInts } from '../scratch.ts'
import { createCover } from './cover.ts'
import { coverRank } from './cover-rank.ts'
import { type Cut, createCut, CUT_EDGE, Fill, UnitKind } from './cut.ts'
import { createSiblingPatterns, SIBLINGS_MAX } from './patterns.ts'
import { createSiblings } from './siblings.ts'
import { createSteps } from './steps.ts'
import { isAsync, type Tree } from './tree.ts'

/** A span with more children than this is cut in steps. */
const WIDE = 16_384

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
 * clipped to their parent, and an explicit stack takes chains of any depth. `isResent` says whether a span tells of itself
 * that it is another attempt.
 */
export function createWalker(isResent: IsResent): Walker {
  const cover = createCover()
  const writer = createCut()
  const { cut, addUnit, addSelf, addCovered, setClipped } = writer
  const siblings = createSiblings()
  const patterns = createSiblingPatterns(isResent)
  /** Of the span at hand, before anything else is cut. */
  const steps = createSteps()
  let tree: Tree
  let nextEntry = 0
  let nextUnit = 0
  let nextOnPath = 0
  let depth = 0
  let stackSpan = growInts(64)
  let stackFrom = growFloats(64)
  let stackTo = growFloats(64)
  // What of a span's window no pattern above it counts already: one interval, because a pattern takes the start or the end of one.
  let stackFreeFrom = growFloats(64)
  let stackFreeTo = growFloats(64)
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

  let freeFromNs = 0
  let freeToNs = 0

  function push(span: number, fromNs: number, toNs: number): void {
    if (depth === stackSpan.length) {
      stackSpan = enlarge(stackSpan, depth + 1)
      stackFrom = enlarge(stackFrom, depth + 1)
      stackTo = enlarge(stackTo, depth + 1)
      stackFreeFrom = enlarge(stackFreeFrom, depth + 1)
      stackFreeTo = enlarge(stackFreeTo, depth + 1)
    }
    stackSpan[depth] = span
    stackFrom[depth] = fromNs
    stackTo[depth] = toNs
    stackFreeFrom[depth] = freeFromNs
    stackFreeTo[depth++] = freeToNs
  }

  /** Puts a child on the path: a peer ends the walk here, anything else is walked through. */
  function descend(span: number, child: number, fromNs: number, toNs: number): void {
    if (tree.owner[child] === child) addCovered(span, fromNs, toNs, Fill.peer, child)
    else push(child, fromNs, toNs)
  }

  /** Counts what of a stretch of the path is free. */
  function countPattern(pattern: number, fromNs: number, toNs: number): void {
    const ns = Math.min(toNs, freeToNs) - Math.max(fromNs, freeFromNs)
    if (ns <= 0) return
    const cell = nextUnit * PATTERNS + pattern
    cut.patternNs[cell] = (cut.patternNs[cell] as number) + ns
  }

  /** As `descend`, of a child that may be part of a pattern: what counts of it here counts no more below it. */
  function descendCounting(span: number, place: number, child: number, fromNs: number, toNs: number): void {
    const as = patterns.countAs[place] as number
    if (as === 0) {
      descend(span, child, fromNs, toNs)
      return
    }
    const [outerFromNs, outerToNs] = [freeFromNs, freeToNs]
    const countFromNs = Math.max(fromNs, patterns.countFromNs[place] as number)
    const countToNs = Math.min(toNs, patterns.countToNs[place] as number)
    countPattern(as - 1, countFromNs, countToNs)
    if (countFromNs === fromNs) freeFromNs = Math.max(outerFromNs, countToNs)
    else freeToNs = Math.min(outerToNs, countFromNs)
    descend(span, child, fromNs, toNs)
    freeFromNs = outerFromNs
    freeToNs = outerToNs
  }

  /** The pause before a child that is on the path. */
  function countPause(place: number, fromNs: number, toNs: number): void {
    const as = patterns.pauseAs[place] as number
    if (as !== 0) countPattern(as - 1, Math.max(fromNs, patterns.pauseFromNs[place] as number), toNs)
  }

  /** Cuts one span between two moments. Gaps wait until it is known whether a child off the path fills them. */
  function cutSpan(span: number, fromNs: number, toNs: number): number {
    const { childEnd, startNs, endNs } = tree
    const first = span === 0 ? 0 : (childEnd[span - 1] as number)
    const end = childEnd[span] as number
    const leftEdge = fromNs > (startNs[span] as number) ? CUT_EDGE : -1
    const right = toNs < (endNs[span] as number) ? CUT_EDGE : -1
    setClipped(leftEdge === -1 && right === -1 ? 0 : 1)
    if (first === end) {
      addSelf(span, fromNs, toNs, leftEdge, right)
      return 1
    }
    const searched = end - first > 1 && freeFromNs < freeToNs
    if (searched && end - first > WIDE) {
      if (end - first > SIBLINGS_MAX) {
        cut.unsearched += end - first
        cutChildren(span, fromNs, toNs, false)
      } else {
        steps.add(...patterns.steps(span), {
          size: () => 1,
          run() {
            cutChildren(span, fromNs, toNs, patterns.found())
          }
        })
      }
    } else cutChildren(span, fromNs, toNs, searched && patterns.look(span))
    return 1 + end - first
  }

  /** `counting`: some of the children are part of a pattern. */
  function cutChildren(span: number, fromNs: number, toNs: number, counting: boolean): void {
    const { childEnd, child, startNs, endNs } = tree
    const first = span === 0 ? 0 : (childEnd[span - 1] as number)
    const end = childEnd[span] as number
    const leftEdge = fromNs > (startNs[span] as number) ? CUT_EDGE : -1
    let right = toNs < (endNs[span] as number) ? CUT_EDGE : -1
    let off = 0
    let gaps = 0
    let cursor = toNs
    let chosen = -1
    let chosenAt = -1
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
      if (stop < cursor) {
        setGap(gaps++, stop, cursor, row, right)
        if (counting && chosenAt >= 0) countPause(chosenAt - first, stop, cursor)
      }
      if (counting) descendCounting(span, at - first, row, start, stop)
      else descend(span, row, start, stop)
      cursor = start
      chosen = row
      chosenAt = at
      right = row
    }
    if (fromNs < cursor) {
      setGap(gaps++, fromNs, cursor, leftEdge, right)
      if (counting && chosenAt >= 0) countPause(chosenAt - first, fromNs, cursor)
    }
    if (off === 0) {
      for (let i = 0; i < gaps; i++) {
        addSelf(span, gapFrom[i] as number, gapTo[i] as number, gapLeft[i] as number, gapRight[i] as number)
      }
    } else {
      fillGaps(span, gaps, off)
    }
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
    coveredSpan = span
    if (off > WIDE) {
      steps.add(
        { size: () => off, run: addCovers },
        {
          size: () => 1,
          run() {
            steps.add(...cover.steps(addPiece))
          }
        }
      )
    } else {
      addCovers(0, off)
      cover.emit(addPiece)
    }
  }

  function addCovers(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const row = skipped[i] as number
      const rank = coverRank(tree, row)
      // Outside every gap it fills nothing; the cover ignores it.
      if (rank >= 0) cover.add(row, rank, tree.startNs[row] as number, tree.endNs[row] as number)
    }
  }

  /** Cuts the unit on the stack, and those it asks for. True when the stack is empty and no unit waits. */
  function drain(work: number): boolean {
    while (work > 0) {
      if (steps.waiting()) {
        work -= steps.advance(work)
        if (depth === 0 && !steps.waiting()) cut.unitEnd[nextUnit++] = cut.sections
        continue
      }
      if (depth > 0) {
        depth -= 1
        freeFromNs = stackFreeFrom[depth] as number
        freeToNs = stackFreeTo[depth] as number
        work -= cutSpan(stackSpan[depth] as number, stackFrom[depth] as number, stackTo[depth] as number)
        if (depth === 0 && !steps.waiting()) cut.unitEnd[nextUnit++] = cut.sections
        continue
      }
      if (nextUnit === cut.units) return true
      const span = cut.unitSpan[nextUnit] as number
      const fromNs = cut.unitFromNs[nextUnit] as number
      const toNs = cut.unitToNs[nextUnit] as number
      freeFromNs = fromNs
      // Patterns count in requests alone: what is off the path, or part of a request counted elsewhere, is no part of the latency.
      freeToNs = cut.unitKind[nextUnit] === UnitKind.request ? toNs : fromNs
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
      patterns.begin(of)
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
