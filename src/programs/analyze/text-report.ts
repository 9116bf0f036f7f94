import { type BlameSummary, type Explainer, type OperationSummary, type TailSummary } from '../../explain/index.ts'
import { GRADES, PHASE_SLOTS, Phase, grades, phases, type GradeName, type PhaseName } from '../../model/phases.ts'
import { type PatternName } from '../../model/patterns.ts'
import { BANDS, Band, OUTCOMES, Sampling, samplings } from '../../model/requests.ts'
import { exactToNumber } from '../../runtime/exact-sums.ts'
import { type Strings } from '../../runtime/strings.ts'
import { type Counts } from './json-report.ts'
import { count, duration, percent, printable, several, table, wrapped } from './words.ts'

export interface TextReport {
  readonly files: number
  readonly traces: number
  readonly counts: Counts
  readonly summary: TailSummary
  readonly tables: Explainer['tables']
  readonly strings: Strings
}

/** Operations listed, and told of in words. */
const LISTED_MAX = 30
const TOLD_MAX = 5
const BOUNDARIES_MAX = 10
/** Below this much of the excess a phase is not worth a line. */
const SHARE_MIN = 0.005
/** Below this much of it a pattern is not worth a sentence. */
const PATTERN_SHARE_MIN = 0.05
/** Above this the reader must know that something is missing. */
const UNATTRIBUTED_MAX = 0.3
const REQUESTS_MIN = 200

interface Tail {
  readonly operation: OperationSummary
  /** Mean ns that a request of the tail takes more than one of the body. */
  readonly excessNs: number
  /** Phases with excess, the largest first, with their part of all that is positive. */
  readonly parts: readonly { readonly phase: PhaseName; readonly ns: number; readonly share: number }[]
  readonly requests: number
  readonly gradeOf: (phase: PhaseName) => GradeName | undefined
}

/** The answer for people: plain text of 100 columns that can be pasted anywhere. */
export function textReport(report: TextReport): string {
  const { operations } = report.summary
  const tails = operations.flatMap((operation) => tailOf(operation, report) ?? [])
  tails.sort((a, b) => b.excessNs - a.excessNs)
  const lines = [...heading(report), '', ...overview(operations, tails)]
  const told = tails.filter(({ excessNs }) => excessNs > 0).slice(0, TOLD_MAX)
  for (const [i, tail] of told.entries()) lines.push('', ...verdict(`${i + 1}. `, tail, report))
  lines.push(...boundaries(report.summary.boundaries))
  const warnings = [...warningsOf(report, tails)]
  if (warnings.length > 0) lines.push('', ...warnings.flatMap((text) => wrapped(`Note: ${text}`, '', '      ')))
  return `${lines.join('\n')}\n`
}

function heading({ files, traces, counts }: TextReport): string[] {
  const { spans, duplicates, late, invalid, incomplete_traces: incomplete } = counts
  const flaws = [
    duplicates > 0 ? `${count(duplicates)} duplicate` : '',
    late > 0 ? `${count(late)} late` : '',
    invalid > 0 ? `${count(invalid)} invalid and left out` : ''
  ].filter((text) => text !== '')
  const holes = incomplete > 0 ? ` (${count(incomplete)} incomplete)` : ''
  const text =
    `Tailspan: ${several(files, 'file')}, ${several(spans, 'span')}` +
    `${flaws.length > 0 ? ` (${flaws.join(', ')})` : ''}, ${several(traces, 'trace')}${holes}`
  return wrapped(text, '')
}

/** Undefined for an operation without a tail: too few requests, or none that is banded. */
function tailOf(operation: OperationSummary, report: TextReport): Tail | undefined {
  const { excess_mean_ns: excess } = operation
  if (excess === null) return undefined
  const row = rowOf(operation.service, operation.operation, report)
  if (row < 0) return undefined
  const { requests } = report.tables.operations
  let tailRequests = 0
  for (let outcome = 0; outcome < OUTCOMES; outcome++) {
    tailRequests += requests[(row * BANDS + Band.gtP99) * OUTCOMES + outcome] as number
  }
  const positive = phases.reduce((sum, phase) => sum + Math.max(0, excess[phase]), 0)
  const parts = phases
    .map((phase) => ({ phase, ns: excess[phase], share: positive === 0 ? 0 : Math.max(0, excess[phase]) / positive }))
    .sort((a, b) => b.ns - a.ns)
  return {
    operation,
    excessNs: phases.reduce((sum, phase) => sum + excess[phase], 0),
    parts,
    requests: tailRequests,
    gradeOf: (phase) => gradeOf(row, phase, report)
  }
}

