import { type Decomposition } from '../model/decomposition.ts'
import { QUANTILES } from '../model/requests.ts'
import { type TraceColumns, type Wants } from '../model/spans.ts'
import { markTrace } from '../model/trace-copy.ts'
import { type Marks } from '../runtime/stage.ts'
import { type TailTables } from '../model/tail.ts'
import { type ExposeSources } from './sources.ts'
import { claimsOnSpan } from './trace-claims.ts'
import { type Names, traceText } from './trace-document.ts'
import { otlpText } from './trace-otlp.ts'
import { type UsualOf, waterfallText } from './trace-waterfall.ts'

export interface KeptTraceTools {
  readonly tables: TailTables
  /** Judges a kept trace anew, with what is known now, in slices; one at a time. */
  readonly decompose: (
    trace: TraceColumns,
    options: { readonly contextRows: number; readonly detail: true; readonly explain?: true },
    slice: number
  ) => Generator<undefined, Decomposition>
  readonly bandsOf: (decomposition: Decomposition) => Uint8Array
  readonly wants: () => Wants
}

/** Spans looked at in one go. */
const SPANS_A_SLICE = 2_000
const P50 = 0
const P99 = 2

export interface KeptTraceSources extends Pick<ExposeSources, 'trace' | 'otlp' | 'waterfall' | 'claims' | 'versionOf'> {
  /** Names that an answer under way still needs. */
  readonly mark: (marks: Marks) => void
}

/** Everything that is said of one kept trace. Each answer decomposes it anew; none may begin before the last one has ended. */
export function keptTraceSources(
  { tables, decompose, bandsOf, wants }: KeptTraceTools,
  names: Names
): KeptTraceSources {
  /** What is told of now: its names are needed even if it is not kept any more. */
  let toldOf: TraceColumns | undefined

  /** Pauses now and then; undefined when the trace is not kept. */
  function* decomposed(
    traceId: string,
    explain: { readonly explain?: true } = {}
  ): Generator<string, Decomposition | undefined> {
    const trace = (toldOf = tables.retained(traceId))
    if (trace === undefined) return undefined
    const slices = decompose(trace, { contextRows: 0, detail: true, ...explain }, SPANS_A_SLICE)
    for (;;) {
      const { done, value } = slices.next()
      if (done === true) return value
      yield ''
    }
  }

  /** What `text` says of a kept trace. */
  function* told(traceId: string, text: (result: Decomposition) => Iterable<string>): Generator<string, boolean> {
    const result = yield* decomposed(traceId)
    if (result === undefined) return false
    yield* text(result)
    return true
  }

  return {
    trace: (traceId) => told(traceId, (result) => traceText(result, bandsOf(result), names)),
    *otlp(traceId) {
      const trace = (toldOf = tables.retained(traceId))
      if (trace === undefined) return false
      yield* otlpText(trace, wants(), names)
      return true
    },
    waterfall: (traceId, spansMax) =>
      told(traceId, (result) =>
        waterfallText(result, { bandOf: bandsOf(result), usualOf: usualOf(tables), spansMax }, names)
      ),
    *claims(traceId, spanId) {
      const result = yield* decomposed(traceId, { explain: true })
      const found = result === undefined ? undefined : claimsOnSpan(result, spanId, names.strings)
      if (found === undefined) return false
      yield JSON.stringify(found)
      return true
    },
    mark(marks) {
      if (toldOf !== undefined) markTrace(toldOf, marks)
    },
    versionOf(traceId, service) {
      const trace = tables.retained(traceId)
      return trace === undefined ? undefined : versionOf(trace, service, names)
    }
  }
}

function usualOf({ operations }: TailTables): UsualOf {
  const rowOf = new Map<string, number>()
  for (let row = 0; row < operations.rows; row++) {
    if (operations.live[row] === 1) rowOf.set(`${operations.service[row] ?? 0} ${operations.operation[row] ?? 0}`, row)
  }
  return (service, operation) => {
    const row = rowOf.get(`${service} ${operation}`)
    if (row === undefined) return undefined
    const threshold = (quantile: number): number => operations.thresholdNs[row * QUANTILES + quantile] as number
    return { p50: threshold(P50), p99: threshold(P99) }
  }
}

function versionOf(trace: TraceColumns, service: string, { strings, resources }: Names): string | undefined {
  for (let row = 0; row < trace.n; row++) {
    const sender = trace.resource[row] as number
    const version = resources.version[sender] as number
    if (version !== 0 && strings.text(resources.service[sender] as number) === service) return strings.text(version)
  }
  return undefined
}
