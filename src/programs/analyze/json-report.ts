import { type TailSummary } from '../../explain/index.ts'
import { type TextOutput } from './text-output.ts'

/** What became of the spans in the files. */
export interface Counts {
  /** Accepted, duplicates included. */
  spans: number
  duplicates: number
  late: number
  /** Refused, each for a reason of its own. */
  invalid: number
  incomplete_traces: number
  evidence_conflicts: number
}

export interface JsonReport {
  readonly trace: (document: object) => void
  readonly end: (summary: TailSummary, counts: Counts) => void
}

/** Above this many spans a trace is written piece by piece: one string could not hold it. */
const WHOLE_ENTRIES_MAX = 10_000

/** The document of `analyze --json`, written while the traces come. */
export function createJsonReport(output: TextOutput): JsonReport {
  let traces = 0
  output.write('{"schema":"tailspan.analyze/1","traces":[')

  function list(name: string, entries: readonly unknown[]): void {
    output.write(`${JSON.stringify(name)}:[`)
    for (const [i, entry] of entries.entries()) output.write((i === 0 ? '\n' : ',\n') + JSON.stringify(entry))
    output.write(']')
  }

  function piecewise(document: object): void {
    output.write('{')
    for (const [i, [key, value]] of Object.entries(document).entries()) {
      if (i > 0) output.write(',')
      if (Array.isArray(value)) list(key, value)
      else output.write(`${JSON.stringify(key)}:${JSON.stringify(value)}`)
    }
    output.write('}')
  }

  return {
    trace(document) {
      output.write(traces === 0 ? '\n' : ',\n')
      traces += 1
      const large = Object.values(document).some((part) => Array.isArray(part) && part.length > WHOLE_ENTRIES_MAX)
      if (large) piecewise(document)
      else output.write(JSON.stringify(document))
    },
    end({ operations, blame, boundaries }, counts) {
      output.write('],\n')
      list('operations', operations)
      output.write(',\n')
      list('blame', blame)
      output.write(',\n')
      list('boundaries', boundaries)
      output.write(`,\n"counts":${JSON.stringify(counts)}}\n`)
      output.flush()
    }
  }
}
