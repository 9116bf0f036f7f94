import { type Decomposition } from '../model/decomposition.ts'
import { QUANTILES } from '../model/requests.ts'
import { type TraceColumns, type Wants } from '../model/spans.ts'
import { type TailTables } from '../model/tail.ts'
import { type ExposeSources } from './sources.ts'
import { claimsOnSpan } from './trace-claims.ts'
import { type Names, traceDocument } from './trace-document.ts'
import { otlpDocument } from './trace-otlp.ts'
import { type UsualOf, waterfallDocument } from './trace-waterfall.ts'

export interface KeptTraceTools {
  readonly tables: TailTables
  /** Judges a kept trace anew, with what is known now. */
  readonly decompose: (
    trace: TraceColumns,
    options: { readonly contextRows: number; readonly detail: true; readonly explain?: true }
  ) => Decomposition
  readonly bandsOf: (decomposition: Decomposition) => Uint8Array
  readonly wants: () => Wants
}

const P50 = 0
const P99 = 2

/** Everything that is said of one kept trace. Each answer decomposes it anew, because the next one overwrites the last. */
export function keptTraceSources(
  { tables, decompose, bandsOf, wants }: KeptTraceTools,
  names: Names
): Pick<ExposeSources, 'traceDocument' | 'otlpDocument' | 'waterfall' | 'claims' | 'versionOf'> {
  function decomposed(traceId: string, explain: { readonly explain?: true } = {}): Decomposition | undefined {
    const trace = tables.retained(traceId)
    return trace === undefined ? undefined : decompose(trace, { contextRows: 0, detail: true, ...explain })
  }

  return {
    traceDocument(traceId) {
      const result = decomposed(traceId)
      return result === undefined ? undefined : traceDocument(result, bandsOf(result), names)
    },
    otlpDocument(traceId) {
      const trace = tables.retained(traceId)
      return trace === undefined ? undefined : otlpDocument(trace, wants(), names)
    },
    waterfall(traceId, spansMax) {
      const result = decomposed(traceId)
      if (result === undefined) return undefined
      return waterfallDocument(result, { bandOf: bandsOf(result), usualOf: usualOf(tables), spansMax }, names)
    },
    claims(traceId, spanId) {
      const result = decomposed(traceId, { explain: true })
      return result === undefined ? undefined : claimsOnSpan(result, spanId, names.strings)
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
