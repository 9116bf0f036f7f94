import { phases } from '../../../src/model/phases.ts'
import { type AnalyzedTrace } from './analysis.ts'
import { type Section } from './path.ts'
import { noTimes, type PhaseTimes, total } from './phase-times.ts'
import { type Span, spanKey } from './spans.ts'
import { type TrueTimesReader } from './true-times.ts'
import { type SpanTruth } from './truth-files.ts'

/** ns by service and phase. */
export type Blame = Map<string, PhaseTimes>

export interface TrueBlame {
  readonly blame: Blame
  readonly unknownNs: number
}

export interface BlameTools {
  readonly baseNs: bigint
  readonly truth: ReadonlyMap<string, SpanTruth>
  readonly spanOf: (traceId: string, spanId: string) => Span | undefined
  /** The entry span of the request that a span belongs to. */
  readonly entryOf: (span: Span) => Span
  readonly serviceOf: (entry: Span) => string
  readonly times: TrueTimesReader
}

/** Charges a trace's critical path, as analyze cut it, to the services that really spent it, and to what they spent it on. */
export function trueBlame(trace: AnalyzedTrace, tools: BlameTools): TrueBlame {
  const { entryOf, serviceOf, times } = tools
  const blame: Blame = new Map()
  let unknownNs = 0
  const charge = (service: string, spent: Readonly<PhaseTimes>): void => {
    let of = blame.get(service)
    if (of === undefined) blame.set(service, (of = noTimes()))
    for (const phase of phases) of[phase] += spent[phase]
  }
  const { sections, lostNs } = readPath(trace, tools)
  unknownNs += lostNs
  for (const [entry, ofRequest] of Map.groupBy(sections, ({ span }) => entryOf(span))) {
    const onOwnClock = shifted(ofRequest, entry)
    const calls = new Map(
      [...Map.groupBy(onOwnClock, ({ span }) => span)].filter(([span]) => answersOn(sections, span, tools).length > 0)
    )
    const within = times.ofSections(onOwnClock.filter(({ span }) => !calls.has(span)))
    charge(serviceOf(entry), within.times)
    unknownNs += within.unknownNs
    for (const [call, gaps] of calls) {
      const [answer] = answersOn(sections, call, tools)
      const book = gapsOf({ call, gaps, answer: answer as Span }, tools)
      charge(serviceOf(entry), book.caller)
      charge(serviceOf(answer as Span), book.callee)
      unknownNs += book.unknownNs
    }
  }
  return { blame, unknownNs }
}

function readPath(trace: AnalyzedTrace, { spanOf, baseNs }: BlameTools): { sections: Section[]; lostNs: number } {
  const sections: Section[] = []
  let lostNs = 0
  for (const { span_id: id, start_unix_nano: start, end_unix_nano: end } of trace.critical_path) {
    const span = spanOf(trace.trace_id, id)
    const fromNs = Number(BigInt(start) - baseNs)
    const toNs = Number(BigInt(end) - baseNs)
    if (span === undefined) lostNs += toNs - fromNs
    else sections.push({ span, fromNs, toNs })
  }
  return { sections, lostNs }
}

/** The spans of peers that answered a call and are on the path. */
function answersOn(sections: readonly Section[], call: Span, { entryOf }: BlameTools): Span[] {
  return call.children.filter(
    (child) => entryOf(child) === child && sections.some(({ span }) => entryOf(span) === child)
  )
}

/**
 * The path is on the root host's clock, truth on that of each process. Where the sections do not fit their spans, a clock was
 * corrected: the request's first section then tells by how much, for it begins where the request begins.
 */
function shifted(sections: readonly Section[], entry: Span): Section[] {
  const fits = ({ span, fromNs, toNs }: Section): boolean => fromNs >= span.startNs && toNs <= span.endNs
  const first = sections[0]
  if (first === undefined || sections.every(fits)) return [...sections]
  const byNs = entry.startNs - first.fromNs
  return sections.map(({ span, fromNs, toNs }) => ({ span, fromNs: fromNs + byNs, toNs: toNs + byNs }))
}

/**
 * What the far side does not cover of a call. Of it the caller's is what truth says it was late with, the callee's what kept its
 * span from starting, and the rest is the wire: `downstream` of the caller, as the wire and the far side are one here.
 */
function gapsOf(
  { call, gaps, answer }: { call: Span; gaps: readonly Section[]; answer: Span },
  { truth }: BlameTools
): { caller: PhaseTimes; callee: PhaseTimes; unknownNs: number } {
  const caller = noTimes()
  const callee = noTimes()
  const ns = gaps.reduce((sum, { fromNs, toNs }) => sum + toNs - fromNs, 0)
  const own = truth.get(spanKey(call.traceId, call.spanId))
  if (own === undefined) return { caller, callee, unknownNs: ns }
  const late = { ...own.self, downstream: 0, network: 0 }
  const lateNs = total(late)
  const before = truth.get(spanKey(answer.traceId, answer.spanId))?.before ?? noTimes()
  const beforeNs = total(before)
  const callerNs = Math.min(ns, lateNs)
  const calleeNs = Math.min(ns - callerNs, beforeNs)
  for (const phase of phases) {
    if (callerNs > 0) caller[phase] = (late[phase] * callerNs) / lateNs
    if (calleeNs > 0) callee[phase] = (before[phase] * calleeNs) / beforeNs
  }
  caller.downstream += ns - callerNs - calleeNs
  return { caller, callee, unknownNs: 0 }
}
