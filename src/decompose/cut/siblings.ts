import { growFloats } from '../scratch.ts'
import type { Tree } from './tree.ts'

/** Overlap of siblings that still counts as one after the other: clocks and span ends are that exact and no better. */
const OVERLAP_SHARE = 0.01
/** More siblings than this are searched in a sorted copy of their starts. */
const SCAN_MAX = 64

export interface Siblings {
  readonly begin: (tree: Tree) => void
  /**
   * Whether the child of `span` at index `at` ends so little after `chosen` started (at `cursor`) that it still came before it:
   * it started and ended first, the overlap is below 1 % of the parent, and nothing else begins or ends within the overlap.
   */
  readonly nearlyFollows: (span: number, at: number, chosen: number, cursor: number, parentNs: number) => boolean
}

/** Which child came before which, where their spans overlap by a little. CRISP's rule; who merely touches needs none. */
export function createSiblings(): Siblings {
  let tree: Tree
  let starts = growFloats(64)
  let startsOf = -1

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

  return {
    begin(of) {
      tree = of
      startsOf = -1
    },
    nearlyFollows
  }
}
