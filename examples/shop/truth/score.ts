import { phases } from '../../../src/model/phases.ts'
import { type Analysis, type AnalyzedRequest, type AnalyzedTrace } from './analysis.ts'
import { noTally, type RequestSample, type Sample, type Tally, tallyRequests, tallyTraces } from './figures.ts'
import { pathWithin, piecesOf } from './path.ts'
import { noTimes, type PhaseTimes, total, withoutWire, withoutWireName } from './phase-times.ts'
import { type RecordedSpans, type Span, spanKey } from './spans.ts'
import { type Blame, type BlameTools, trueBlame } from './true-blame.ts'
import { createTrueTimes } from './true-times.ts'
import { type SpanTruth } from './truth-files.ts'

/** Truth and spans are timed by different clocks of one process. */
const TOLERANCE_NS = 20_000
const TOLERANCE_SHARE = 0.01
/** A request or trace is left out where truth does not cover more than this share of it. */
const UNKNOWN_SHARE_MAX = 0.01

export interface ScoreInput {
  readonly analysis: Analysis
  readonly spans: RecordedSpans
  readonly truth: ReadonlyMap<string, SpanTruth>
}

/** Holds what analyze says of a recording against what really happened in it. */
export function score({ analysis, spans, truth }: ScoreInput): Tally {
  const requestOf = new Map<string, AnalyzedRequest>()
  for (const { trace_id: traceId, requests } of analysis.traces) {
    for (const request of requests) requestOf.set(spanKey(traceId, request.span_id), request)
  }
  const keyOf = (span: Span): string => spanKey(span.traceId, span.spanId)
  // A span of another process than its parent is nobody's part, even where it is no request (waiting between two of them).
  const isEntry = (span: Span): boolean =>
    requestOf.has(keyOf(span)) || (span.parent !== undefined && span.parent.process !== span.process)
  const times = createTrueTimes(truth, isEntry)
  const tools = {
    isEntry,
    baseNs: spans.baseNs,
    truth,
    times,
    spanOf: (traceId: string, spanId: string) => spans.byId.get(spanKey(traceId, spanId)),
    entryOf(span: Span): Span {
      let entry = span
      while (!isEntry(entry) && entry.parent !== undefined) entry = entry.parent
      return entry
    },
    serviceOf: (entry: Span) => requestOf.get(keyOf(entry))?.service ?? entry.service
  }

  const tally = noTally()
  for (const span of spans.byId.values()) {
    const of = truth.get(keyOf(span))
    if (of !== undefined) tally[addsUp(span, of, isEntry) ? 'exactTruths' : 'otherTruths'] += 1
  }
  const requests: RequestSample[] = []
  const traces: Sample<string>[] = []
  for (const trace of analysis.traces) {
    for (const request of trace.requests) {
      const entry = tools.spanOf(trace.trace_id, request.span_id)
      const sample = entry === undefined ? undefined : sampleOf(request, times.ofRequest(entry))
      if (sample === undefined) tally.leftOut += 1
      else requests.push(sample)
    }
    const root = trace.requests.find(({ span_id: id }) => id === trace.root?.span_id)
    if (root === undefined || root.band === null) continue
    tally[walksAlike(trace, root, tools) ? 'samePaths' : 'otherPaths'] += 1
    const { blame, unknownNs } = trueBlame(trace, tools)
    if (unknownNs > UNKNOWN_SHARE_MAX * root.duration_ns) tally.leftOutTraces += 1
    else traces.push({ ...standing(root), told: toldBlame(trace), truth: flat(blame) })
  }
  tallyRequests(tally, requests)
  tallyTraces(tally, traces)
  return tally
}

/** Whether a span's truth is as long as its own time: its interval less its children in the process. */
function addsUp(span: Span, { self }: SpanTruth, isEntry: (span: Span) => boolean): boolean {
  const pieces = piecesOf({ span, fromNs: span.startNs, toNs: span.endNs }, isEntry)
  let ownNs = 0
  for (const { cover, fromNs, toNs } of pieces) if (cover === undefined) ownNs += toNs - fromNs
  return Math.abs(total(self) - ownNs) <= Math.max(TOLERANCE_NS, TOLERANCE_SHARE * ownNs)
}

/**
 * Whether analyze and the scorer's own walk give each span of the root's process the same time on the path. Calls are left
 * aside: analyze follows them into the peer.
 */
function walksAlike(
  trace: AnalyzedTrace,
  root: AnalyzedRequest,
  tools: BlameTools & { isEntry: (span: Span) => boolean }
): boolean {
  const { spanOf, entryOf, isEntry } = tools
  const entry = spanOf(trace.trace_id, root.span_id)
  if (entry === undefined) return false
  const differenceNs = new Map<Span, number>()
  const count = (span: Span | undefined, ns: number): void => {
    if (span === undefined || entryOf(span) !== entry || span.children.some(isEntry)) return
    differenceNs.set(span, (differenceNs.get(span) ?? 0) + ns)
  }
  for (const { span_id: id, start_unix_nano: start, end_unix_nano: end } of trace.critical_path) {
    count(spanOf(trace.trace_id, id), Number(BigInt(end) - BigInt(start)))
  }
  for (const { span, fromNs, toNs } of pathWithin(entry, { fromNs: entry.startNs, toNs: entry.endNs }, isEntry)) {
    count(span, fromNs - toNs)
  }
  return [...differenceNs.values()].every((ns) => ns === 0)
}

function standing({
  service,
  operation,
  band,
  outcome
}: AnalyzedRequest): Pick<Sample<string>, 'operation' | 'band' | 'isOk'> {
  return { operation: `${service} ${operation}`, band, isOk: outcome === 'ok' }
}

function sampleOf(
  request: AnalyzedRequest,
  truth: { readonly times: PhaseTimes; readonly unknownNs: number }
): RequestSample | undefined {
  const { duration_ns: durationNs, phases: told, grades } = request
  if (truth.unknownNs > UNKNOWN_SHARE_MAX * durationNs) return undefined
  const toldNs = total(told)
  if (toldNs !== durationNs) throw new Error(`${request.span_id}: phases add up to ${toldNs} ns of ${durationNs}`)
  const measured = noTimes()
  for (const phase of phases) measured[phase] = grades[phase]?.measured ?? 0
  return {
    ...standing(request),
    durationNs,
    told: withoutWire(told),
    truth: withoutWire(truth.times),
    measured: withoutWire(measured)
  }
}

function toldBlame({ blame }: AnalyzedTrace): Map<string, number> {
  const told = new Map<string, number>()
  for (const { service, phase, ns } of blame) {
    const key = `${service} ${withoutWireName(phase)}`
    told.set(key, (told.get(key) ?? 0) + ns)
  }
  return told
}

function flat(blame: Blame): Map<string, number> {
  const truth = new Map<string, number>()
  for (const [service, times] of blame) {
    for (const [phase, ns] of Object.entries(withoutWire(times))) if (ns > 0) truth.set(`${service} ${phase}`, ns)
  }
  return truth
}
