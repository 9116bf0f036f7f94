import { Kind } from '../../model/spans.ts'
import { enlarge, growFloats, growInts } from '../scratch.ts'
import { createCover } from './cover.ts'
import { isAsync, Trait, type Tree } from './tree.ts'

/** What a section of a span on the path is filled with. */
export const Fill = {
  /** The span's own time. */
  self: 0,
  /** A peer on the path: the path goes on in the peer's own unit. */
  peer: 1,
  /** A child off the path: the time is booked as that child's kind says. */
  child: 2
} as const

export const UnitKind = { request: 0, child: 1, window: 2 } as const

/**
 * What the walk finds. A unit is one span with what it waited for in its process, from one moment to another: a request,
 * an in-process child off the path, or the part of a request that a clipped call leaves of it. Sections tile their unit.
 */
export interface Cut {
  units: number
  unitSpan: Int32Array
  unitFromNs: Float64Array
  unitToNs: Float64Array
  unitKind: Uint8Array
  /** Sections of unit u are unitEnd[u-1] .. unitEnd[u]. */
  unitEnd: Uint32Array
  /** Unit of an entry span or off-path child by row, -1 without. */
  unitOf: Int32Array
  sections: number
  span: Int32Array
  fromNs: Float64Array
  toNs: Float64Array
  fill: Uint8Array
  /** The peer or child; -1 for self. */
  cover: Int32Array
  /** Rows on both sides of a piece of self time, -1 = the span's own edge, CUT = the window's. */
  left: Int32Array
  right: Int32Array
  /** 1 when the unit sees only a part of the span, because its parent ended or began in between. */
  clipped: Uint8Array
  /** Units on the root's critical path, the root's first. */
  pathUnits: number
  pathUnit: Int32Array
}

/** A piece that ends at a clipped edge says nothing about its usual length. */
export const CUT_EDGE = -2

/** Rank of children that overlap: wait spans first, then peers, then calls, then the rest. -1 = not waited for. */
export function coverRank(tree: Tree, child: number): number {
  if (tree.trait[child] === Trait.wait) return 0
  const kind = tree.trace.kind[child]
  if (isAsync(tree, child) && kind !== Kind.consumer) return -1
  if (tree.owner[child] === child) return 1
  return kind === Kind.client || kind === Kind.producer ? 2 : 3
}

/** Overlap of siblings that still counts as one after the other: clocks and span ends are that exact and no better. */
const OVERLAP_SHARE = 0.01
/** More siblings than this are searched in a sorted copy of their starts. */
const SCAN_MAX = 64

export interface Walker {
  readonly cut: Cut
  readonly begin: (tree: Tree) => void
  /** Cuts every request of the trace; stops after about `work` children. True when done. */
  readonly walk: (work: number) => boolean
  /** Follows the critical path from the root's unit through its peers. Call when `walk` is done. */
  readonly follow: (rootUnit: number) => void
}

/**
 * Critical path by the walk of Jaeger and CRISP: from the end backwards, to the child that finished last, then to the one that
 * finished before that one started. Here siblings that touch are both on it, overlaps below 1 % are clipped, children are
 * clipped to their parent, and an explicit stack takes chains of any depth.
 */
