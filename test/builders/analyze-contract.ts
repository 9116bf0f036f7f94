import { bands, classes, outcomes } from '../../src/model/requests.ts'
import { grades, phases } from '../../src/model/phases.ts'

type Phases = Readonly<Record<string, number>>
interface Named {
  readonly service: string
  readonly operation: string
}
export interface Analysis {
  readonly schema: string
  readonly traces: readonly TraceDocument[]
  readonly operations: readonly OperationDocument[]
  readonly blame: readonly {
    readonly root: Named
    readonly culprit: Named & { phase: string }
    excess_mean_ns: number
    share: number
  }[]
  readonly boundaries: readonly BoundaryDocument[]
  readonly counts: Readonly<Record<string, number>>
}
interface BoundaryDocument {
  readonly caller: { readonly service: string; readonly language: string }
  readonly callee: { readonly service: string; readonly language: string }
  readonly component: string
  readonly body: { readonly calls: number; readonly mean_ns: number } | null
  readonly tail: { readonly calls: number; readonly mean_ns: number } | null
  readonly excess_mean_ns: number | null
}
interface TraceDocument {
  readonly trace_id: string
  readonly complete: boolean
  readonly root: (Named & { readonly span_id: string; readonly duration_ns: number }) | null
  readonly critical_path: readonly {
    readonly span_id: string
    readonly start_unix_nano: string
    readonly end_unix_nano: string
  }[]
  readonly blame: readonly (Named & {
    readonly span_id: string
    readonly phase: string
    readonly ns: number
    readonly grade: string | null
  })[]
  readonly spans: readonly {
    readonly span_id: string
    readonly service: string
    readonly name: string
    readonly duration_ns: number
    readonly phases: Phases
    readonly in_process_children_ns: number
  }[]
  readonly requests: readonly (Named & {
    readonly span_id: string
    readonly class: string
    readonly outcome: string
    readonly duration_ns: number
    readonly lead_wait_ns: number
    readonly band: string | null
    readonly phases: Phases
    readonly grades: Readonly<Record<string, Phases>>
    readonly patterns: Phases
  })[]
}
interface OperationDocument extends Named {
  readonly class: string
  readonly requests: number
  readonly weight: number
  readonly quantiles_ns: Readonly<Record<string, number | null>>
  readonly body: { readonly phases_mean_ns: Phases } | null
  readonly tail: { readonly phases_mean_ns: Phases } | null
  readonly excess_mean_ns: Phases | null
  readonly dominant: string | null
  readonly attributed_share: number | null
  readonly patterns: readonly { readonly pattern: string; readonly excess_mean_ns: number }[]
  readonly unattributed_tail_share: number | null
  readonly advice: readonly { readonly advice: string; readonly title: string; readonly text: string; share: number }[]
}

const PROBLEMS_MAX = 20
const keys = {
  document: ['schema', 'traces', 'operations', 'blame', 'boundaries', 'counts'],
  trace: ['trace_id', 'complete', 'root', 'critical_path', 'blame', 'spans', 'requests'],
  section: ['span_id', 'start_unix_nano', 'end_unix_nano'],
  blame: ['span_id', 'service', 'operation', 'phase', 'ns', 'grade'],
  span: ['span_id', 'service', 'name', 'duration_ns', 'phases', 'in_process_children_ns'],
  request: [
    'span_id',
    'service',
    'operation',
    'class',
    'outcome',
    'duration_ns',
    'lead_wait_ns',
    'band',
    'phases',
    'grades',
    'patterns'
  ],
  operation: [
    'service',
    'operation',
    'class',
    'requests',
    'weight',
    'quantiles_ns',
    'body',
    'tail',
    'excess_mean_ns',
    'dominant',
    'attributed_share',
    'patterns',
    'unattributed_tail_share',
    'advice'
  ],
  boundary: ['caller', 'callee', 'component', 'body', 'tail', 'excess_mean_ns'],
  counts: ['spans', 'duplicates', 'late', 'invalid', 'incomplete_traces', 'evidence_conflicts']
} as const

/** Where a document of `analyze --json` departs from the contract of architecture.md, section 3. */
export function contractProblems(analysis: Analysis): string[] {
  const problems: string[] = []
  const check = (holds: boolean, what: string): void => {
    if (!holds && problems.length < PROBLEMS_MAX) problems.push(what)
  }
  const shaped = (value: object, kind: keyof typeof keys): void => {
    check(
      JSON.stringify(Object.keys(value)) === JSON.stringify(keys[kind]),
      `keys of ${kind}: ${Object.keys(value).join(' ')}`
    )
  }
  shaped(analysis, 'document')
  check(analysis.schema === 'tailspan.analyze/1', 'schema')
  shaped(analysis.counts, 'counts')
  for (const trace of analysis.traces) {
    shaped(trace, 'trace')
    checkTrace(trace, check)
    for (const section of trace.critical_path) shaped(section, 'section')
    for (const entry of trace.blame) shaped(entry, 'blame')
    for (const span of trace.spans) shaped(span, 'span')
    for (const request of trace.requests) shaped(request, 'request')
  }
  for (const operation of analysis.operations) {
    shaped(operation, 'operation')
    checkOperation(operation, check)
  }
  for (const boundary of analysis.boundaries) {
    shaped(boundary, 'boundary')
    const { body, tail, excess_mean_ns: excess } = boundary
    const expected = body === null || tail === null ? null : tail.mean_ns - body.mean_ns
    check(excess === expected, `excess of a boundary: ${excess} and not ${expected}`)
  }
  return problems
}

