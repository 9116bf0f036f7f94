import type { Resources, TraceColumns } from '../../../model/spans.ts'
import { Phase } from '../../../model/phases.ts'
import type { Mutex } from '../../../runtime/mutex.ts'
import type { SharedMemory } from '../../../runtime/shared-memory.ts'
import type { Marks } from '../../../runtime/stage.ts'
import type { Cut } from '../../cut/cut.ts'
import type { Tree } from '../../cut/tree.ts'
import type { RuntimeMetrics, RuntimeReading } from '../../learned/runtime-metrics/index.ts'
import type { Clocks } from '../../learned/clocks.ts'
import type { Servers } from '../../learned/servers.ts'
import type { Spreads } from '../../learned/spreads.ts'
import type { InferenceSettings } from '../../settings.ts'
import { createArrivals } from './arrivals.ts'
import { createHeld, type HeldTrace } from './held.ts'
import { createInferredRows, inferredCalleeCode, inferredCode } from './inferred-rows.ts'
import { createNeighbours } from './neighbours.ts'
import { createObserver } from './observer.ts'
import { explain, type Findings, type RuleTools } from './rule.ts'
import { createRules } from './rules/index.ts'
import { createSuspect, readSuspect, type Suspect, suspectsIn } from './suspects.ts'

/** What there was no room or no time for. */
export const losses = ['traces', 'pieces', 'requests', 'suspects', 'unwatched'] as const
const Loss = {
  /** Judged before its time. */
  trace: 0,
  /** Forgotten while still of use. */
  piece: 1,
  request: 2,
  /** Not looked into. */
  suspect: 3,
  /** A trace that came while nothing was watched. */
  unwatched: 4
} as const

/** Cells that all threads share: sections since the last publication, and pieces looked at before it. */
const Cell = { sections: 0, visitsBefore: 1 } as const

/**
 * What the spans of one process say together. Every trace is observed once, when it closes; one with stretched pieces is held
 * until its neighbours have closed too, then judged rule by rule. What is inferred goes back into the trace as evidence.
 */
export interface Inference {
  /** Enters a trace into the rings, while there is time for it. */
  readonly observe: (tree: Tree, cut: Cut) => void
  /** Holds the trace observed last, if something in it is stretched. */
  readonly hold: (trace: TraceColumns, contextRows: number, nowMs: number) => boolean
  /** Whether the oldest held trace's time has come. */
  readonly due: (nowMs: number) => boolean
  /** The oldest held trace, with what was inferred. Only when one is due. */
  readonly take: () => { readonly trace: TraceColumns; readonly contextRows: number }
  /** With the mutex held. */
  readonly learn: (tree: Tree, cut: Cut, ok: (request: number) => boolean) => void
  /** Looks for queues among the requests that have had time to be complete; before `servers.publish`. While no other thread looks. */
  readonly teach: (all: boolean) => void
  /** Forgets what was observed, not what was learned. */
  readonly forget: () => void
  readonly mark: (marks: Marks) => void
  readonly memory: () => Readonly<Record<string, number>>
}

export interface InferenceTools {
  readonly resources: Resources
  readonly spreads: Spreads
  readonly servers: Servers
  readonly sharedServers: Servers
  readonly clocks: Pick<Clocks, 'settled'>
  readonly runtime: Pick<RuntimeMetrics, 'metricsAt'>
  readonly memory: SharedMemory
  /** Held by the thread that enters a trace or looks at the others'. */
  readonly mutex: Mutex
  /** Told what was lost, an index of `losses`, and how many. */
  readonly lost: (loss: number, count: number) => void
}

