import { Evidence, Kind, type Resources } from '../../../model/spans.ts'
import type { SharedMemory } from '../../../runtime/shared-memory.ts'
import { type Cut, UnitKind } from '../../cut/cut.ts'
import { onlyHandsOver } from '../../cut/foreign.ts'
import { clockOf, Trait, type Tree } from '../../cut/tree.ts'
import type { Clocks } from '../../learned/clocks.ts'
import type { Servers } from '../../learned/servers.ts'
import { evidenceWants } from '../../evidence/index.ts'
import { Around, Quantile, QUANTILES, type Spreads } from '../../learned/spreads.ts'
import { enlarge, growFloats } from '../../scratch.ts'
import type { Arrivals } from './arrivals.ts'
import { type Neighbours, PieceFlag } from './neighbours.ts'
import { createPiece, eachPiece, PieceKind } from './pieces.ts'
import { createSuspect, createSuspects, type Suspects } from './suspects.ts'

const codeOf = (key: string): number =>
  Evidence.firstWanted + evidenceWants.findIndex((want) => want?.from === 'attribute' && want.key === key)
const BUSY = codeOf('busy_ns')
const BLOCKED = codeOf('tailspan.blocked_ns')
const UNWATCHED = codeOf('tailspan.unwatched_ns')
const UNWATCHED_BEFORE = codeOf('tailspan.unwatched_before_ns')

export interface Observer {
  /** Enters the requests of a trace and their pieces into the rings. Gives the number of its first request. */
  readonly observe: (tree: Tree, cut: Cut) => number
  /** What was stretched in the trace observed last. */
  readonly suspects: Suspects
  /** Teaches how long the pieces of a trace took; `ok` says of each request whether it went well. */
  readonly learn: (tree: Tree, cut: Cut, ok: (request: number) => boolean) => void
  /** Unix ns of time 0 of the processes' clocks. */
  readonly epochNs: () => number
}

export interface ObserverTools {
  readonly resources: Resources
  readonly spreads: Spreads
  readonly servers: Servers
  readonly clocks: Pick<Clocks, 'settled'>
  readonly neighbours: Neighbours
  readonly arrivals: Arrivals
  readonly memory: SharedMemory
}

/** Cells that all threads share: the number of the next request, and time 0 of all clocks in two words. */
const Cell = { requests: 0, epochHi: 1, epochLo: 2 } as const

