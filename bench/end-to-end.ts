import { digits, type Figure, figureTable, markdownTable, mib } from './table.ts'
import { type LoadPlan, measureUnderLoad } from './under-load.ts'

interface Variant {
  readonly name: string
  readonly transport: LoadPlan['transport']
  readonly format: LoadPlan['format']
  readonly gzip: boolean
  /** CPU seconds per million spans; undefined = none promised. */
  readonly bound?: number
}

/** The five ways in, with the bounds of architecture section 4. */
export const variants: Readonly<Record<string, Variant>> = {
  http: { name: 'OTLP/HTTP protobuf', transport: 'http', format: 'protobuf', gzip: false, bound: 1.8 },
  'http-gzip': { name: 'OTLP/HTTP protobuf, gzip', transport: 'http', format: 'protobuf', gzip: true, bound: 2.4 },
  'http-json': { name: 'OTLP/HTTP JSON', transport: 'http', format: 'json', gzip: false },
  grpc: { name: 'OTLP/gRPC', transport: 'grpc', format: 'protobuf', gzip: false, bound: 2.4 },
  'grpc-gzip': { name: 'OTLP/gRPC, gzip', transport: 'grpc', format: 'protobuf', gzip: true, bound: 2.4 }
}

const RUNS = 3
/** A service runs for days: what is measured is code that has been compiled, and tables that have grown. */
const WARM_UP_SPANS = 600_000
const RUN_SPANS = 800_000
/** JSON costs several times more: fewer spans keep the part short. */
const RUN_SPANS_JSON = 150_000

export async function endToEnd(variant: Variant): Promise<string> {
  const report = await measureUnderLoad({
    transport: variant.transport,
    format: variant.format,
    gzip: variant.gzip,
    operations: 200,
    warmUpSpans: variant.format === 'json' ? RUN_SPANS_JSON : WARM_UP_SPANS,
    runSpans: variant.format === 'json' ? RUN_SPANS_JSON : RUN_SPANS,
    runs: RUNS
  })
  const { bound } = variant
  const figures: Figure[] = [
    {
      name: `${variant.name}: CPU seconds per million spans`,
      measured: digits(report.cpuSecondsPerMillion),
      bound: bound === undefined ? '' : `≤ ${bound}`,
      met: bound === undefined ? undefined : report.cpuSecondsPerMillion <= bound
    }
  ]
  const details = markdownTable(
    ['spans/s (wall)', 'RSS', 'RSS peak', 'load client CPU s per million', 'refused and sent again'],
    [
      [
        digits(report.spansPerSecond),
        mib(report.residentBytes),
        mib(report.residentPeakBytes),
        digits(report.clientCpuSecondsPerMillion),
        String(report.retries)
      ]
    ]
  )
  return `${figureTable(figures)}\n\nEvery request counted exactly, by operation.\n\n${details}`
}