export function createInference(settings: InferenceSettings, tools: InferenceTools): Inference {
  const { spreads, servers, sharedServers, runtime, memory, mutex } = tools
  const lose = (loss: number) => (): void => {
    tools.lost(loss, 1)
  }
  const neighbours = createNeighbours({ rowsMax: settings.piecesMax, memory, pushedOut: lose(Loss.piece) })
  const arrivals = createArrivals(
    { rowsMax: settings.requestsMax, memory, pushedOut: lose(Loss.request) },
    { servers, sharedServers, spreads }
  )
  const observer = createObserver({ ...tools, neighbours, arrivals })
  const held = createHeld({ waitMs: settings.waitMs, bytesMax: settings.heldBytesMax, early: lose(Loss.trace) })
  const cells = memory.take(Float64Array, 2)
  const rules = createRules(settings.without)
  const rows = createInferredRows()
  const suspect = createSuspect()
  let firstRequest = 0
  const unhurried = settings.waitMs === Infinity
  // The trace observed last.
  let watched = true

  const findings: Findings = {
    leftNs: 0,
    turnNs: 0,
    queueNs: 0,
    stallNs: 0,
    weakNs: 0,
    gcNs: 0,
    ranNs: 0,
    doubtedNs: 0,
    calleeNs: 0,
    calleeGc: false
  }
  // Several rules ask the same questions of a suspect: answered once.
  const here = { ...unknownSurroundings }
  const there = { ...unknownSurroundings }
  let askedHere = false
  let askedThere = false
  const excessFromNs = ({ fromNs, medianNs }: Suspect): number => fromNs + medianNs
  const readMetrics = (of: Suspect, resource: number, shiftNs: number): RuntimeReading => {
    const unixNs = observer.epochNs() + shiftNs
    return runtime.metricsAt(resource, excessFromNs(of) + unixNs, of.toNs + unixNs)
  }
  const askedBy = (of: Suspect): Parameters<typeof arrivals.turnNs>[0] => {
    const { process, service, operation, arrivedNs: fromNs, firstCallNs } = of
    return { process, service, operation, fromNs, firstCallNs }
  }
  const knocks = !settings.without.includes('knocks')
  const ruleTools: RuleTools = {
    around(of) {
      if (!askedHere) {
        const request = (judgedFirst + of.entry) >>> 0
        Object.assign(
          here,
          neighbours.around(of.process, request, excessFromNs(of) + of.shiftNs, of.toNs + of.shiftNs, knocks)
        )
      }
      askedHere = true
      return here
    },
    released(of) {
      const request = (judgedFirst + of.entry) >>> 0
      return neighbours.released(of.process, request, excessFromNs(of) + of.shiftNs, of.toNs + of.shiftNs)
    },
    aroundPeer(of) {
      if (!askedThere) {
        const shiftNs = of.peerShiftNs
        Object.assign(
          there,
          neighbours.around(of.peerProcess, NO_REQUEST, excessFromNs(of) + shiftNs, of.toNs + shiftNs, false)
        )
      }
      askedThere = true
      return there
    },
    begunByPeer(of) {
      const fromNs = excessFromNs(of) + of.peerShiftNs
      const toNs = of.toNs + of.peerShiftNs
      const edgeNs = 0.1 * (toNs - fromNs)
      const during = neighbours.begun(of.peerProcess, fromNs + edgeNs, toNs - edgeNs)
      // As long as the excess, but at least so long that an average means something.
      const backNs = Math.max(toNs - fromNs, USUAL_NS)
      const before = neighbours.begun(of.peerProcess, fromNs - backNs, fromNs)
      return { during, usually: (before / backNs) * (toNs - fromNs - 2 * edgeNs) }
    },
    turnNs: (of) => arrivals.turnNs(askedBy(of)),
    sharedTurnNs: (of) => arrivals.sharedTurnNs(askedBy(of)),
    runtime: (of) => readMetrics(of, of.resource, of.shiftNs),
    runtimeOfPeer: (of) => readMetrics(of, of.peerResource, of.peerShiftNs)
  }
  let judgedFirst = 0
  const isWatching = (): boolean => unhurried || (cells[Cell.sections] as number) <= SECTIONS_MAX

  function judge(): void {
    findings.leftNs = suspect.toNs - suspect.fromNs - suspect.medianNs
    findings.turnNs = -Infinity
    findings.queueNs = findings.stallNs = findings.weakNs = findings.gcNs = findings.ranNs = findings.calleeNs = 0
    findings.doubtedNs = 0
    findings.calleeGc = false
    askedHere = askedThere = false
    for (const rule of rules) {
      if (suspect.stretched === 1 || rule.name === 'unwatched') rule.judge(suspect, findings, ruleTools)
    }
    writeDown()
  }

  /** The wait ends with the turn; whatever else stretched the piece goes to its end. */
  function writeDown(): void {
    const { span, offsetNs, fromNs, toNs } = suspect
    const add = (code: number, endNs: number, length: number): void => {
      const ns = Math.floor(length)
      rows.add(span, code, offsetNs + endNs - fromNs - ns, ns)
    }
    if (findings.queueNs > 0) add(inferredCode(Phase.queueWait), findings.turnNs, findings.queueNs)
    add(inferredCode(Phase.gc), toNs, findings.gcNs)
    const stallNs = explain(findings, findings.stallNs)
    add(inferredCode(Phase.scheduling), toNs - findings.gcNs, stallNs)
    add(inferredCode(Phase.processing), toNs - findings.gcNs - stallNs, explain(findings, findings.ranNs))
    add(inferredCode(Phase.queueWait), toNs, explain(findings, findings.doubtedNs))
    add(inferredCalleeCode(findings.calleeGc ? Phase.gc : Phase.scheduling), toNs, explain(findings, findings.calleeNs))
  }

  function infer(trace: HeldTrace): TraceColumns {
    rows.begin()
    if (!unhurried && neighbours.visited() - (cells[Cell.visitsBefore] as number) > VISITS_MAX) {
      tools.lost(Loss.suspect, suspectsIn(trace.suspects))
      return rows.write(trace.copy)
    }
    judgedFirst = trace.firstRequest
    for (let i = 0; i < suspectsIn(trace.suspects); i++) {
      readSuspect(trace.suspects, i, suspect)
      judge()
    }
    return rows.write(trace.copy)
  }

  return {
    observe(tree, cut) {
      mutex.lock()
      try {
        cells[Cell.sections] = (cells[Cell.sections] as number) + cut.sections
        watched = isWatching()
        if (watched) firstRequest = observer.observe(tree, cut)
        else tools.lost(Loss.unwatched, 1)
      } finally {
        mutex.unlock()
      }
    },
    hold(trace, contextRows, nowMs) {
      if (!watched || observer.suspects.n() === 0) return false
      held.add(trace, { contextRows, suspects: observer.suspects.copy(), firstRequest }, nowMs)
      return true
    },
    due: held.due,
    take() {
      const trace = held.take()
      mutex.lock()
      try {
        return { trace: infer(trace), contextRows: trace.contextRows }
      } finally {
        mutex.unlock()
      }
    },
    learn(tree, cut, ok) {
      if (isWatching()) observer.learn(tree, cut, ok)
    },
    teach(all) {
      cells[Cell.sections] = 0
      cells[Cell.visitsBefore] = neighbours.visited()
      arrivals.teach(all)
    },
    forget() {
      neighbours.clear()
      arrivals.clear()
    },
    mark(marks) {
      neighbours.mark(marks.strings)
      arrivals.mark(marks.strings)
      held.mark(marks)
    },
    memory: () => ({ neighbours: neighbours.bytes() + arrivals.bytes(), held: held.bytes() })
  }
}

/**
 * Sections of traces that are watched between two publications. A busier service is watched for a part of the time: whole
 * stretches of it, because a sample of traces has no neighbours and no queues.
 */
const SECTIONS_MAX = 60_000
/** Pieces that may be looked at between two publications: about 0.05 s of CPU. A busy service has slow requests enough to learn from those. */
const VISITS_MAX = 300_000
/** How far back to look for how much a process usually begins. */
const USUAL_NS = 5e9
/** No request has this number for long: what asks about another process excludes none of it. */
const NO_REQUEST = 0xffffffff
const unknownSurroundings = {
  witnesses: 0,
  coveredShare: 0,
  strong: false,
  crossedShare: 0,
  started: 0,
  quietShare: 0,
  silentNs: 0,
  weakSilentNs: 0
}