export function createWalker(): Walker {
  const cover = createCover()
  const cut: Cut = {
    units: 0,
    unitSpan: growInts(16),
    unitFromNs: growFloats(16),
    unitToNs: growFloats(16),
    unitKind: new Uint8Array(16),
    unitEnd: new Uint32Array(16),
    unitOf: growInts(16),
    sections: 0,
    span: growInts(64),
    fromNs: growFloats(64),
    toNs: growFloats(64),
    fill: new Uint8Array(64),
    cover: growInts(64),
    left: growInts(64),
    right: growInts(64),
    clipped: new Uint8Array(64),
    pathUnits: 0,
    pathUnit: growInts(16)
  }
  let tree: Tree
  let nextEntry = 0
  let nextUnit = 0
  let depth = 0
  let stackSpan = growInts(64)
  let stackFrom = growFloats(64)
  let stackTo = growFloats(64)
  let skipped = growInts(64)
  let gapFrom = growFloats(64)
  let gapTo = growFloats(64)
  let gapLeft = growInts(64)
  let gapRight = growInts(64)
  let starts = growFloats(64)
  let startsOf = -1
  let clipped = 0

  function addUnit(span: number, fromNs: number, toNs: number, kind: number): number {
    const unit = cut.units++
    if (unit === cut.unitSpan.length) {
      cut.unitSpan = enlarge(cut.unitSpan, unit + 1)
      cut.unitFromNs = enlarge(cut.unitFromNs, unit + 1)
      cut.unitToNs = enlarge(cut.unitToNs, unit + 1)
    }
    if (unit >= cut.unitKind.length) {
      cut.unitKind = enlarge(cut.unitKind, unit + 1)
      cut.unitEnd = enlarge(cut.unitEnd, unit + 1)
    }
    cut.unitSpan[unit] = span
    cut.unitFromNs[unit] = fromNs
    cut.unitToNs[unit] = toNs
    cut.unitKind[unit] = kind
    if (kind !== UnitKind.window) cut.unitOf[span] = unit
    return unit
  }

  function addSection(span: number, fromNs: number, toNs: number, fill: number): number {
    const section = cut.sections++
    if (section === cut.span.length) {
      cut.span = enlarge(cut.span, section + 1)
      cut.fromNs = enlarge(cut.fromNs, section + 1)
      cut.toNs = enlarge(cut.toNs, section + 1)
      cut.fill = enlarge(cut.fill, section + 1)
      cut.cover = enlarge(cut.cover, section + 1)
      cut.left = enlarge(cut.left, section + 1)
      cut.right = enlarge(cut.right, section + 1)
      cut.clipped = enlarge(cut.clipped, section + 1)
    }
    cut.clipped[section] = clipped
    cut.span[section] = span
    cut.fromNs[section] = fromNs
    cut.toNs[section] = toNs
    cut.fill[section] = fill
    return section
  }

  function addSelf(span: number, fromNs: number, toNs: number, left: number, right: number): void {
    const section = addSection(span, fromNs, toNs, Fill.self)
    cut.cover[section] = -1
    cut.left[section] = left
    cut.right[section] = right
  }

  let coveredSpan = -1
  function addPiece(fromNs: number, toNs: number, child: number, left: number, right: number): void {
    if (child < 0) {
      addSelf(coveredSpan, fromNs, toNs, left, right)
      return
    }
    cut.cover[addSection(coveredSpan, fromNs, toNs, Fill.child)] = child
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
    if (tree.owner[child] === child) cut.cover[addSection(span, fromNs, toNs, Fill.peer)] = child
    else push(child, fromNs, toNs)
  }

  /** Cuts one span between two moments. Gaps wait until it is known whether a child off the path fills them. */
  function cutSpan(span: number, fromNs: number, toNs: number): number {
    const { childEnd, child, startNs, endNs } = tree
    const first = span === 0 ? 0 : (childEnd[span - 1] as number)
    const end = childEnd[span] as number
    const leftEdge = fromNs > (startNs[span] as number) ? CUT_EDGE : -1
    let right = toNs < (endNs[span] as number) ? CUT_EDGE : -1
    clipped = leftEdge === -1 && right === -1 ? 0 : 1
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
        stop <= cursor || (chosen >= 0 && start < cursor && nearlyFollows(span, at, chosen, cursor, toNs - fromNs))
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

  /**
   * Whether the child at index `at` ends so little after `chosen` started that it still came before it: it started and ended
   * first, the overlap is below 1 % of the parent, and nothing else begins or ends within the overlap.
   */
  function nearlyFollows(span: number, at: number, chosen: number, cursor: number, parentNs: number): boolean {
    const { child, startNs, endNs } = tree
    const row = child[at] as number
    const stop = endNs[row] as number
    if (startNs[chosen] !== cursor || stop >= (endNs[chosen] as number)) return false
    if (stop - cursor >= OVERLAP_SHARE * parentNs) return false
    return endsAlone(span, at, cursor) && startsAlone(span, chosen, cursor, stop)
  }

  /** No sibling but the one at `at` ends within [fromNs, its end]. Siblings are in order of their ends. */
  function endsAlone(span: number, at: number, fromNs: number): boolean {
    const { childEnd, child, startNs, endNs } = tree
    const first = span === 0 ? 0 : (childEnd[span - 1] as number)
    const stop = endNs[child[at] as number]
    for (let i = at - 1; i >= first && endNs[child[i] as number] === stop; i--) {
      if (startNs[child[i] as number] !== stop) return false
    }
    for (let i = at + 1; i < (childEnd[span] as number); i++) {
      const row = child[i] as number
      if ((endNs[row] as number) < fromNs) return true
      if (startNs[row] !== endNs[row]) return false
    }
    return true
  }

  /** No sibling but `chosen` starts within [fromNs, toNs]. */
  function startsAlone(span: number, chosen: number, fromNs: number, toNs: number): boolean {
    const { childEnd, child, startNs, endNs } = tree
    const first = span === 0 ? 0 : (childEnd[span - 1] as number)
    const end = childEnd[span] as number
    if (end - first <= SCAN_MAX) {
      for (let i = first; i < end; i++) {
        const row = child[i] as number
        const start = startNs[row] as number
        if (row !== chosen && start >= fromNs && start <= toNs && start !== endNs[row]) return false
      }
      return true
    }
    if (startsOf !== span) sortStarts(span, first, end)
    let low = 0
    let high = sorted
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) < fromNs) low = middle + 1
      else high = middle
    }
    // The first within is `chosen` itself; a second one is somebody else.
    return low + 1 >= sorted || (starts[low + 1] as number) > toNs
  }

  let sorted = 0
  function sortStarts(span: number, first: number, end: number): void {
    const { child, startNs, endNs } = tree
    if (starts.length < end - first) starts = growFloats(end - first)
    sorted = 0
    for (let i = first; i < end; i++) {
      const row = child[i] as number
      if (startNs[row] !== endNs[row]) starts[sorted++] = startNs[row] as number
    }
    starts.subarray(0, sorted).sort()
    startsOf = span
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

  /** Most traces have fewer sections than twice their spans: room for those at once, so that a giant never waits for a copy. */
  function reserve(n: number): void {
    cut.unitSpan = enlarge(cut.unitSpan, n)
    cut.unitFromNs = enlarge(cut.unitFromNs, n)
    cut.unitToNs = enlarge(cut.unitToNs, n)
    cut.unitKind = enlarge(cut.unitKind, n)
    cut.unitEnd = enlarge(cut.unitEnd, n)
    cut.span = enlarge(cut.span, 2 * n)
    cut.fromNs = enlarge(cut.fromNs, 2 * n)
    cut.toNs = enlarge(cut.toNs, 2 * n)
    cut.fill = enlarge(cut.fill, 2 * n)
    cut.cover = enlarge(cut.cover, 2 * n)
    cut.left = enlarge(cut.left, 2 * n)
    cut.right = enlarge(cut.right, 2 * n)
    cut.clipped = enlarge(cut.clipped, 2 * n)
  }

  return {
    cut,
    begin(of) {
      tree = of
      const n = of.trace.n
      if (2 * n > cut.span.length) reserve(n)
      cut.units = cut.sections = cut.pathUnits = 0
      if (cut.unitOf.length < n) cut.unitOf = growInts(n)
      nextEntry = of.contextRows
      nextUnit = 0
      depth = 0
      startsOf = -1
    },
    walk(work) {
      const n = tree.trace.n
      if (nextEntry < n) {
        cut.unitOf.fill(-1, 0, n)
        for (; nextEntry < n; nextEntry++) {
          if (tree.owner[nextEntry] !== nextEntry) continue
          addUnit(nextEntry, tree.startNs[nextEntry] as number, tree.endNs[nextEntry] as number, UnitKind.request)
        }
      }
      return drain(work)
    },
    follow(rootUnit) {
      const addPath = (unit: number): void => {
        if (cut.pathUnits === cut.pathUnit.length) cut.pathUnit = enlarge(cut.pathUnit, cut.pathUnits + 1)
        cut.pathUnit[cut.pathUnits++] = unit
      }
      addPath(rootUnit)
      for (let i = 0; i < cut.pathUnits; i++) {
        const unit = cut.pathUnit[i] as number
        const end = cut.unitEnd[unit] as number
        for (let section = unit === 0 ? 0 : (cut.unitEnd[unit - 1] as number); section < end; section++) {
          if (cut.fill[section] !== Fill.peer) continue
          const peer = cut.cover[section] as number
          const fromNs = cut.fromNs[section] as number
          const toNs = cut.toNs[section] as number
          const whole = fromNs === tree.startNs[peer] && toNs === tree.endNs[peer]
          const unitOfPeer = whole ? (cut.unitOf[peer] as number) : addUnit(peer, fromNs, toNs, UnitKind.window)
          if (!whole) while (!drain(Infinity));
          addPath(unitOfPeer)
        }
      }
    }
  }
}
