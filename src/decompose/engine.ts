import type { Decomposition } from '../model/decomposition.ts'
import { PHASE_SLOTS } from '../model/phases.ts'
import { Band, Outcome } from '../model/requests.ts'
import { CloseReason, Kind, type Resources, type TraceColumns } from '../model/spans.ts'
import { clockOf, createTreeBuilder, operationOf, Trait, type Tree, type TreeTools } from './cut/tree.ts'
import { type Cut, CUT_EDGE } from './cut/cut.ts'
import { createWalker } from './cut/walk.ts'
import { createJudge } from './judge/judge.ts'
import { createMissingEvidence } from './judge/missing-evidence.ts'
import { type Sources, sourceNames } from './evidence/index.ts'
import { explainClaims } from './explain-claims.ts'
import type { LoggedClaim } from './judge/claim-log.ts'
import { createLeads } from './evidence/leads.ts'
import { createTally, type Tally } from './evidence/tally.ts'
import type { Learned } from './learned/index.ts'
import { createReport } from './report.ts'

/** Pieces and calls of one trace that are learned from: a giant must not outvote everyone else, nor block. */
const TAUGHT_MAX = 20_000

export interface DecomposeOptions {
  /** Leading rows of the trace that are only context of a late unit. */
  readonly contextRows: number
  /** Also the path and each span's own time: for the API and `analyze`, not for counting. */
  readonly detail: boolean
  /** Also every claim and what became of it: for people who ask. */
  readonly explain?: true
}

/** One set of scratch: decomposes one trace at a time. */
export interface Engine {
  readonly result: Decomposition
  /** The trace at hand, as it was cut. */
  readonly tree: Tree
  readonly cut: Cut
  readonly run: (trace: TraceColumns, options: DecomposeOptions) => void
  /** The same for a giant: yields whenever about `slice` rows of work are done. */
  readonly runSliced: (trace: TraceColumns, options: DecomposeOptions, slice: number) => Generator<undefined, void>
  /** Learns from the result, given the bands of its requests: the body teaches what the code needs. */
  readonly learn: (bands: Uint8Array) => void
  /** What was wrong with the evidence of the result. */
  readonly tally: Tally
}

export interface EngineTools {
  readonly resources: Resources
  readonly learned: Learned
  readonly sources: Sources
  readonly writeTraits: TreeTools['writeTraits']
  readonly clockOffsetNs: TreeTools['clockOffsetNs']
  readonly spread: boolean
}

