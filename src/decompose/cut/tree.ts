import { Evidence, Kind, type Resources, type TraceColumns } from '../../model/spans.ts'
import { growFloats, growInts } from '../scratch.ts'
import { createSorter } from './sort.ts'

/**
 * What a span is by its name alone; decided by the wait-span evidence and the user's rules. A handler is the part of its parent
 * that does the work; of a ruled span a rule says what its own time was.
 */
export const Trait = { none: 0, wait: 1, transport: 2, handler: 3, ruled: 4 } as const

/**
 * One trace as a tree, on the root host's clock. Arrays are indexed by row and reused for the next trace.
 * `child[childEnd[i-1] .. childEnd[i])` are the children of i, last-finishing first.
 */
export interface Tree {
  trace: TraceColumns
  /** Leading rows that only give context to a late unit; they are nobody's request. */
  contextRows: number
  /** -1 = a root, a missing parent, or a cycle broken here. */
  parent: Int32Array
  /** Times with the clock offsets of the hosts taken out. */
  startNs: Float64Array
  endNs: Float64Array
  trait: Uint8Array
  /** Interned service of the span's sender. */
  service: Uint32Array
  /** Span of this trace that it links to (its parent, if that is one of several), -1 without. */
  linkedTo: Int32Array
  /** Entry span of the request that a span belongs to; itself on an entry span; -1 on a wait span between requests. */
  owner: Int32Array
  childEnd: Uint32Array
  child: Int32Array
  /** 1 on a CLIENT or PRODUCER span whose peer's span is in the trace. */
  hasPeer: Uint8Array
  /** Spans without a parent id; spans whose parent never came; parents that were forged (self or cycle). */
  roots: number
  missingParents: number
  forgedParents: number
}

export interface TreeTools {
  readonly resources: Resources
  /** Writes the traits of rows [from, to). */
  readonly writeTraits: (trace: TraceColumns, from: number, to: number, traits: Uint8Array) => void
  /** ns that the clock of `to` runs ahead of that of `from` (interned hosts). */
  readonly clockOffsetNs: (from: number, to: number) => number
}

/** A pass over rows [from, to) of the trace; passes run in order, each to its end before the next. */
export type Pass = (from: number, to: number) => void

/** Up to so many spans a parent is found by looking at all of them, for less than a table costs. */
const SCANNED_MAX = 24

export interface TreeBuilder {
  readonly tree: Tree
  readonly begin: (trace: TraceColumns, contextRows: number) => void
  /** Builds the tree in one go. */
  readonly build: () => void
  /** The same as passes to run, each over all rows; valid until the next `begin`. */
  readonly passes: () => readonly Pass[]
}

/** Host whose clock a row's times are on: the host, else the process, else the service. */
export function clockOf(resources: Resources, resource: number): number {
  const host = resources.host[resource] as number
  if (host !== 0) return host
  const process = resources.process[resource] as number
  return process !== 0 ? process : (resources.service[resource] as number)
}

/** True when two rows cannot be the same operating-system process. */
export function inOtherProcess(resources: Resources, a: number, b: number): boolean {
  if (a === b) return false
  if (resources.service[a] !== resources.service[b]) return true
  const processA = resources.process[a] as number
  const processB = resources.process[b] as number
  return processA !== 0 && processB !== 0 && processA !== processB
}

/** The operation whose code a span runs. */
export function operationOf(tree: Tree, row: number): number {
  const { operation } = tree.trace
  if (tree.trait[row] !== Trait.handler) return operation[row] as number
  const parent = tree.parent[row] as number
  return operation[parent >= 0 ? parent : row] as number
}

/** A child that its parent does not wait for: the consumer of a producer, or a span that links to its parent. */
export function isAsync(tree: Tree, row: number): boolean {
  const parent = tree.parent[row] as number
  if (parent < 0) return false
  const { kind } = tree.trace
  return tree.linkedTo[row] === parent || (kind[row] === Kind.consumer && kind[parent] === Kind.producer)
}

