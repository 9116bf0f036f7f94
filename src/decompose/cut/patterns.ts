import { Pattern } from '../../model/patterns.ts'
import { Outcome } from '../../model/requests.ts'
import type { IsResent } from '../evidence/attempts.ts'
import { enlarge, growFloats, growInts } from '../scratch.ts'
import { createSorter } from './sort.ts'
import type { Step } from './steps.ts'
import { Trait, type Tree } from './tree.ts'
import { coverRank } from './cover-rank.ts'

/** Calls that overlap by no more than this part of the former one's length do not run beside each other. */
const OVERLAP_SHARE = 0.01
/** A second call that starts within this part of the first one's length was started with it. */
const LATE_SHARE = 0.01
/** The names of up to so many children are compared in pairs, for less than sorting them costs. */
const PAIRS_MAX = 8
/** Children of one span that are looked at: so many take some 30 ms, beside sorting, which is cut into slices. */
export const SIBLINGS_MAX = 200_000

const NONE = 0

/**
 * Calls made again and calls made at once, among the children of one span. Indexed by the child's place among them.
 *
 *   retry      |--A error--|  pause  |--B--|         counts from A's start to B's start
 *   hedge      |--A cancelled--------------|         counts from A's start to B's start
 *                           |--B-----------|
 *   straggler  |--A--|                               counts from where the median sibling was done to C's end
 *              |--B---|
 *              |--C------------------------|
 */
export interface SiblingPatterns {
  readonly begin: (tree: Tree) => void
  /** Whether any child of `span` is part of a pattern. The columns hold until the next look. */
  readonly look: (span: number) => boolean
  /** The same as steps, for a span with many children; `found` tells the result. */
  readonly steps: (span: number) => readonly Step[]
  readonly found: () => boolean
  /** Pattern + 1 of what counts of the child's own time, between the two moments; 0 without. */
  countAs: Uint8Array
  countFromNs: Float64Array
  countToNs: Float64Array
  /** Pattern + 1 of the pause before the child, from this moment on: it is another attempt. 0 without. */
  pauseAs: Uint8Array
  pauseFromNs: Float64Array
}

