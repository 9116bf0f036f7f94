import type { BlameColumns, Decomposition, PathColumns, RequestColumns } from '../model/decomposition.ts'
import { Grade, PHASE_SLOTS, Phase } from '../model/phases.ts'
import { RequestClass, Sampling } from '../model/requests.ts'
import { CloseReason, Evidence, Kind, type Resources, SpanFlag, type TraceColumns } from '../model/spans.ts'
import { Trait, type Tree } from './cut/tree.ts'
import { type Cut, Fill, UnitKind } from './cut/cut.ts'
import { createCrossings, type Crossings } from './crossings.ts'
import { hasEvidence } from './evidence/index.ts'
import { calleeRow, inferredCalleeCode } from './judge/inference/inferred-rows.ts'
import { RowFlag, type Verdict } from './judge/judge.ts'
import type { MissingEvidence } from './judge/missing-evidence.ts'
import { enlarge, growFloats } from './scratch.ts'

export interface Report {
  readonly result: Decomposition
  /** To be found once all requests are filled. */
  readonly crossings: Crossings
  /** Makes room for the requests, which come first of the `units`; gives their number. */
  readonly begin: (root: number, units: number) => number
  /** Requests [from, to). */
  readonly fillRequests: (from: number, to: number) => void
  /** What the root's path says of the root; once all requests are filled. Blame is read from it when asked for. */
  readonly followPath: () => void
  /** The critical path, and room for the spans' own times. */
  readonly fillPath: () => void
}

interface ReportTools {
  readonly tree: Tree
  readonly cut: Cut
  readonly verdict: Verdict
  readonly leads: { readonly leadNs: (tree: Tree, span: number) => number }
  readonly missingEvidence: MissingEvidence
  readonly resources: Resources
}