export function createEngine(tools: EngineTools): Engine {
  const { resources, learned, sources } = tools
  const tally = createTally(sourceNames.length)
  const builder = createTreeBuilder(tools)
  const walker = createWalker(sources.isResent)
  const judge = createJudge({ ...learned, sources, tally, spread: tools.spread })
  const { tree } = builder
  const { cut } = walker
  const { verdict } = judge
  const missingEvidence = createMissingEvidence({ tree, verdict, resources, sources, runtime: learned.runtime })
  const report = createReport({
    tree,
    cut,
    verdict,
    leads: createLeads(sources, tally),
    missingEvidence,
    resources
  })
  const { crossings, result } = report
  let log: LoggedClaim[] | undefined

  /** The root; of several the longest; without one the longest entry span. -1 when no span is a request. */
  function findRoot(): number {
    const { parentId, n, closedBy } = tree.trace
    if (closedBy === CloseReason.lateUnit) return -1
    let best = -1
    let bestIsRoot = false
    for (let row = tree.contextRows; row < n; row++) {
      if (tree.owner[row] !== row) continue
      const isRoot = parentId[2 * row] === 0 && parentId[2 * row + 1] === 0
      if (best < 0 || (isRoot && !bestIsRoot) || (isRoot === bestIsRoot && outranks(row, best))) {
        best = row
        bestIsRoot = isRoot
      }
    }
    return best
  }

  function outranks(a: number, b: number): boolean {
    const lengthA = (tree.endNs[a] as number) - (tree.startNs[a] as number)
    const lengthB = (tree.endNs[b] as number) - (tree.startNs[b] as number)
    if (lengthA !== lengthB) return lengthA > lengthB
    const { spanId } = tree.trace
    const byHi = (spanId[2 * a] as number) - (spanId[2 * b] as number)
    return byHi !== 0 ? byHi < 0 : (spanId[2 * a + 1] as number) < (spanId[2 * b + 1] as number)
  }

  /** The row of the root, from which the path is to be followed; what its clipped calls leave of a request are units to judge. */
  function beginPath(): number {
    const root = findRoot()
    if (root >= 0) walker.beginPath(cut.unitOf[root] as number)
    return root
  }

  function begin(trace: TraceColumns, { contextRows, explain }: DecomposeOptions): void {
    tally.clear()
    log = explain === true ? [] : undefined
    judge.logTo(log)
    builder.begin(trace, contextRows)
  }

  function finish(options: DecomposeOptions): void {
    if (log === undefined) {
      if (result.claims !== undefined) result.claims = undefined
    } else result.claims = explainClaims({ tree, cut, verdict, log }, result.requests.n)
    report.followPath()
    result.conflicts = tally.sum
    if (!options.detail) return
    report.fillPath()
    result.own.startNs = tree.startNs
    result.own.endNs = tree.endNs
    result.own.parent = tree.parent
    for (let row = 0; row < tree.trace.n; row++) {
      result.own.inProcessChildrenNs[row] = judge.ownTime(row, result.own.phaseNs, row * PHASE_SLOTS)
    }
  }

  // Written twice, because a generator would cost a small trace as much as its tree: `run` is `runSliced` without the pauses.
  function run(trace: TraceColumns, options: DecomposeOptions): void {
    begin(trace, options)
    builder.build()
    walker.begin(tree)
    walker.walk(Infinity)
    judge.begin(tree, cut)
    const units = cut.units
    judge.judge(0, units)
    const root = beginPath()
    if (root >= 0) walker.follow(Infinity)
    judge.judge(units, cut.units)
    report.fillRequests(0, report.begin(root, units))
    crossings.begin()
    crossings.find(0, trace.n)
    crossings.findQueues(0, cut.units)
    finish(options)
  }

  function* runSliced(trace: TraceColumns, options: DecomposeOptions, slice: number): Generator<undefined, void> {
    begin(trace, options)
    for (const pass of builder.passes()) {
      for (let from = 0; from < trace.n; from += slice) {
        pass(from, Math.min(trace.n, from + slice))
        yield
      }
    }
    walker.begin(tree)
    while (!walker.walk(slice)) yield
    judge.begin(tree, cut)
    const units = cut.units
    yield* judgeUnits(0, units, slice)
    const root = beginPath()
    while (root >= 0 && !walker.follow(slice)) yield
    yield* judgeUnits(units, cut.units, slice)
    const requests = report.begin(root, units)
    for (let from = 0; from < requests; from += slice) {
      report.fillRequests(from, Math.min(requests, from + slice))
      yield
    }
    crossings.begin()
    for (let from = 0; from < trace.n; from += slice) {
      crossings.find(from, Math.min(trace.n, from + slice))
      yield
    }
    for (let from = 0; from < cut.units; from += slice) {
      crossings.findQueues(from, Math.min(cut.units, from + slice))
      yield
    }
    finish(options)
  }

  function* judgeUnits(from: number, to: number, slice: number): Generator<undefined, void> {
    for (let end = to; end > from; end -= slice) {
      judge.judge(Math.max(from, end - slice), end)
      yield
    }
  }

  /** Bodies: the pieces of requests in the body, or of all while there are too few for a threshold. */
  function learnBodies(bands: Uint8Array): void {
    const { bodies } = learned
    const pieces = Math.min(verdict.pieces, TAUGHT_MAX)
    for (let piece = 0; piece < pieces; piece++) {
      const left = verdict.pieceLeft[piece] as number
      const right = verdict.pieceRight[piece] as number
      if (left === CUT_EDGE || right === CUT_EDGE) continue
      const span = verdict.pieceSpan[piece] as number
      const owner = tree.owner[span] as number
      const request = owner < 0 ? -1 : (cut.unitOf[owner] as number)
      if (request < 0 || result.requests.outcome[request] !== Outcome.ok) continue
      const band = bands[request]
      if (band !== Band.leP50 && band !== Band.none) continue
      bodies.learn(
        tree.service[span] as number,
        operationOf(tree, span),
        left < 0 ? 0 : operationOf(tree, left),
        right < 0 ? 0 : operationOf(tree, right),
        verdict.pieceNs[piece] as number
      )
    }
  }

  /** Which calls are answered, and what each answer says of the two clocks; from the times as they were sent. */
  function learnCalls(): void {
    const { trace } = tree
    const end = Math.min(trace.n, tree.contextRows + TAUGHT_MAX)
    for (let row = tree.contextRows; row < end; row++) {
      if (tree.trait[row] !== Trait.none) continue
      const resource = trace.resource[row] as number
      if (trace.kind[row] === Kind.client) {
        learned.edges.learn(tree.service[row] as number, trace.operation[row] as number, tree.hasPeer[row] === 1)
      }
      const caller = tree.parent[row] as number
      if (trace.kind[row] !== Kind.server || caller < 0 || trace.kind[caller] !== Kind.client) continue
      const from = clockOf(resources, trace.resource[caller] as number)
      const to = clockOf(resources, resource)
      if (from === to) continue
      const lowNs = (trace.endNs[row] as number) - (trace.endNs[caller] as number)
      learned.clocks.learn(from, to, lowNs, (trace.startNs[row] as number) - (trace.startNs[caller] as number))
    }
  }

  return {
    result,
    tree,
    cut,
    run,
    runSliced,
    learn(bands) {
      learnBodies(bands)
      learnCalls()
    },
    tally
  }
}