/** `isResent` says whether a span tells of itself that it is another attempt. */
export function createSiblingPatterns(isResent: IsResent): SiblingPatterns {
  let tree: Tree
  /** Index in `tree.child` of the first child looked at. */
  let first = 0
  let end = 0
  let parentEndNs = 0
  let chosen = 0
  let found = false
  const sorter = createSorter()
  // Places of the children that may be part of a pattern; then those of the group at hand, by start.
  let candidates = growInts(64)
  let group = growInts(64)
  let failed = growInts(64)
  let lengths = growFloats(64)
  /** 1 where a child is told about: it is neither tried again nor a straggler. */
  let settled = new Uint8Array(64)

  const rowAt = (place: number): number => tree.child[first + place] as number
  const startAt = (place: number): number => tree.startNs[rowAt(place)] as number
  const endAt = (place: number): number => tree.endNs[rowAt(place)] as number
  const lengthAt = (place: number): number => endAt(place) - startAt(place)
  /** Who starts from here on does not run beside it. */
  const overAt = (place: number): number => endAt(place) - Math.floor(OVERLAP_SHARE * lengthAt(place))
  const failedAt = (place: number): boolean => tree.trace.outcome[rowAt(place)] !== Outcome.ok

  function grow(children: number): void {
    candidates = enlarge(candidates, children)
    group = enlarge(group, children)
    failed = enlarge(failed, children)
    lengths = enlarge(lengths, children)
    settled = enlarge(settled, children)
    out.countAs = enlarge(out.countAs, children)
    out.countFromNs = enlarge(out.countFromNs, children)
    out.countToNs = enlarge(out.countToNs, children)
    out.pauseAs = enlarge(out.pauseAs, children)
    out.pauseFromNs = enlarge(out.pauseFromNs, children)
  }

  function count(place: number, pattern: number, fromNs: number, toNs: number): void {
    found = true
    settled[place] = 1
    out.countAs[place] = pattern + 1
    out.countFromNs[place] = fromNs
    out.countToNs[place] = toNs
  }

  function countPause(place: number, pattern: number, fromNs: number): void {
    if (out.pauseAs[place] !== NONE) return
    found = true
    out.pauseAs[place] = pattern + 1
    out.pauseFromNs[place] = fromNs
  }

  /** Of one name, kind and service. */
  function alike(a: number, b: number): boolean {
    const { name, kind } = tree.trace
    return name[a] === name[b] && kind[a] === kind[b] && tree.service[a] === tree.service[b]
  }

  function before(a: number, b: number): boolean {
    const [placeA, placeB] = [candidates[a] as number, candidates[b] as number]
    const [rowA, rowB] = [rowAt(placeA), rowAt(placeB)]
    const { name, kind } = tree.trace
    const difference =
      (name[rowA] as number) - (name[rowB] as number) ||
      (kind[rowA] as number) - (kind[rowB] as number) ||
      (tree.service[rowA] as number) - (tree.service[rowB] as number) ||
      startAt(placeA) - startAt(placeB) ||
      placeA - placeB
    return difference < 0
  }

  function beginSpan(span: number): void {
    first = span === 0 ? 0 : (tree.childEnd[span - 1] as number)
    end = tree.childEnd[span] as number
    parentEndNs = tree.endNs[span] as number
    found = false
  }

  /** Those of the children that are waited for and do something. */
  function choose(): void {
    if (end - first > settled.length) grow(end - first)
    chosen = 0
    for (let at = first; at < end; at++) {
      const row = tree.child[at] as number
      if ((tree.endNs[row] as number) <= (tree.startNs[row] as number)) continue
      if (tree.trait[row] === Trait.transport || coverRank(tree, row) < 1) continue
      candidates[chosen++] = at - first
    }
  }

  /** Most spans have a few children of different names: those must cost next to nothing. */
  function mayHavePair(): boolean {
    if (end - first > PAIRS_MAX) return true
    const { child } = tree
    const { name } = tree.trace
    for (let i = first + 1; i < end; i++) {
      const own = name[child[i] as number]
      for (let j = first; j < i; j++) if (name[child[j] as number] === own) return true
    }
    return false
  }

  /** Calls `visit` with each run of the group whose members run beside each other, if there are two or more. */
  function eachParallel(size: number, visit: (from: number, to: number) => void): void {
    let from = 0
    let overNs = -Infinity
    for (let i = 0; i <= size; i++) {
      if (i < size && startAt(group[i] as number) < overNs) {
        overNs = Math.max(overNs, overAt(group[i] as number))
        continue
      }
      if (i - from > 1) visit(from, i)
      from = i
      if (i < size) overNs = overAt(group[i] as number)
    }
  }

  /**
   * Calls that started late beside a first one, and one result of all. What was waited before the call that answered counts; where
   * that is the first, before the second.
   */
  function findHedge(from: number, to: number): void {
    const one = group[from] as number
    const lateNs = startAt(one) + Math.max(1, LATE_SHARE * lengthAt(one))
    let winner = -1
    for (let i = from; i < to; i++) {
      const place = group[i] as number
      if (i > from && startAt(place) < lateNs) return
      if (failedAt(place) || endAt(place) > parentEndNs) continue
      if (winner >= 0) return
      winner = place
    }
    if (winner < 0) return
    const hedge = winner === one ? (group[from + 1] as number) : winner
    const hedgedNs = startAt(hedge)
    for (let i = from; i < to; i++) {
      const place = group[i] as number
      settled[place] = 1
      if (startAt(place) < hedgedNs) count(place, Pattern.hedge, startAt(place), hedgedNs)
    }
    countPause(hedge, Pattern.hedge, startAt(one))
  }

  /** Failures after which a call of the same name was made: the last of them to end is what such a call tries again. */
  function findRetries(size: number): void {
    let failures = 0
    for (let i = 0; i < size; i++) {
      const place = group[i] as number
      if (settled[place] === 0 && failedAt(place)) failed[failures++] = place
    }
    // Places are in order of the ends, last first.
    failed.subarray(0, failures).sort()
    let next = failures - 1
    let last = -1
    let triedUntilNs = 0
    for (let i = 0; i < size; i++) {
      const place = group[i] as number
      const startNs = startAt(place)
      for (; next >= 0 && endAt(failed[next] as number) <= startNs; next--) {
        last = failed[next] as number
        count(last, Pattern.retry, startAt(last), startNs)
        triedUntilNs = endAt(place)
      }
      if (last >= 0 && startNs < triedUntilNs) countPause(place, Pattern.retry, startAt(last))
      else if (i > 0 && isResent(tree.trace, rowAt(place))) resend(group[i - 1] as number, place)
    }
  }

  /** Another attempt by its own word: what came right before it was not good enough, whatever its status says. */
  function resend(previous: number, place: number): void {
    if (settled[previous] === 1 || endAt(previous) > startAt(place)) return
    count(previous, Pattern.retry, startAt(previous), startAt(place))
    countPause(place, Pattern.retry, startAt(previous))
  }

  /** The longest of calls made at once; what it took more than the median of them was waited for. */
  function findStraggler(from: number, to: number): void {
    let slowest = group[from] as number
    for (let i = from; i < to; i++) {
      const place = group[i] as number
      lengths[i - from] = lengthAt(place)
      if (lengthAt(place) > lengthAt(slowest)) slowest = place
    }
    const medianNs = lengths.subarray(0, to - from).sort()[(to - from - 1) >> 1] as number
    if (lengthAt(slowest) > medianNs) count(slowest, Pattern.straggler, startAt(slowest) + medianNs, endAt(slowest))
  }

  function findIn(size: number): void {
    eachParallel(size, findHedge)
    findRetries(size)
    let left = 0
    for (let i = 0; i < size; i++) if (settled[group[i] as number] === 0) group[left++] = group[i] as number
    eachParallel(left, findStraggler)
  }

  /** The candidates are sorted: each run of one name, kind and service is a group. */
  function findGroups(): void {
    out.countAs.fill(NONE, 0, end - first)
    out.pauseAs.fill(NONE, 0, end - first)
    settled.fill(0, 0, end - first)
    const order = sorter.order()
    for (let from = 0; from < chosen;) {
      const row = rowAt(candidates[order[from] as number] as number)
      let size = 0
      while (from + size < chosen && alike(row, rowAt(candidates[order[from + size] as number] as number))) {
        group[size] = candidates[order[from + size] as number] as number
        size += 1
      }
      if (size > 1) findIn(size)
      from += size
    }
  }

  const out: SiblingPatterns = {
    begin(of) {
      tree = of
    },
    look(span) {
      beginSpan(span)
      if (!mayHavePair()) return false
      choose()
      if (chosen < 2) return false
      sorter.begin(chosen, before)
      sorter.sort()
      findGroups()
      return found
    },
    steps(span) {
      beginSpan(span)
      choose()
      if (chosen < 2) return []
      sorter.begin(chosen, before)
      const size = (): number => chosen
      return [
        { size, run: sorter.sortRuns },
        ...Array.from({ length: sorter.merges() }, () => ({ size, run: sorter.mergeRuns })),
        { size: () => 1, run: findGroups }
      ]
    },
    found: () => found,
    countAs: new Uint8Array(64),
    countFromNs: growFloats(64),
    countToNs: growFloats(64),
    pauseAs: new Uint8Array(64),
    pauseFromNs: growFloats(64)
  }
  return out
}