/** Turns units and verdicts into what the next stage reads. */
export function createReport(tools: ReportTools): Report {
  const { tree, cut, verdict, leads } = tools
  const requests: RequestColumns = {
    n: 0,
    span: new Uint32Array(64),
    service: new Uint32Array(64),
    operation: new Uint32Array(64),
    class: new Uint8Array(64),
    outcome: new Uint8Array(64),
    durationNs: growFloats(64),
    phaseNs: verdict.phaseNs,
    leadNs: growFloats(64),
    patternNs: cut.patternNs,
    partial: new Uint8Array(64),
    weight: growFloats(64),
    sampling: new Uint8Array(64)
  }
  const blame: BlameColumns = {
    n: 0,
    span: new Uint32Array(64),
    service: new Uint32Array(64),
    operation: new Uint32Array(64),
    phase: new Uint8Array(64),
    grade: new Uint8Array(64),
    ns: growFloats(64)
  }
  const crossings = createCrossings({ ...tools, requests })
  let blamed = true
  const path: PathColumns = { n: 0, span: new Uint32Array(64), startNs: growFloats(64), endNs: growFloats(64) }
  const result: Decomposition = {
    trace: undefined as unknown as TraceColumns,
    root: -1,
    complete: false,
    conflicts: 0,
    requests,
    rootRequest: -1,
    get blame() {
      if (!blamed) fillBlame()
      return blame
    },
    missingEvidence: tools.missingEvidence.of,
    addPathNs,
    crossings: crossings.columns,
    path,
    own: {
      phaseNs: new Float64Array(0),
      inProcessChildrenNs: new Float64Array(0),
      startNs: new Float64Array(0),
      endNs: new Float64Array(0),
      parent: new Int32Array(0)
    }
  }

  function growRequests(n: number): void {
    if (requests.span.length >= n) return
    requests.span = enlarge(requests.span, n)
    requests.service = enlarge(requests.service, n)
    requests.operation = enlarge(requests.operation, n)
    requests.class = enlarge(requests.class, n)
    requests.outcome = enlarge(requests.outcome, n)
    requests.durationNs = enlarge(requests.durationNs, n)
    requests.leadNs = enlarge(requests.leadNs, n)
    requests.partial = enlarge(requests.partial, n)
    requests.weight = enlarge(requests.weight, n)
    requests.sampling = enlarge(requests.sampling, n)
  }

  function fillRequest(request: number): void {
    const { trace } = tree
    const span = cut.unitSpan[request] as number
    const durationNs = (cut.unitToNs[request] as number) - (cut.unitFromNs[request] as number)
    requests.span[request] = span
    requests.service[request] = tree.service[span] as number
    requests.operation[request] = trace.operation[span] as number
    requests.class[request] = classOf(span)
    requests.outcome[request] = trace.outcome[span] as number
    requests.durationNs[request] = durationNs
    requests.leadNs[request] = leadNs(span)
    requests.partial[request] = verdict.partial[request] as number
    fillWeight(request, span)
    const { phaseNs } = requests
    let sumNs = 0
    for (let cell = request * PHASE_SLOTS; cell < (request + 1) * PHASE_SLOTS; cell++) sumNs += phaseNs[cell] as number
    if (sumNs !== durationNs) throw new Error(`phases of a request add up to ${sumNs} ns of ${durationNs}`)
  }

  function classOf(span: number): number {
    const { kind, flags } = tree.trace
    const flag = flags[span] as number
    if (kind[span] === Kind.consumer) return RequestClass.message
    if ((flag & SpanFlag.streaming) !== 0) return RequestClass.stream
    if (kind[span] === Kind.server || (flag & SpanFlag.requestLike) !== 0) return RequestClass.request
    // An INTERNAL span called by another service is a request; a root of its own accord is a cron job, a start-up, a poll loop.
    return (tree.parent[span] as number) >= 0 || (flag & SpanFlag.parentRemote) !== 0
      ? RequestClass.request
      : RequestClass.background
  }

  /** What the spans before it show, else what a stamp says. */
  function leadNs(span: number): number {
    const gapNs = tree.trace.kind[span] === Kind.consumer ? gapBefore(span) : 0
    return gapNs > 0 || !hasEvidence(tree.trace, span) ? gapNs : leads.leadNs(tree, span)
  }

  /** From the producer's end, or the first wait span since, to the consumer's start. */
  function gapBefore(span: number): number {
    const { trace } = tree
    let fromNs = Infinity
    let above = tree.linkedTo[span] as number
    if (above < 0 || trace.kind[above] !== Kind.producer) {
      above = tree.parent[span] as number
      for (; above >= 0 && tree.trait[above] === Trait.wait; above = tree.parent[above] as number) {
        fromNs = Math.min(fromNs, tree.startNs[above] as number)
      }
    }
    if (above >= 0 && trace.kind[above] === Kind.producer) fromNs = tree.endNs[above] as number
    const lead = (tree.startNs[span] as number) - fromNs
    return lead > 0 ? lead : 0
  }

  /**
   * How many requests this one stands for: 1 / (share kept), rounded to a whole number by the trace's own random bits, so that
   * sums stay exact integers and all requests of a trace round alike. The sampler used the id's last bits; this uses its first.
   */
  function fillWeight(request: number, span: number): void {
    const { trace } = tree
    const tailSampled = ((trace.flags[span] as number) & SpanFlag.tailSampled) !== 0
    requests.sampling[request] = tailSampled ? Sampling.tail : Sampling.unknown
    requests.weight[request] = 1
    const end = trace.evidenceEnd[span] as number
    for (let i = span === 0 ? 0 : (trace.evidenceEnd[span - 1] as number); i < end; i++) {
      if (trace.evidence.code[i] !== Evidence.samplingThreshold) continue
      const weight = 1 / (1 - (trace.evidence.a[i] as number))
      const whole = Math.floor(weight)
      const up = (trace.traceId[0] as number) / 2 ** 32 < weight - whole ? 1 : 0
      requests.sampling[request] = weight > 1 ? Sampling.ratio : Sampling.none
      requests.weight[request] = whole + up
      return
    }
  }

  // What is left to charge to the callee of the call whose rows are being blamed: they stand together.
  let lateSpan = -1
  let lateNs = 0

  /** Blames a row; of the network, what the callee's runtime was late for is the callee's. */
  function addBlame(row: number): void {
    const ns = verdict.ns[row] as number
    const span = verdict.span[row] as number
    if (verdict.phase[row] !== Phase.network || verdict.grade[row] !== Grade.inferred) {
      addBlameOf(row, ns)
      return
    }
    const { evidence } = tree.trace
    const late = calleeRow(tree.trace, span)
    if (span !== lateSpan) lateNs = late < 0 ? 0 : (evidence.b[late] as number)
    lateSpan = span
    const peer = lateNs > 0 ? peerOf(span) : -1
    const peerNs = peer < 0 ? 0 : Math.min(ns, lateNs)
    lateNs -= peerNs
    if (ns > peerNs) addBlameOf(row, ns - peerNs)
    if (peerNs === 0) return
    addBlameOf(row, peerNs)
    const i = blame.n - 1
    blame.span[i] = peer
    blame.service[i] = tree.service[peer] as number
    blame.operation[i] = tree.trace.operation[peer] as number
    blame.phase[i] = (evidence.code[late] as number) - inferredCalleeCode(0)
  }

  /** The span that answers a call, -1 without. */
  function peerOf(call: number): number {
    const end = tree.childEnd[call] as number
    for (let at = call === 0 ? 0 : (tree.childEnd[call - 1] as number); at < end; at++) {
      const child = tree.child[at] as number
      if (tree.owner[child] === child) return child
    }
    return -1
  }

  function addBlameOf(row: number, ns: number): void {
    const i = blame.n++
    if (i >= blame.span.length) {
      blame.span = enlarge(blame.span, i + 1)
      blame.service = enlarge(blame.service, i + 1)
      blame.operation = enlarge(blame.operation, i + 1)
      blame.phase = enlarge(blame.phase, i + 1)
      blame.grade = enlarge(blame.grade, i + 1)
      blame.ns = enlarge(blame.ns, i + 1)
    }
    const { trace } = tree
    const span = verdict.span[row] as number
    const owner = tree.owner[span] as number
    const culprit = owner < 0 ? span : owner
    const guess = ((verdict.flags[row] as number) & RowFlag.missingPeer) !== 0
    blame.span[i] = span
    blame.service[i] = tree.service[culprit] as number
    blame.operation[i] = trace.operation[culprit] as number
    blame.phase[i] = guess ? Phase.unattributed : (verdict.phase[row] as number)
    blame.grade[i] = verdict.grade[row] as number
    blame.ns[i] = ns
  }

  function fillBlame(): void {
    blame.n = 0
    blamed = true
    lateSpan = -1
    for (let i = 0; i < cut.pathUnits; i++) {
      const unit = cut.pathUnit[i] as number
      const end = verdict.rowEnd[unit] as number
      for (let row = verdict.rowFirst[unit] as number; row < end; row++) {
        if (((verdict.flags[row] as number) & RowFlag.peer) === 0 && verdict.ns[row] !== 0) addBlame(row)
      }
    }
  }

  /** The root is partial when anyone on its path is. Whom to blame is worked out only when somebody asks. */
  function followPath(): void {
    blamed = false
    if (result.rootRequest < 0) return
    for (let i = 0; i < cut.pathUnits; i++) {
      if (verdict.partial[cut.pathUnit[i] as number] === 1) requests.partial[result.rootRequest] = 1
    }
  }

  function addPathNs(ns: Float64Array): void {
    for (let i = 0; i < cut.pathUnits; i++) {
      const unit = cut.pathUnit[i] as number
      for (let s = unit === 0 ? 0 : (cut.unitEnd[unit - 1] as number); s < (cut.unitEnd[unit] as number); s++) {
        if (cut.fill[s] === Fill.peer) continue
        const span = cut.span[s] as number
        ns[span] = (ns[span] as number) + (cut.toNs[s] as number) - (cut.fromNs[s] as number)
      }
    }
  }

  /** Sections in time order; those of one span that touch become one again. */
  function fillPath(): void {
    const sections: number[] = []
    for (let i = 0; i < cut.pathUnits; i++) {
      const unit = cut.pathUnit[i] as number
      for (let s = unit === 0 ? 0 : (cut.unitEnd[unit - 1] as number); s < (cut.unitEnd[unit] as number); s++) {
        if (cut.fill[s] !== Fill.peer) sections.push(s)
      }
    }
    sections.sort((a, b) => (cut.fromNs[a] as number) - (cut.fromNs[b] as number))
    path.span = enlarge(path.span, sections.length)
    path.startNs = enlarge(path.startNs, sections.length)
    path.endNs = enlarge(path.endNs, sections.length)
    path.n = 0
    for (const section of sections) {
      const span = cut.span[section] as number
      const last = path.n - 1
      if (last >= 0 && path.span[last] === span && path.endNs[last] === cut.fromNs[section]) {
        path.endNs[last] = cut.toNs[section] as number
        continue
      }
      path.span[path.n] = span
      path.startNs[path.n] = cut.fromNs[section] as number
      path.endNs[path.n++] = cut.toNs[section] as number
    }
    const n = tree.trace.n
    result.own.phaseNs = enlarge(result.own.phaseNs, n * PHASE_SLOTS)
    result.own.inProcessChildrenNs = enlarge(result.own.inProcessChildrenNs, n)
    result.own.phaseNs.fill(0, 0, n * PHASE_SLOTS)
  }

  return {
    result,
    crossings,
    begin(root, units) {
      const { trace } = tree
      result.trace = trace
      result.root = root
      result.rootRequest = root < 0 ? -1 : (cut.unitOf[root] as number)
      const whole = tree.roots === 1 && tree.missingParents === 0 && tree.forgedParents === 0
      result.complete = whole && !trace.truncated && trace.closedBy !== CloseReason.lateUnit
      let n = 0
      while (n < units && cut.unitKind[n] === UnitKind.request) n += 1
      growRequests(n)
      requests.n = n
      // Requests come first of the units, so their phases are the verdict's, and their patterns the cut's.
      requests.phaseNs = verdict.phaseNs
      requests.patternNs = cut.patternNs
      path.n = 0
      return n
    },
    fillRequests(from, to) {
      for (let request = from; request < to; request++) fillRequest(request)
    },
    followPath,
    fillPath
  }
}