export function createTreeBuilder(tools: TreeTools): TreeBuilder {
  const { resources, writeTraits, clockOffsetNs } = tools
  const tree: Tree = {
    trace: undefined as unknown as TraceColumns,
    contextRows: 0,
    parent: new Int32Array(0),
    startNs: new Float64Array(0),
    endNs: new Float64Array(0),
    trait: new Uint8Array(0),
    service: new Uint32Array(0),
    linkedTo: new Int32Array(0),
    owner: new Int32Array(0),
    childEnd: new Uint32Array(0),
    child: new Int32Array(0),
    hasPeer: new Uint8Array(0),
    roots: 0,
    missingParents: 0,
    forgedParents: 0
  }
  const sorter = createSorter()
  // Columns of the trace at hand that order its rows.
  let startNs = tree.startNs
  let endNs = tree.endNs
  let spanId: Uint32Array = new Uint32Array(0)
  // Open addressing on span ids; a slot holds row + 1. Emptied slot by slot, so a small trace never pays for a giant's table.
  let slots = new Int32Array(16)
  let slotOf = new Int32Array(0)
  let mask = 15
  let shiftNs = new Float64Array(0)
  // 0 = not settled, 1 = on the chain being settled, 2 = settled.
  let state = new Uint8Array(0)
  let chain = new Int32Array(0)

  function begin(trace: TraceColumns, contextRows: number): void {
    const n = trace.n
    tree.trace = trace
    tree.contextRows = contextRows
    tree.roots = tree.missingParents = tree.forgedParents = 0
    if (tree.parent.length < n) {
      tree.parent = growInts(n)
      tree.startNs = growFloats(n)
      tree.endNs = growFloats(n)
      const size = tree.parent.length
      tree.trait = new Uint8Array(size)
      tree.service = new Uint32Array(size)
      tree.linkedTo = new Int32Array(size)
      tree.owner = new Int32Array(size)
      tree.childEnd = new Uint32Array(size)
      tree.child = new Int32Array(size)
      tree.hasPeer = new Uint8Array(size)
      slotOf = new Int32Array(size)
      shiftNs = new Float64Array(size)
      state = new Uint8Array(size)
      chain = new Int32Array(size)
    }
    let size = 16
    while (size < 2 * n) size *= 2
    if (slots.length < size) slots = new Int32Array(size)
    mask = size - 1
    startNs = tree.startNs
    endNs = tree.endNs
    spanId = trace.spanId
    sorter.begin(n, finishesLater)
  }

  /** Last-finishing first; then the longer; then by span id, so that arrival order never matters. */
  function finishesLater(a: number, b: number): boolean {
    const byEnd = (endNs[a] as number) - (endNs[b] as number)
    if (byEnd !== 0) return byEnd > 0
    const byStart = (startNs[a] as number) - (startNs[b] as number)
    if (byStart !== 0) return byStart < 0
    const byHi = (spanId[2 * a] as number) - (spanId[2 * b] as number)
    return byHi !== 0 ? byHi < 0 : (spanId[2 * a + 1] as number) < (spanId[2 * b + 1] as number)
  }

  const home = (hi: number, lo: number): number => (Math.imul(lo, 0x9e3779b1) ^ hi) & mask

  function readRows(from: number, to: number): void {
    const { trace, hasPeer, childEnd, service, linkedTo } = tree
    const { resource } = trace
    const serviceOf = resources.service
    for (let row = from; row < to; row++) {
      state[row] = 0
      hasPeer[row] = 0
      childEnd[row] = 0
      linkedTo[row] = -1
      service[row] = serviceOf[resource[row] as number] as number
    }
    writeTraits(trace, from, to, tree.trait)
  }

  function indexRows(from: number, to: number): void {
    const { spanId } = tree.trace
    for (let row = from; row < to; row++) {
      let slot = home(spanId[2 * row] as number, spanId[2 * row + 1] as number)
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = row + 1
      slotOf[row] = slot
    }
  }

  function rowOf(hi: number, lo: number): number {
    const { spanId, n } = tree.trace
    if (n <= SCANNED_MAX) {
      let row = n - 1
      while (row >= 0 && (spanId[2 * row + 1] !== lo || spanId[2 * row] !== hi)) row -= 1
      return row
    }
    let slot = home(hi, lo)
    for (;;) {
      const row = (slots[slot] as number) - 1
      if (row < 0 || (spanId[2 * row] === hi && spanId[2 * row + 1] === lo)) return row
      slot = (slot + 1) & mask
    }
  }

  function linkParents(from: number, to: number): void {
    const { parent: parents, contextRows } = tree
    const { parentId } = tree.trace
    for (let row = from; row < to; row++) {
      const hi = parentId[2 * row] as number
      const lo = parentId[2 * row + 1] as number
      if ((hi | lo) === 0) {
        parents[row] = -1
        tree.roots += 1
        continue
      }
      const parent = rowOf(hi, lo)
      parents[row] = parent === row ? -1 : parent
      if (parent === row) tree.forgedParents += 1
      else if (parent < 0 && row >= contextRows) tree.missingParents += 1
    }
  }

  function followLinks(from: number, to: number): void {
    const { evidence, evidenceEnd } = tree.trace
    if (evidenceEnd[to - 1] === 0) return
    for (let row = from; row < to; row++) {
      const end = evidenceEnd[row] as number
      for (let i = row === 0 ? 0 : (evidenceEnd[row - 1] as number); i < end; i++) {
        if (evidence.code[i] !== Evidence.linkSameTrace) continue
        const linked = rowOf(evidence.a[i] as number, evidence.b[i] as number)
        if (linked === tree.parent[row] || tree.linkedTo[row] === -1) tree.linkedTo[row] = linked
      }
    }
  }

  function emptySlots(from: number, to: number): void {
    for (let row = from; row < to; row++) slots[slotOf[row] as number] = 0
  }

  /** What follows from the parent's: clock offset and owner. Goes up to the first settled ancestor, then down again. */
  function settle(from: number, to: number): void {
    const { parent: parents } = tree
    for (let row = from; row < to; row++) {
      while (state[row] !== 2) {
        let length = 0
        let at = row
        while (at >= 0 && state[at] === 0) {
          state[at] = 1
          chain[length++] = at
          at = parents[at] as number
        }
        if (at >= 0 && state[at] === 1) breakCycle(at, length)
        else settleChain(length)
      }
    }
  }

  /** The earliest span of a cycle becomes its root, whatever the order of arrival; the chain is then settled anew. */
  function breakCycle(member: number, chainLength: number): void {
    const { startNs, spanId } = tree.trace
    let first = member
    for (let at = tree.parent[member] as number; at !== member; at = tree.parent[at] as number) {
      const earlier = (startNs[at] as number) - (startNs[first] as number)
      const byHi = (spanId[2 * at] as number) - (spanId[2 * first] as number)
      const byLo = (spanId[2 * at + 1] as number) - (spanId[2 * first + 1] as number)
      if (earlier < 0 || (earlier === 0 && (byHi < 0 || (byHi === 0 && byLo < 0)))) first = at
    }
    tree.parent[first] = -1
    tree.forgedParents += 1
    for (let i = 0; i < chainLength; i++) state[chain[i] as number] = 0
  }

  /** The chain's rows, from its upper end. */
  function settleChain(length: number): void {
    const { trace, parent: parents, owner, trait, startNs, endNs, contextRows } = tree
    const { resource: resourceOf, kind: kinds, startNs: sentStartNs, endNs: sentEndNs } = trace
    for (let i = length - 1; i >= 0; i--) {
      const row = chain[i] as number
      const parent = parents[row] as number
      let shift = 0
      let entry = row >= contextRows
      if (parent >= 0) {
        const resource = resourceOf[row] as number
        const parentResource = resourceOf[parent] as number
        shift = shiftNs[parent] as number
        if (resource !== parentResource) {
          const from = clockOf(resources, parentResource)
          const to = clockOf(resources, resource)
          if (from !== to) shift += clockOffsetNs(from, to)
        }
        const kind = kinds[row] as number
        entry =
          kind === Kind.server ||
          kind === Kind.consumer ||
          (owner[parent] as number) < 0 ||
          inOtherProcess(resources, parentResource, resource)
        if (entry) markPeer(parent)
      }
      if (trait[row] === Trait.wait) entry = false
      shiftNs[row] = shift
      startNs[row] = (sentStartNs[row] as number) - shift
      endNs[row] = (sentEndNs[row] as number) - shift
      owner[row] = entry ? row : parent >= 0 ? (owner[parent] as number) : -1
      state[row] = 2
    }
  }

  /** A peer answers its CLIENT span and every CLIENT span around that one (a call and its attempts). */
  function markPeer(parent: number): void {
    const { kind } = tree.trace
    for (let at = parent; at >= 0 && tree.hasPeer[at] === 0; at = tree.parent[at] as number) {
      if (kind[at] !== Kind.client && kind[at] !== Kind.producer) return
      tree.hasPeer[at] = 1
    }
  }

  function countChildren(from: number, to: number): void {
    const { parent: parents, childEnd } = tree
    for (let row = from; row < to; row++) {
      const parent = parents[row] as number
      if (parent >= 0) childEnd[parent] = (childEnd[parent] as number) + 1
    }
  }

  let filled = 0
  function placeChildren(from: number, to: number): void {
    const { childEnd } = tree
    if (from === 0) filled = 0
    // childEnd becomes the start of each list; filling moves it to the end.
    for (let row = from; row < to; row++) {
      const count = childEnd[row] as number
      childEnd[row] = filled
      filled += count
    }
  }

  function fillChildren(from: number, to: number): void {
    const { parent: parents, childEnd, child } = tree
    const order = sorter.order()
    for (let i = from; i < to; i++) {
      const row = order[i] as number
      const parent = parents[row] as number
      if (parent < 0) continue
      const at = childEnd[parent] as number
      child[at] = row
      childEnd[parent] = at + 1
    }
  }

  const untilSorted = [readRows, indexRows, linkParents, followLinks, emptySlots, settle, sorter.sortRuns]
  const onceSorted = [countChildren, placeChildren, fillChildren]

  function passes(): readonly Pass[] {
    return [...untilSorted, ...Array.from({ length: sorter.merges() }, () => sorter.mergeRuns), ...onceSorted]
  }

  /** Most traces are small, and theirs is the cost of every call. */
  function buildSmall(n: number): void {
    readRows(0, n)
    linkParents(0, n)
    followLinks(0, n)
    settle(0, n)
    sorter.sortRuns(0, n)
    countChildren(0, n)
    placeChildren(0, n)
    fillChildren(0, n)
  }

  return {
    tree,
    begin,
    build() {
      const { n } = tree.trace
      if (n <= SCANNED_MAX) buildSmall(n)
      else for (const pass of passes()) pass(0, n)
    },
    passes
  }
}
