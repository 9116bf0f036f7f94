import { BOUNDARY_COMPONENTS, BoundaryComponent } from '../model/boundaries.ts'
import type { CrossingColumns, RequestColumns } from '../model/decomposition.ts'
import { GRADES, Phase, PHASE_SLOTS } from '../model/phases.ts'
import { Kind, type Resources } from '../model/spans.ts'
import { type Cut, UnitKind } from './cut/cut.ts'
import { isForeign, onlyHandsOver } from './cut/foreign.ts'
import { Trait, type Tree } from './cut/tree.ts'
import { calleeRow, inferredCalleeCode } from './judge/inference/inferred-rows.ts'
import type { Verdict } from './judge/judge.ts'
import { enlarge, growFloats, growInts } from './scratch.ts'

/**
 * Where a trace crosses from one service to another, or within a process from one language to another (FFI).
 *
 *     caller   |======== call ========|      network     = the call less the callee and less the waits in it
 *     wait      |==|                         queue       = the waits in it, and the callee's own queue_wait
 *     callee           |=========|
 *
 *     Go       |==== call ====|              marshalling = the call less what the other language's spans cover
 *     Rust         |======|
 */
export interface Crossings {
  readonly columns: CrossingColumns
  readonly begin: () => void
  /** Finds the crossings to the spans of rows [from, to); once the requests are filled. */
  readonly find: (from: number, to: number) => void
  /** Adds what calls into another language waited for in units [from, to); once all are found. */
  readonly findQueues: (from: number, to: number) => void
}

export interface CrossingsTools {
  readonly tree: Tree
  readonly cut: Cut
  readonly verdict: Verdict
  readonly requests: RequestColumns
  readonly resources: Resources
}

