import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type SettingsFile } from '../test/builders/live-service.ts'
import { digits, type Figure, figureTable, markdownTable, mib } from './table.ts'
import { type LoadPlan, measureTogether } from './under-load.ts'

const BOUND_RATIO = 1.35
const RUNS = 5
const WARM_UP_SPANS = 400_000
const RUN_SPANS = 600_000

interface Ports {
  readonly http: number
  readonly grpc: number
}

interface Variant {
  readonly name: string
  readonly destination: (ports: Ports) => object | undefined
  readonly enrich?: readonly string[]
  readonly bound?: true
}

const overHttp = ({ http }: Ports): object => ({ endpoint: `http://127.0.0.1:${http}` })
const variants: readonly Variant[] = [
  { name: 'nothing forwarded', destination: () => undefined },
  { name: 'everything, enriched, HTTP', destination: overHttp, bound: true },
  { name: 'everything as it came, HTTP', destination: overHttp, enrich: [] },
  {
    name: 'everything, enriched, gRPC',
    destination: ({ grpc }) => ({ endpoint: `http://127.0.0.1:${grpc}`, protocol: 'grpc' })
  },
  { name: 'everything, enriched, HTTP, gzip', destination: (ports) => ({ ...overHttp(ports), compression: 'gzip' }) },
  { name: 'the tail, HTTP', destination: (ports) => ({ ...overHttp(ports), send: 'tail' }) }
]

/** What passing spans on costs, beside the same load without. All variants take turns. */
export async function forward(): Promise<string> {
  const sink = spawn(process.execPath, [fileURLToPath(new URL('forward-sink.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  try {
    const [line] = (await once(sink.stdout, 'data')) as [Buffer]
    const ports = JSON.parse(line.toString()) as Ports
    const reports = await measureTogether(variants.map((variant) => planOf(variant, ports)))
    const base = reports[0]?.cpuSecondsPerMillion ?? NaN
    const figures: Figure[] = variants.flatMap((variant, i) => {
      const ratio = (reports[i]?.cpuSecondsPerMillion ?? NaN) / base
      if (variant.bound !== true) return []
      const name = `${variant.name}: CPU per span, of that without`
      return [{ name, measured: digits(ratio), bound: `≤ ${BOUND_RATIO}`, met: ratio <= BOUND_RATIO }]
    })
    const rows = variants.map(({ name }, i) => [
      name,
      digits(reports[i]?.cpuSecondsPerMillion ?? NaN),
      digits((reports[i]?.cpuSecondsPerMillion ?? NaN) / base),
      mib(reports[i]?.residentPeakBytes ?? NaN)
    ])
    const head = ['forwarded', 'CPU s per million spans', 'of that without', 'RSS peak']
    return `${figureTable(figures)}\n\nEvery span was delivered, by the service’s own count.\n\n${markdownTable(head, rows)}`
  } finally {
    sink.kill()
  }
}

function planOf({ destination: destinationAt, enrich }: Variant, ports: Ports): LoadPlan {
  const destination = destinationAt(ports)
  const settings: SettingsFile =
    destination === undefined
      ? {}
      : {
          forward: {
            // Everything closes at once here: what is compressed waits longer than it would.
            destinations: [{ name: 'sink', queue_bytes_max: '1GiB', ...destination }],
            batch_delay: '200ms',
            ...(enrich !== undefined && { enrich })
          }
        }
  return {
    transport: 'http',
    format: 'protobuf',
    gzip: false,
    operations: 200,
    warmUpSpans: WARM_UP_SPANS,
    runSpans: RUN_SPANS,
    runs: RUNS,
    settings
  }
}