function rowOf(service: string, operation: string, { tables, strings }: TextReport): number {
  const { rows, live, service: services, operation: operations } = tables.operations
  for (let row = 1; row < rows; row++) {
    if (live[row] === 0 || strings.text(services[row] as number) !== service) continue
    if (strings.text(operations[row] as number) === operation) return row
  }
  return -1
}

/** How most of a phase's time in the tail is known. */
function gradeOf(row: number, phase: PhaseName, { tables }: TextReport): GradeName | undefined {
  const index = phases.indexOf(phase)
  if (index === Phase.unattributed) return undefined
  const times = grades.map((_, grade) =>
    exactToNumber(tables.operations.evidenceNs, row * PHASE_SLOTS + index * GRADES + grade)
  )
  const most = Math.max(...times)
  return most > 0 ? grades[times.indexOf(most)] : undefined
}

function overview(operations: readonly OperationSummary[], tails: readonly Tail[]): string[] {
  if (operations.length === 0) return ['No requests: the files hold no span that is an entry into a service.']
  const withTail = new Set(tails.map(({ operation }) => operation))
  const others = operations.filter((operation) => !withTail.has(operation)).sort((a, b) => b.requests - a.requests)
  const rows = [
    ...tails.map(({ operation, excessNs, parts }) => [
      ...namesAndQuantiles(operation),
      `${excessNs >= 0 ? '+' : ''}${duration(excessNs)}`,
      madeOf(parts)
    ]),
    ...others.map((operation) => [...namesAndQuantiles(operation), '-', whyNoTail(operation)])
  ]
  const head = ['SERVICE  OPERATION', 'REQUESTS', 'P50', 'P99', 'TAIL', 'MADE OF']
  const lines = table([head, ...rows.slice(0, LISTED_MAX)], ['left', 'right', 'right', 'right', 'right', 'left'])
  if (rows.length > LISTED_MAX) lines.push(`... and ${several(rows.length - LISTED_MAX, 'more operation')}`)
  return [...lines, 'TAIL: what the requests above p99 take more, on average, than those up to p50.']
}

function namesAndQuantiles({ service, operation, requests, quantiles_ns: quantiles }: OperationSummary): string[] {
  const known = (ns: number | null): string => (ns === null ? '-' : duration(ns))
  return [`${printable(service)}  ${printable(operation)}`, count(requests), known(quantiles.p50), known(quantiles.p99)]
}

function madeOf(parts: Tail['parts']): string {
  const main = parts.filter(({ share }) => share >= 0.1).slice(0, 2)
  return main.map(({ phase, share }) => `${phase} ${percent(share)}`).join(', ')
}

function whyNoTail({ class: kind, requests }: OperationSummary): string {
  if (kind !== 'request' && kind !== 'message') return kind
  return requests < REQUESTS_MIN ? `under ${REQUESTS_MIN} requests` : 'no tail'
}

/** The verdict in words, and the phases behind it. */
function verdict(number: string, tail: Tail, report: TextReport): string[] {
  const { operation, excessNs, parts, requests, gradeOf } = tail
  const share = percent(requests / operation.weight)
  const name = `${printable(operation.service)} ${printable(operation.operation)}`
  const who = `the slowest ${share} (${count(requests)} of ${several(operation.weight, 'request')}) take`
  const indent = ' '.repeat(number.length)
  const lines = wrapped(
    `${number}${name}: ${who} ${duration(excessNs)} more than the body; ${cause(tail, report)}.`,
    '',
    indent
  )
  const { body, tail: slow } = operation
  if (body === null || slow === null) return lines
  const rows = parts
    .filter(({ ns, share: part }) => part >= SHARE_MIN || -ns > SHARE_MIN * excessNs)
    .map(({ phase, ns, share: part }) => [
      `${indent}${phase}`,
      duration(body.phases_mean_ns[phase]),
      duration(slow.phases_mean_ns[phase]),
      `${ns >= 0 ? '+' : ''}${duration(ns)}`,
      part > 0 ? percent(part) : '-',
      gradeOf(phase) ?? '-'
    ])
  const head = [`${indent}phase`, 'body', 'tail', 'more', 'share', 'evidence']
  const attributed = operation.attributed_share
  const footer = attributed === null ? [] : [`${indent}${percent(attributed)} of the excess is explained.`]
  const advice = operation.advice.flatMap(({ title, text }) => wrapped(`${indent}${title}: ${text}`, '', indent))
  return [
    ...lines,
    ...table([head, ...rows], ['left', 'right', 'right', 'right', 'right', 'left']),
    ...footer,
    ...patternsOf(tail).flatMap((text) => wrapped(text, indent)),
    ...advice
  ]
}