export function createCrossings({ tree, cut, verdict, requests, resources }: CrossingsTools): Crossings {
  const columns: CrossingColumns = {
    n: 0,
    caller: new Uint32Array(16),
    callee: new Uint32Array(16),
    request: new Uint32Array(16),
    ns: growFloats(16 * BOUNDARY_COMPONENTS)
  }
  // What is known of a caller, so that its children are looked through once.
  const [UNSEEN, FOUND, MIXED] = [0, 1, 2]
  let seen = new Uint8Array(16)
  // On the spans of the other language, 1 + their crossing.
  let foreign = growInts(16)
  let foreigners = 0

  function add(caller: number, callee: number, request: number): number {
    const i = columns.n++
    if (i === columns.caller.length) {
      columns.caller = enlarge(columns.caller, i + 1)
      columns.callee = enlarge(columns.callee, i + 1)
      columns.request = enlarge(columns.request, i + 1)
    }
    columns.ns = enlarge(columns.ns, (i + 1) * BOUNDARY_COMPONENTS)
    columns.caller[i] = caller
    columns.callee[i] = callee
    columns.request[i] = request
    columns.ns.fill(NaN, i * BOUNDARY_COMPONENTS, (i + 1) * BOUNDARY_COMPONENTS)
    return i
  }

  function setNs(crossing: number, component: number, ns: number): void {
    columns.ns[crossing * BOUNDARY_COMPONENTS + component] = ns
  }

  /** The request that a span belongs to, -1 where it is not of this unit of work. */
  function requestOf(span: number): number {
    const owner = tree.owner[span] as number
    return owner < tree.contextRows ? -1 : (cut.unitOf[owner] as number)
  }

  function queueWaitNs(request: number): number {
    let sumNs = requests.leadNs[request] as number
    const first = request * PHASE_SLOTS + Phase.queueWait * GRADES
    for (let grade = 0; grade < GRADES; grade++) sumNs += requests.phaseNs[first + grade] as number
    return sumNs
  }

  /** Who sent the message that a CONSUMER span takes up: the producer above it, past the wait between them, or linked. */
  function producerOf(consumer: number): number {
    let above = tree.parent[consumer] as number
    while (above >= 0 && tree.trait[above] === Trait.wait) above = tree.parent[above] as number
    const { kind } = tree.trace
    const linked = tree.linkedTo[consumer] as number
    return linked >= 0 && (above < 0 || kind[above] !== Kind.producer) && kind[linked] === Kind.producer
      ? linked
      : above
  }

  /** The consumer pays: nobody waits for it. */
  function findMessage(consumer: number): void {
    const producer = producerOf(consumer)
    const request = requestOf(consumer)
    if (producer < 0 || request < 0) return
    setNs(add(producer, consumer, request), BoundaryComponent.queue, queueWaitNs(request))
  }

  /** Of several spans that answer one call the one that ended last, whichever came first. */
  function answerOf(call: number): number {
    const end = tree.childEnd[call] as number
    let at = call === 0 ? 0 : (tree.childEnd[call - 1] as number)
    while (at < end && tree.owner[tree.child[at] as number] !== tree.child[at]) at += 1
    return tree.child[at] as number
  }

  /** A request that another one waits for. Only where a CLIENT span times the call is it known what the network took. */
  function findAnswer(callee: number, caller: number): void {
    const answer = requestOf(callee)
    if (answer < 0) return
    const payer = requestOf(caller)
    const crossing = add(caller, callee, payer < 0 ? answer : payer)
    setNs(crossing, BoundaryComponent.queue, queueWaitNs(answer))
    if (tree.trace.kind[caller] === Kind.client) timeCall(crossing, caller)
  }

  /** Children come last-finishing first, so a cursor that moves back is enough to count what they cover together once. */
  function timeCall(crossing: number, call: number): void {
    const fromNs = tree.startNs[call] as number
    const toNs = tree.endNs[call] as number
    let cursorNs = toNs
    let peerCursorNs = toNs
    let coveredNs = 0
    let peerNs = 0
    const end = tree.childEnd[call] as number
    for (let at = call === 0 ? 0 : (tree.childEnd[call - 1] as number); at < end; at++) {
      const child = tree.child[at] as number
      const isPeer = tree.owner[child] === child
      if (!isPeer && tree.trait[child] !== Trait.wait) continue
      const childFromNs = Math.max(fromNs, tree.startNs[child] as number)
      const childToNs = tree.endNs[child] as number
      coveredNs += Math.max(0, Math.min(childToNs, cursorNs) - childFromNs)
      cursorNs = Math.min(cursorNs, childFromNs)
      if (!isPeer) continue
      peerNs += Math.max(0, Math.min(childToNs, peerCursorNs) - childFromNs)
      peerCursorNs = Math.min(peerCursorNs, childFromNs)
    }
    const gapNs = Math.max(0, toNs - fromNs) - coveredNs
    const lateNs = Math.min(gapNs, calleeLateNs(call))
    const waitNs = coveredNs - peerNs + (lateNs > 0 && isLateInQueue(call) ? lateNs : 0)
    setNs(crossing, BoundaryComponent.network, gapNs - lateNs)
    const queue = crossing * BOUNDARY_COMPONENTS + BoundaryComponent.queue
    columns.ns[queue] = (columns.ns[queue] as number) + waitNs
  }

  /** What inference found to be the callee's own lateness, before its span began: not the network's. */
  function calleeLateNs(call: number): number {
    const row = calleeRow(tree.trace, call)
    return row < 0 ? 0 : Math.round(tree.trace.evidence.b[row] as number)
  }

  const isLateInQueue = (call: number): boolean =>
    tree.trace.evidence.code[calleeRow(tree.trace, call)] === inferredCalleeCode(Phase.queueWait)

  function findForeign(callee: number, caller: number): void {
    const request = requestOf(caller)
    if (request < 0) return
    const marshallingNs = seen[caller] === UNSEEN ? marshallingOf(caller) : NaN
    seen[caller] = Number.isNaN(marshallingNs) ? MIXED : FOUND
    if (seen[caller] === MIXED) {
      nameForeign(callee, add(caller, callee, request))
      return
    }
    const first = caller === 0 ? 0 : (tree.childEnd[caller - 1] as number)
    const crossing = add(caller, tree.child[first] as number, request)
    setNs(crossing, BoundaryComponent.marshalling, marshallingNs)
    const end = tree.childEnd[caller] as number
    for (let at = first; at < end; at++) {
      nameForeign(tree.child[at] as number, crossing)
    }
  }

  function nameForeign(span: number, crossing: number): void {
    foreign[span] = 1 + crossing
    foreigners += 1
    setNs(crossing, BoundaryComponent.queue, 0)
  }

  /** Own time of a span that does nothing but call the other language. NaN of one that does more: what is what nobody knows. */
  function marshallingOf(call: number): number {
    if (!onlyHandsOver(tree, resources, call)) return NaN
    const fromNs = tree.startNs[call] as number
    let cursorNs = tree.endNs[call] as number
    let restNs = Math.max(0, cursorNs - fromNs)
    const end = tree.childEnd[call] as number
    for (let at = call === 0 ? 0 : (tree.childEnd[call - 1] as number); at < end; at++) {
      const child = tree.child[at] as number
      const childFromNs = Math.max(fromNs, tree.startNs[child] as number)
      restNs -= Math.max(0, Math.min(tree.endNs[child] as number, cursorNs) - childFromNs)
      cursorNs = Math.min(cursorNs, childFromNs)
    }
    return restNs
  }

  return {
    columns,
    begin() {
      columns.n = foreigners = 0
      const { n } = tree.trace
      seen = enlarge(seen, n)
      foreign = enlarge(foreign, n)
      seen.fill(UNSEEN, 0, n)
      foreign.fill(0, 0, n)
    },
    find(from, to) {
      const { resource, kind } = tree.trace
      for (let row = Math.max(from, tree.contextRows); row < to; row++) {
        const parent = tree.parent[row] as number
        const isEntry = tree.owner[row] === row
        if (isEntry && kind[row] === Kind.consumer) findMessage(row)
        else if (parent < 0 || (!isEntry && resource[row] === resource[parent]) || seen[parent] === FOUND) continue
        else if (isForeign(tree, resources, row, parent)) findForeign(row, parent)
        else if (isEntry) {
          const isCall = kind[parent] === Kind.client
          if (isCall) seen[parent] = FOUND
          findAnswer(isCall ? answerOf(parent) : row, parent)
        }
      }
    },
    findQueues(from, to) {
      if (foreigners === 0) return
      for (let unit = from; unit < to; unit++) {
        // A window is a part of a request that is already counted.
        if (cut.unitKind[unit] === UnitKind.window) continue
        for (let row = verdict.rowFirst[unit] as number; row < (verdict.rowEnd[unit] as number); row++) {
          if (verdict.phase[row] !== Phase.queueWait) continue
          const span = verdict.span[row] as number
          const parent = tree.parent[span] as number
          const crossing = (foreign[span] as number) || (parent < 0 ? 0 : (foreign[parent] as number))
          if (crossing === 0) continue
          const queue = (crossing - 1) * BOUNDARY_COMPONENTS + BoundaryComponent.queue
          columns.ns[queue] = (columns.ns[queue] as number) + (verdict.ns[row] as number)
        }
      }
    }
  }
}