type Check = (holds: boolean, what: string) => void

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
const allPhases = (given: Phases): boolean => JSON.stringify(Object.keys(given)) === JSON.stringify(phases)

function checkTrace(trace: TraceDocument, check: Check): void {
  const { trace_id: id, root } = trace
  check(/^[0-9a-f]{32}$/.test(id), `trace id ${id}`)
  const path = trace.critical_path.map(
    (section) => [BigInt(section.start_unix_nano), BigInt(section.end_unix_nano)] as const
  )
  const pathNs = path.reduce((sum, [start, end]) => sum + end - start, 0n)
  // A trace of nothing but waiting has no request, and so no root.
  const rootNs = root?.duration_ns ?? 0
  check((root === null) === (trace.requests.length === 0), `${id}: a root without requests, or the other way round`)
  check(pathNs === BigInt(rootNs), `${id}: the path is ${pathNs}, the root ${rootNs}`)
  check(
    path.every(([start], i) => i === 0 || start >= (path[i - 1]?.[0] ?? 0n)),
    `${id}: the path is not in order of time`
  )
  check(total(trace.blame.map(({ ns }) => ns)) === rootNs, `${id}: blame does not add up`)
  for (const { span_id: span, phases: times, in_process_children_ns: children, duration_ns: duration } of trace.spans) {
    check(/^[0-9a-f]{16}$/.test(span), `span id ${span}`)
    check(allPhases(times), `${id} ${span}: phases of a span`)
    check(total(Object.values(times)) + children === duration, `${id} ${span}: own time does not add up`)
  }
  for (const request of trace.requests) checkRequest(id, request, check)
}

function checkRequest(id: string, request: TraceDocument['requests'][number], check: Check): void {
  const where = `${id} ${request.span_id}`
  check((classes as readonly string[]).includes(request.class), `${where}: class ${request.class}`)
  check((outcomes as readonly string[]).includes(request.outcome), `${where}: outcome ${request.outcome}`)
  check(
    request.band === null || (bands.slice(0, 4) as readonly string[]).includes(request.band),
    `${where}: band ${request.band}`
  )
  check(allPhases(request.phases), `${where}: phases of a request`)
  check(total(Object.values(request.phases)) === request.duration_ns, `${where}: phases do not add up`)
  const graded = Object.entries(request.phases).filter(([phase, ns]) => phase !== 'unattributed' && ns > 0)
  check(
    JSON.stringify(Object.keys(request.grades)) === JSON.stringify(graded.map(([phase]) => phase)),
    `${where}: grades of other phases than those above 0`
  )
  for (const [phase, ns] of graded) {
    const byGrade = request.grades[phase] ?? {}
    check(JSON.stringify(Object.keys(byGrade)) === JSON.stringify(grades), `${where}: grades of ${phase}`)
    check(total(Object.values(byGrade)) === ns, `${where}: grades of ${phase} do not add up`)
  }
}

function checkOperation(operation: OperationDocument, check: Check): void {
  const where = `${operation.service} ${operation.operation}`
  const { excess_mean_ns: excess, quantiles_ns: quantiles } = operation
  check(JSON.stringify(Object.keys(quantiles)) === '["p50","p95","p99","p999"]', `${where}: quantiles`)
  if (operation.requests < 200) {
    check(quantiles['p99'] === null && operation.tail === null, `${where}: a tail of under 200 requests`)
    check(excess === null && operation.dominant === null, `${where}: an excess of under 200 requests`)
  }
  if (excess === null || operation.body === null || operation.tail === null) return
  for (const phase of phases) {
    const difference = (operation.tail.phases_mean_ns[phase] ?? NaN) - (operation.body.phases_mean_ns[phase] ?? NaN)
    check(Math.abs(difference - (excess[phase] ?? NaN)) < 1e-3, `${where}: excess of ${phase}`)
  }
  const positive = total(Object.values(excess).map((ns) => Math.max(0, ns)))
  const share = positive === 0 ? null : 1 - Math.max(0, excess['unattributed'] ?? 0) / positive
  check(
    operation.attributed_share === share || Math.abs((operation.attributed_share ?? NaN) - (share ?? NaN)) < 1e-9,
    `${where}: share`
  )
}
