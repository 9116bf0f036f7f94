import { Fault } from '../runtime/fault.ts'
import { type Strings } from '../runtime/strings.ts'
import { type Decomposition } from '../model/decomposition.ts'
import { PATTERNS, patterns } from '../model/patterns.ts'
import { GRADES, PHASES, PHASE_SLOTS, Phase, grades, phases } from '../model/phases.ts'
import { Band, bands, classes, outcomes } from '../model/requests.ts'
import { type Resources, type TraceColumns } from '../model/spans.ts'
import { spanIdHex, traceIdHex } from './hex.ts'
import { listText, objectText } from './text-slices.ts'
import { unixNano } from './unix-nano.ts'

export interface Names {
  readonly strings: Strings
  readonly resources: Resources
}

/**
 * One element of `traces` of `analyze --json`, keys in the order of the contract. `bandOf` has one band a request; undefined
 * or `none` where its operation has no thresholds. Of a detailed decomposition only.
 */
export function traceDocument(decomposition: Decomposition, bandOf: Uint8Array | undefined, names: Names): object {
  const lists = listsOf(decomposition, bandOf, names).map(({ key, n, item }): [string, unknown[]] => [
    key,
    Array.from({ length: n }, (_, index) => item(index))
  ])
  return { ...headOf(decomposition, names), ...Object.fromEntries(lists) }
}

/** The same as text, in slices. */
export function traceText(
  decomposition: Decomposition,
  bandOf: Uint8Array | undefined,
  names: Names
): Generator<string> {
  return objectText(
    Object.entries(headOf(decomposition, names)).map(([key, value]) => [key, () => value as unknown]),
    listsOf(decomposition, bandOf, names).map(({ key, n, item }) => [key, () => listText(n, item)])
  )
}

function headOf(decomposition: Decomposition, names: Names): object {
  const { trace, own, complete } = decomposition
  if (own.inProcessChildrenNs.length < trace.n)
    throw new Fault('BUG', 'a trace document needs a detailed decomposition')
  return { trace_id: traceIdHex(trace.traceId, 0), complete, root: rootOf(decomposition, names) }
}

interface List {
  readonly key: string
  readonly n: number
  readonly item: (index: number) => object
}

function listsOf(decomposition: Decomposition, bandOf: Uint8Array | undefined, names: Names): List[] {
  return [
    { key: 'critical_path', ...criticalPath(decomposition) },
    { key: 'blame', ...blameOf(decomposition, names) },
    { key: 'spans', ...spansOf(decomposition, names) },
    { key: 'requests', ...requestsOf(decomposition, bandOf, names) }
  ]
}

function rootOf({ trace, root, rootRequest, requests }: Decomposition, { strings, resources }: Names): object | null {
  if (root < 0) return null
  const ofRequest = rootRequest >= 0
  const service = ofRequest ? requests.service[rootRequest] : resources.service[trace.resource[root] as number]
  const operation = ofRequest ? requests.operation[rootRequest] : trace.operation[root]
  return {
    span_id: spanIdHex(trace.spanId, root),
    service: strings.text(service as number),
    operation: strings.text(operation as number),
    duration_ns: durationNs(trace, root)
  }
}

function criticalPath({ trace, path }: Decomposition): Items {
  return items(path.n, (section) => ({
    span_id: spanIdHex(trace.spanId, path.span[section] as number),
    start_unix_nano: unixNano(trace, path.startNs[section] as number),
    end_unix_nano: unixNano(trace, path.endNs[section] as number)
  }))
}

function blameOf({ trace, blame }: Decomposition, { strings }: Names): Items {
  return items(blame.n, (row) => ({
    span_id: spanIdHex(trace.spanId, blame.span[row] as number),
    service: strings.text(blame.service[row] as number),
    operation: strings.text(blame.operation[row] as number),
    phase: phases[blame.phase[row] as number],
    ns: blame.ns[row] as number,
    grade: blame.phase[row] === Phase.unattributed ? null : grades[blame.grade[row] as number]
  }))
}

function spansOf({ trace, own }: Decomposition, { strings, resources }: Names): Items {
  return items(trace.n, (span) => ({
    span_id: spanIdHex(trace.spanId, span),
    service: strings.text(resources.service[trace.resource[span] as number] as number),
    name: strings.text(trace.name[span] as number),
    duration_ns: durationNs(trace, span),
    phases: phasesOf(own.phaseNs, span),
    in_process_children_ns: own.inProcessChildrenNs[span] as number
  }))
}

function requestsOf({ trace, requests }: Decomposition, bandOf: Uint8Array | undefined, { strings }: Names): Items {
  return items(requests.n, (request) => {
    const band = bandOf?.[request] ?? Band.none
    return {
      span_id: spanIdHex(trace.spanId, requests.span[request] as number),
      service: strings.text(requests.service[request] as number),
      operation: strings.text(requests.operation[request] as number),
      class: classes[requests.class[request] as number],
      outcome: outcomes[requests.outcome[request] as number],
      duration_ns: requests.durationNs[request] as number,
      lead_wait_ns: requests.leadNs[request] as number,
      band: band === Band.none ? null : bands[band],
      phases: phasesOf(requests.phaseNs, request),
      grades: gradesOf(requests.phaseNs, request),
      patterns: patternsOf(requests.patternNs, request)
    }
  })
}

function phasesOf(phaseNs: Float64Array, row: number): Record<string, number> {
  const times: Record<string, number> = {}
  for (let phase = 0; phase < PHASES; phase++) times[phases[phase] as string] = phaseTotal(phaseNs, row, phase)
  return times
}

/** Of the phases above 0; what is unattributed has no grade. */
function gradesOf(phaseNs: Float64Array, row: number): Record<string, Record<string, number>> {
  const graded: Record<string, Record<string, number>> = {}
  for (let phase = 0; phase < Phase.unattributed; phase++) {
    if (phaseTotal(phaseNs, row, phase) <= 0) continue
    const first = row * PHASE_SLOTS + phase * GRADES
    graded[phases[phase] as string] = Object.fromEntries(
      grades.map((grade, index) => [grade, phaseNs[first + index] as number])
    )
  }
  return graded
}

/** Of the patterns above 0. */
function patternsOf(patternNs: Float64Array, row: number): Record<string, number> {
  const times = patterns.map((pattern, at): [string, number] => [pattern, patternNs[row * PATTERNS + at] as number])
  return Object.fromEntries(times.filter(([, ns]) => ns > 0))
}

function phaseTotal(phaseNs: Float64Array, row: number, phase: number): number {
  const first = row * PHASE_SLOTS + phase * GRADES
  let total = 0
  for (let slot = first; slot < first + GRADES; slot++) total += phaseNs[slot] as number
  return total
}

type Items = Omit<List, 'key'>

const items = (n: number, item: (index: number) => object): Items => ({ n, item })

function durationNs(trace: TraceColumns, span: number): number {
  return (trace.endNs[span] as number) - (trace.startNs[span] as number)
}
