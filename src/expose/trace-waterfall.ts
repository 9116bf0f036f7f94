import { type Decomposition } from '../model/decomposition.ts'
import { Phase, PHASE_SLOTS, phases, GRADES, grades } from '../model/phases.ts'
import { Band, bands, outcomes } from '../model/requests.ts'
import { spanIdHex, traceIdHex } from './hex.ts'
import { objectText } from './text-slices.ts'
import { type Names } from './trace-document.ts'
import { unixNano } from './unix-nano.ts'

/** How long requests of an operation usually take, in ns; NaN while unknown. */
export interface Usual {
  readonly p50: number
  readonly p99: number
}
export type UsualOf = (service: number, operation: number) => Usual | undefined

/**
 * A trace to draw: columns instead of objects, names as indexes, the first `spansMax` spans by start. Times are ns after the
 * first start, on the clock of the critical path. Own times come as (span, phase and grade, ns), zeros left out. As text, a column
 * a slice.
 */
export function waterfallText(
  decomposition: Decomposition,
  { bandOf, usualOf, spansMax }: { bandOf: Uint8Array | undefined; usualOf: UsualOf; spansMax: number },
  { strings, resources }: Names
): Generator<string> {
  const { trace, own, complete } = decomposition
  const texts = createTexts()
  const rows = firstRows(own.startNs, trace.n, spansMax)
  const at = new Int32Array(trace.n).fill(-1)
  for (let i = 0; i < rows.length; i++) at[rows[i] as number] = i
  const originNs = rows.length === 0 ? 0 : (own.startNs[rows[0] as number] as number)
  let endNs = originNs
  for (let row = 0; row < trace.n; row++) endNs = Math.max(endNs, own.endNs[row] as number)
  const column = <T>(value: (row: number) => T): T[] => Array.from(rows, (row) => value(row))
  const text = (id: number): number => texts.index(strings.text(id))
  const spanColumns: readonly (readonly [string, (row: number) => unknown])[] = [
    ['id', (row) => spanIdHex(trace.spanId, row)],
    ['parent', (row) => ((own.parent[row] as number) < 0 ? -1 : at[own.parent[row] as number])],
    ['start_ns', (row) => (own.startNs[row] as number) - originNs],
    ['duration_ns', (row) => (own.endNs[row] as number) - (own.startNs[row] as number)],
    ['name', (row) => text(trace.name[row] as number)],
    ['service', (row) => text(resources.service[trace.resource[row] as number] as number)],
    ['version', (row) => text(resources.version[trace.resource[row] as number] as number)],
    ['kind', (row) => trace.kind[row]],
    ['outcome', (row) => outcomes[trace.outcome[row] as number]]
  ]
  const requestRows = (): unknown[] =>
    requestsOf(decomposition, at, bandOf).map(({ request, span, band }) => {
      const { service, operation, durationNs, leadNs } = decomposition.requests
      const usual = usualOf(service[request] as number, operation[request] as number)
      return [
        span,
        text(operation[request] as number),
        durationNs[request],
        leadNs[request],
        band === Band.none ? null : bands[band],
        known(usual?.p50),
        known(usual?.p99)
      ]
    })
  return objectText(
    [
      ['trace_id', () => traceIdHex(trace.traceId, 0)],
      ['complete', () => complete],
      ['start_unix_nano', () => unixNano(trace, originNs)],
      ['duration_ns', () => endNs - originNs],
      ['spans_total', () => trace.n],
      ['root', () => (decomposition.root < 0 ? -1 : at[decomposition.root])],
      ['own', () => ownTimes(decomposition, rows)],
      ['path', () => pathOf(decomposition, at, originNs)],
      [
        'blame',
        () =>
          blameOf(decomposition).map(({ service, operation, phase, grade, ns }) => ({
            service: strings.text(service),
            operation: strings.text(operation),
            phase: phases[phase],
            grade: phase === Phase.unattributed ? null : grades[grade],
            ns
          }))
      ]
    ],
    [
      ['spans', () => objectText(spanColumns.map(([key, value]) => [key, () => column(value)]))],
      ['requests', () => [JSON.stringify(requestRows())]],
      // Last: what comes before decides which there are.
      ['texts', () => [JSON.stringify(texts.all)]]
    ]
  )
}

function createTexts(): { readonly index: (text: string) => number; readonly all: string[] } {
  const known = new Map<string, number>()
  const all: string[] = []
  return {
    index(text) {
      const found = known.get(text)
      if (found !== undefined) return found
      known.set(text, all.length)
      return all.push(text) - 1
    },
    all
  }
}

function firstRows(startNs: Float64Array, n: number, spansMax: number): Uint32Array {
  const rows = Uint32Array.from({ length: n }, (_, row) => row)
  rows.sort((a, b) => (startNs[a] as number) - (startNs[b] as number) || a - b)
  return rows.subarray(0, spansMax)
}

/** Flat triples: index of the span, phase * GRADES + grade, ns. */
function ownTimes({ own }: Decomposition, rows: Uint32Array): number[] {
  const flat: number[] = []
  for (let i = 0; i < rows.length; i++) {
    const first = (rows[i] as number) * PHASE_SLOTS
    for (let slot = 0; slot < PHASE_SLOTS; slot++) {
      const ns = own.phaseNs[first + slot] as number
      if (ns > 0) flat.push(i, slot, ns)
    }
  }
  return flat
}

/** Flat triples: index of the span, start, end. */
function pathOf({ path }: Decomposition, at: Int32Array, originNs: number): number[] {
  const flat: number[] = []
  for (let section = 0; section < path.n; section++) {
    const span = at[path.span[section] as number] as number
    if (span < 0) continue
    flat.push(span, (path.startNs[section] as number) - originNs, (path.endNs[section] as number) - originNs)
  }
  return flat
}

interface BlameSum {
  readonly service: number
  readonly operation: number
  readonly phase: number
  readonly grade: number
  ns: number
}

/** Rows of the same culprit, phase and grade added up, the largest first. */
function blameOf({ blame }: Decomposition): BlameSum[] {
  const sums = new Map<string, BlameSum>()
  for (let row = 0; row < blame.n; row++) {
    const [service, operation] = [blame.service[row] as number, blame.operation[row] as number]
    const slot = (blame.phase[row] as number) * GRADES + (blame.grade[row] as number)
    const key = `${service} ${operation} ${slot}`
    const ns = blame.ns[row] as number
    const sum = sums.get(key)
    if (sum !== undefined) sum.ns += ns
    else {
      sums.set(key, { service, operation, phase: blame.phase[row] as number, grade: blame.grade[row] as number, ns })
    }
  }
  return [...sums.values()].sort((a, b) => b.ns - a.ns)
}

function requestsOf(
  { requests }: Decomposition,
  at: Int32Array,
  bandOf: Uint8Array | undefined
): { request: number; span: number; band: number }[] {
  return Array.from({ length: requests.n }, (_, request) => ({
    request,
    span: at[requests.span[request] as number] as number,
    band: bandOf?.[request] ?? Band.none
  })).filter(({ span }) => span >= 0)
}

const known = (ns: number | undefined): number | null => (ns === undefined || Number.isNaN(ns) ? null : ns)
