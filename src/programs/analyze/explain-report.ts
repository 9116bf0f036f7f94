import { claimDocument, spanIdHex, traceIdHex } from '../../expose/index.ts'
import { type Decomposition, type ExplainedClaim } from '../../model/decomposition.ts'
import { GRADES, grades, Phase, PHASE_SLOTS, phases } from '../../model/phases.ts'
import { type Strings } from '../../runtime/strings.ts'
import { duration, printable, several, table, wrapped } from './words.ts'

/** `--explain --json`: every claim on the spans of each request of one trace. */
export function explainDocument(decomposition: Decomposition, strings: Strings): object {
  const { trace, requests } = decomposition
  return {
    schema: 'tailspan.explain/1',
    trace_id: traceIdHex(trace.traceId, 0),
    requests: Array.from({ length: requests.n }, (_, request) => ({
      span_id: spanIdHex(trace.spanId, requests.span[request] as number),
      service: strings.text(requests.service[request] as number),
      operation: strings.text(requests.operation[request] as number),
      duration_ns: requests.durationNs[request],
      lead_wait_ns: requests.leadNs[request],
      claims: claimsOf(decomposition, request).map((claim) => claimDocument(decomposition, claim, strings))
    }))
  }
}

/** The same for people. */
export function explainText(decomposition: Decomposition, strings: Strings): string {
  const { trace, requests } = decomposition
  const lines = [
    `Trace ${traceIdHex(trace.traceId, 0)}: ${several(trace.n, 'span')}, ${several(requests.n, 'request')}`
  ]
  for (let request = 0; request < requests.n; request++) {
    lines.push('', ...heading(decomposition, request, strings), ...claimTable(decomposition, request, strings))
  }
  lines.push('', ...wrapped(LEGEND, ''))
  return `${lines.join('\n')}\n`
}

const LEGEND =
  'Besides the evidence sources: peer_span and call_span are the tree itself, call_gap what a call took beyond its answer, body what ' +
  'the operation usually needs, nothing what is left.'

const claimsOf = ({ claims }: Decomposition, request: number): ExplainedClaim[] =>
  (claims ?? []).filter((claim) => claim.request === request)

function heading({ trace, requests }: Decomposition, request: number, strings: Strings): string[] {
  const parts: string[] = []
  for (let slot = 0; slot < PHASE_SLOTS; slot++) {
    const ns = requests.phaseNs[request * PHASE_SLOTS + slot] as number
    const phase = Math.floor(slot / GRADES)
    const grade = phase === Phase.unattributed ? '' : ` (${grades[slot % GRADES] ?? ''})`
    if (ns > 0) parts.push(`${phases[phase] ?? ''} ${duration(ns)}${grade}`)
  }
  const lead = requests.leadNs[request] as number
  const name = [requests.service, requests.operation].map((ids) => printable(strings.text(ids[request] as number)))
  const span = spanIdHex(trace.spanId, requests.span[request] as number)
  const waited = lead > 0 ? `, after a lead of ${duration(lead)}` : ''
  const text = `${request + 1}. ${name.join(' ')}, span ${span}, ${duration(requests.durationNs[request] as number)}${waited}: ${parts.join(', ')}.`
  return wrapped(text, '', '   ')
}

function claimTable(decomposition: Decomposition, request: number, strings: Strings): string[] {
  const rows = claimsOf(decomposition, request).map(({ span, source, phase, grade, askedNs, bookedNs, note }) => [
    `   ${printable(strings.text(decomposition.trace.name[span] as number))}`,
    source,
    phases[phase] ?? '',
    phase === Phase.unattributed ? '-' : (grades[grade] ?? ''),
    duration(askedNs),
    duration(bookedNs),
    note
  ])
  const head = ['   SPAN', 'SOURCE', 'PHASE', 'GRADE', 'ASKED', 'BOOKED', 'CLIPPED']
  return table([head, ...rows], ['left', 'left', 'left', 'left', 'right', 'right', 'left'])
}