/** Looks at every trace once: what is usual, who was there when, and what was stretched. Only known processes are watched. */
export function createObserver(tools: ObserverTools): Observer {
  const { resources, spreads, servers, clocks, neighbours, arrivals } = tools
  const cells = tools.memory.take(Uint32Array, 3)
  const piece = createPiece()
  const suspect = createSuspect()
  const suspects = createSuspects()
  // By row of an entry span.
  let firstCallNs = growFloats(64)
  let lastEndNs = growFloats(64)
  let tree: Tree
  // Number of the first request of the trace at hand.
  let requests = 0
  // From the epoch to the trace's base.
  let baseNs = 0
  const arrival = { process: 0, service: 0, operation: 0, fromNs: 0, toNs: 0, firstCallNs: 0, lastEndNs: 0 }

  const processOf = (row: number): number => resources.process[tree.trace.resource[row] as number] as number

  /** From the tree's clock, which is the root host's, to that of the span's own process. */
  function shiftOf(row: number): number {
    return baseNs + (tree.trace.startNs[row] as number) - (tree.startNs[row] as number)
  }

  /** For each request, when its first call began and its last child was over. */
  function findCalls(): void {
    const { trace, owner, trait, startNs, endNs, parent } = tree
    firstCallNs = enlarge(firstCallNs, trace.n)
    lastEndNs = enlarge(lastEndNs, trace.n)
    firstCallNs.fill(Infinity, 0, trace.n)
    lastEndNs.set(startNs.subarray(0, trace.n))
    for (let row = tree.contextRows; row < trace.n; row++) {
      const entry = owner[row] as number
      if (entry < 0 || entry === row) continue
      const calls = trace.kind[row] === Kind.client || trace.kind[row] === Kind.producer
      if (calls && trait[row] === Trait.none && (startNs[row] as number) < (firstCallNs[entry] as number)) {
        firstCallNs[entry] = startNs[row] as number
      }
      if (parent[row] !== entry) continue
      const end = Math.min(endNs[row] as number, endNs[entry] as number)
      if (end > (lastEndNs[entry] as number)) lastEndNs[entry] = end
    }
  }

  function enterRequest(entry: number): void {
    const process = processOf(entry)
    if (process === 0) return
    const makesNoCall = (firstCallNs[entry] as number) === Infinity
    // A job that nobody called may still hold a server that requests queue for.
    const called = (tree.parent[entry] as number) >= 0
    if (makesNoCall && called && !servers.worthWatching(process, tree.trace.operation[entry] as number)) return
    const shiftNs = shiftOf(entry)
    arrival.process = process
    arrival.service = tree.service[entry] as number
    arrival.operation = tree.trace.operation[entry] as number
    arrival.fromNs = (tree.startNs[entry] as number) + shiftNs
    arrival.toNs = (tree.endNs[entry] as number) + shiftNs
    arrival.firstCallNs = (firstCallNs[entry] as number) + shiftNs
    arrival.lastEndNs = (lastEndNs[entry] as number) + shiftNs
    arrivals.add(arrival)
  }

  function enterPiece(): void {
    const { span } = piece
    const process = processOf(span)
    if (process === 0) return
    const service = tree.service[span] as number
    const spread = spreads.rowOf(service, tree.trace.operation[span] as number, piece.before, piece.after)
    if (spread < 0) return
    const quantiles = spreads.quantiles()
    const at = spread * QUANTILES
    const medianNs = quantiles[at] as number
    const lengthNs = piece.toNs - piece.fromNs
    const entry = tree.owner[span] as number
    const noticed = lengthNs - medianNs > spreads.unnoticedNs(service)
    const stretched = noticed && lengthNs > (quantiles[at + Quantile.usual] as number)
    const lead = stretched && piece.kind === PieceKind.own && mayQueue(process, entry)
    const { trace } = tree
    const shiftNs = baseNs + (trace.startNs[span] as number) - (tree.startNs[span] as number)
    const { next } = neighbours
    next[0] = piece.fromNs + shiftNs
    next[1] = piece.toNs + shiftNs
    next[2] = medianNs
    next[3] = quantiles[at + Quantile.due] as number
    const flags =
      piece.kind |
      (stretched ? PieceFlag.stretched : 0) |
      (lead ? PieceFlag.mayQueue : 0) |
      (endsWithCall() ? PieceFlag.beforeCall : 0)
    // A queue stretches waits, and lets some pass: they say nothing of their process.
    if (piece.kind !== PieceKind.wait) neighbours.add(process, (requests + entry) >>> 0, flags)
    if (!noticed) return
    const beforePeer = piece.kind === PieceKind.beforePeer
    // By how much it may have ended late: its own process says so, of the gap before a callee's span the callee.
    const unwatchedNs = beforePeer ? said(piece.right, UNWATCHED_BEFORE) : said(span, UNWATCHED)
    const accounted = !Number.isNaN(said(span, BLOCKED))
    // Who accounts for its time leaves its neighbours nothing to say.
    const judged = stretched && !(beforePeer ? unwatchedNs >= 0 : accounted)
    if (judged || (unwatchedNs > 0 && piece.kind !== PieceKind.wait)) {
      suspect.stretched = judged ? 1 : 0
      suspect.unwatchedNs = unwatchedNs > 0 ? unwatchedNs : 0
      suspect.accounted = accounted ? 1 : 0
      suspectPiece(entry, process, medianNs, lead)
    }
    if (stretched && beforePeer) enterKnock()
  }

  /** The gap is also a neighbour of what its callee does meanwhile. Median and 95th percentile are still in place. */
  function enterKnock(): void {
    const peerProcess = processOf(piece.right)
    if (peerProcess === 0) return
    const { next } = neighbours
    const peerShiftNs = shiftOf(piece.right)
    next[0] = piece.fromNs + peerShiftNs
    next[1] = piece.toNs + peerShiftNs
    neighbours.add(
      peerProcess,
      (requests + piece.right) >>> 0,
      PieceFlag.stretched | PieceFlag.knock | PieceKind.beforePeer
    )
  }

  function endsWithCall(): boolean {
    const { kind, right } = piece
    if (kind !== PieceKind.own || right < 0) return false
    return tree.trace.kind[right] === Kind.client || tree.trace.kind[right] === Kind.producer
  }

  /** Before the first call of a request whose operation has servers to queue for. */
  function mayQueue(process: number, entry: number): boolean {
    if (piece.toNs > (firstCallNs[entry] as number)) return false
    const operation = tree.trace.operation[entry] as number
    return servers.count(process, operation) > 0 || arrivals.mayShare(process, operation)
  }

  /** The number that a span says under a code, NaN without one. */
  function said(span: number, code: number): number {
    const { evidence, evidenceEnd } = tree.trace
    const end = evidenceEnd[span] as number
    for (let i = span === 0 ? 0 : (evidenceEnd[span - 1] as number); i < end; i++) {
      if (evidence.code[i] === code) return evidence.a[i] as number
    }
    return NaN
  }

  function suspectPiece(entry: number, process: number, medianNs: number, lead: boolean): void {
    const { span } = piece
    const { trace } = tree
    const resource = trace.resource[span] as number
    suspect.span = span
    suspect.entry = entry
    suspect.kind = piece.kind
    suspect.fromNs = piece.fromNs
    suspect.toNs = piece.toNs
    suspect.offsetNs = piece.fromNs - (tree.startNs[span] as number)
    suspect.medianNs = medianNs
    suspect.lead = lead ? 1 : 0
    suspect.service = tree.service[entry] as number
    suspect.operation = trace.operation[entry] as number
    suspect.process = process
    suspect.language = resources.language[resource] as number
    suspect.resource = resource
    suspect.shiftNs = shiftOf(span)
    suspect.arrivedNs = (tree.startNs[entry] as number) + shiftOf(entry)
    suspect.firstCallNs = (firstCallNs[entry] as number) + shiftOf(entry)
    suspect.beforeCall = endsWithCall() ? 1 : 0
    suspect.handsOver = piece.kind === PieceKind.own && onlyHandsOver(tree, resources, span) ? 1 : 0
    suspect.pollsKnown = piece.left < 0 && piece.right < 0 && !Number.isNaN(said(span, BUSY)) ? 1 : 0
    const peer =
      piece.kind === PieceKind.beforePeer ? piece.right : piece.kind === PieceKind.afterPeer ? piece.left : -1
    suspect.peerProcess = peer < 0 ? 0 : processOf(peer)
    suspect.peerResource = peer < 0 ? 0 : (trace.resource[peer] as number)
    suspect.peerShiftNs = peer < 0 ? 0 : shiftOf(peer)
    suspects.add(suspect)
  }

  function learnRequest(entry: number): void {
    const { wholeRequest, lastPiece } = Around
    const service = tree.service[entry] as number
    const operation = tree.trace.operation[entry] as number
    const endNs = tree.endNs[entry] as number
    const durationNs = endNs - (tree.startNs[entry] as number)
    spreads.learn(service, wholeRequest, wholeRequest, wholeRequest, durationNs)
    if ((firstCallNs[entry] as number) === Infinity) return
    spreads.learn(service, operation, lastPiece, lastPiece, endNs - (lastEndNs[entry] as number))
  }

  /** Of every call, on the path or not: one that is on it only when it is slow would teach that slow is usual. */
  function learnCall(call: number): void {
    const { child, childEnd, owner, startNs, endNs } = tree
    const first = call === 0 ? 0 : (childEnd[call - 1] as number)
    const children = (childEnd[call] as number) - first
    if (children === 0 && tree.hasPeer[call] === 0) {
      learnGap(call, Around.call, (endNs[call] as number) - (startNs[call] as number))
    } else if (children === 1) {
      const peer = child[first] as number
      if (owner[peer] !== peer || !clocksSettled(call, peer)) return
      learnGap(call, Around.beforePeer, (startNs[peer] as number) - (startNs[call] as number))
      learnGap(call, Around.afterPeer, (endNs[call] as number) - (endNs[peer] as number))
    }
  }

  /** Before that a gap is as long as their clocks are apart. */
  function clocksSettled(call: number, peer: number): boolean {
    const { resource } = tree.trace
    const from = clockOf(resources, resource[call] as number)
    const to = clockOf(resources, resource[peer] as number)
    return from === to || clocks.settled(from, to)
  }

  function learnGap(call: number, around: number, ns: number): void {
    if (ns >= 0) spreads.learn(tree.service[call] as number, tree.trace.operation[call] as number, around, around, ns)
  }

  return {
    suspects,
    epochNs: () => (cells[Cell.epochHi] as number) * 2 ** 32 + (cells[Cell.epochLo] as number),
    observe(of, cut) {
      tree = of
      const { baseHi, baseLo, n } = of.trace
      if (cells[Cell.epochHi] === 0) {
        cells[Cell.epochHi] = baseHi
        cells[Cell.epochLo] = baseLo
      }
      baseNs = (baseHi - (cells[Cell.epochHi] as number)) * 2 ** 32 + (baseLo - (cells[Cell.epochLo] as number))
      requests = cells[Cell.requests] as number
      suspects.begin()
      findCalls()
      for (let unit = 0; unit < cut.units && cut.unitKind[unit] === UnitKind.request; unit++) {
        enterRequest(cut.unitSpan[unit] as number)
      }
      eachPiece(of, cut, piece, enterPiece)
      cells[Cell.requests] = requests + n
      return requests
    },
    learn(of, cut, ok) {
      tree = of
      findCalls()
      for (let unit = 0; unit < cut.units && cut.unitKind[unit] === UnitKind.request; unit++) {
        const entry = cut.unitSpan[unit] as number
        if (processOf(entry) !== 0 && ok(unit)) learnRequest(entry)
      }
      const isGood = (span: number): boolean => {
        const owner = of.owner[span] as number
        return owner >= 0 && processOf(span) !== 0 && ok(cut.unitOf[owner] as number)
      }
      for (let row = of.contextRows; row < of.trace.n; row++) {
        const kind = of.trace.kind[row]
        if ((kind !== Kind.client && kind !== Kind.producer) || of.trait[row] !== Trait.none) continue
        if (isGood(row)) learnCall(row)
      }
      eachPiece(of, cut, piece, () => {
        const { span } = piece
        if ((piece.kind !== PieceKind.own && piece.kind !== PieceKind.wait) || !isGood(span)) return
        const operation = of.trace.operation[span] as number
        spreads.learn(of.service[span] as number, operation, piece.before, piece.after, piece.toNs - piece.fromNs)
      })
    }
  }
}