const patternWords: Readonly<Record<PatternName, readonly [did: string, took: string]>> = {
  retry: ['retried', 'the retries'],
  hedge: ['hedged a call', 'waiting before the hedges'],
  straggler: ['waited for a straggler among calls made at once', 'the stragglers']
}

/** How slow requests came to take so long, where calls made again or at once tell. Other time may have become less, so at most all of it. */
function patternsOf({ operation, excessNs }: Tail): string[] {
  return operation.patterns
    .filter(({ excess_mean_ns: ns }) => ns > 0 && ns >= PATTERN_SHARE_MIN * excessNs)
    .sort((a, b) => b.excess_mean_ns - a.excess_mean_ns)
    .map(({ pattern, tail, excess_mean_ns: ns }) => {
      const [did, took] = patternWords[pattern]
      return `${percent(tail.requests_share)} of the slow requests ${did}; ${took} took ${duration(Math.min(ns, excessNs))} of the ${duration(excessNs)}.`
    })
}

/** Wherever in the trace it was spent, if this operation is a root; else the phase of its own. */
function cause(tail: Tail, report: TextReport): string {
  const { service, operation } = tail.operation
  const culprit = largestBlame(report.summary.blame, service, operation)
  const largest = tail.parts[0]
  if (culprit !== undefined) {
    const { culprit: of, share } = culprit
    const row = rowOf(of.service, of.operation, report)
    const grade = row < 0 ? undefined : gradeOf(row, of.phase, report)
    const where =
      of.service === service && of.operation === operation
        ? 'itself'
        : `${printable(of.service)} ${printable(of.operation)}`
    return `${percent(share)} of that is ${of.phase} in ${where}${grade === undefined ? '' : ` (${grade})`}`
  }
  if (largest === undefined || largest.share === 0) return 'nothing says why'
  const grade = tail.gradeOf(largest.phase)
  return `${percent(largest.share)} of that is ${largest.phase}${grade === undefined ? '' : ` (${grade})`}`
}

function largestBlame(blame: readonly BlameSummary[], service: string, operation: string): BlameSummary | undefined {
  const own = blame.filter(({ root, share }) => root.service === service && root.operation === operation && share > 0)
  return own.reduce<BlameSummary | undefined>(
    (most, one) => (most === undefined || one.share > most.share ? one : most),
    undefined
  )
}

/** Calls between services and languages that take more in the tail. */
function boundaries(all: TailSummary['boundaries']): string[] {
  const rows = all
    .filter(({ excess_mean_ns: excess, body }) => (excess ?? 0) > 0.1 * (body?.mean_ns ?? 0))
    .slice(0, BOUNDARIES_MAX)
    .map(({ caller, callee, component, body, tail, excess_mean_ns: excess }) => [
      `${printable(caller.service)} (${caller.language}) > ${printable(callee.service)} (${callee.language})`,
      component,
      duration(body?.mean_ns ?? 0),
      duration(tail?.mean_ns ?? 0),
      `+${duration(excess ?? 0)}`
    ])
  if (rows.length === 0) return []
  const head = ['CALLER > CALLEE', 'COSTS', 'BODY', 'TAIL', 'MORE']
  return [
    '',
    ...table([head, ...rows], ['left', 'left', 'right', 'right', 'right']),
    'What a call takes beside the work itself, in the requests of who waits for it.'
  ]
}

function* warningsOf({ summary, tables, strings }: TextReport, tails: readonly Tail[]): Generator<string> {
  const few = summary.operations.filter((operation) => operation.requests < REQUESTS_MIN)
  if (few.length > 0) {
    yield `${several(few.length, 'operation')} with fewer than ${REQUESTS_MIN} requests: too few to say what is slow there.`
  }
  for (const sampling of [Sampling.unknown, Sampling.tail]) {
    const services = tables.samplings().filter((entry) => entry.sampling === sampling)
    const names = services.map(({ service }) => printable(strings.text(service))).sort()
    if (names.length === 0) continue
    const whom = names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ')
    yield sampling === Sampling.unknown
      ? `how the traces of ${whom} were sampled is ${samplings[sampling]}: shares hold for these traces, and for all requests only if nothing was left out.`
      : `the traces of ${whom} were chosen by a tail sampler: how slow they are says nothing of all requests, so they have no bands.`
  }
  for (const { operation } of tails) {
    if (operation.attributed_share === null || operation.attributed_share >= 1 - UNATTRIBUTED_MAX) continue
    const { service, operation: name } = operation
    yield `${percent(1 - operation.attributed_share)} of the excess of ${printable(service)} ${printable(name)} is unattributed: nothing in its spans proves what it was.`
  }
}
