import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type SettingsFile } from '../test/builders/live-service.ts'
import { digits, type Figure, figureTable, markdownTable, mib } from './table.ts'
import { type LoadPlan, type LoadReport, measureTogether } from './under-load.ts'

const BOUND_RATIO = 1.35
const RUNS = 3
/** Of what has a bound. */
const BOUND_RUNS = 9
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
const nothing: Variant = { name: 'nothing forwarded', destination: () => undefined }
const variants: readonly Variant[] = [
  { name: 'everything, enriched, HTTP', destination: overHttp, bound: true },
  { name: 'everything as it came, HTTP', destination: overHttp, enrich: [] },
  {
    name: 'everything, enriched, gRPC',
    destination: ({ grpc }) => ({ endpoint: `http://127.0.0.1:${grpc}`, protocol: 'grpc' })
  },
  { name: 'everything, enriched, HTTP, gzip', destination: (ports) => ({ ...overHttp(ports), compression: 'gzip' }) },
  { name: 'the tail, HTTP', destination: (ports) => ({ ...overHttp(ports), send: 'tail' }) }
]

/**
 * What passing spans on costs, beside the same load without. Each takes turns with a service that forwards nothing and with no
 * other (D132).
 */
export async function forward(): Promise<string> {
  const sink = spawn(process.execPath, [fileURLToPath(new URL('forward-sink.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  try {
    const [line] = (await once(sink.stdout, 'data')) as [Buffer]
    const ports = JSON.parse(line.toString()) as Ports
    const figures: Figure[] = []
    const rows: string[][] = []
    for (const variant of variants) {
      const runs = variant.bound === true ? BOUND_RUNS : RUNS
      const reports = await measureTogether([nothing, variant].map((one) => ({ ...planOf(one, ports), runs })))
      const [without, forwarding] = reports as [LoadReport, LoadReport]
      const ratio = forwarding.cpuSecondsPerMillion / without.cpuSecondsPerMillion
      if (variant.bound === true) {
        const name = `${variant.name}: CPU per span, of that without`
        figures.push({ name, measured: digits(ratio), bound: `≤ ${BOUND_RATIO}`, met: ratio <= BOUND_RATIO })
      }
      rows.push([
        variant.name,
        digits(forwarding.cpuSecondsPerMillion),
        digits(without.cpuSecondsPerMillion),
        digits(ratio),
        mib(forwarding.residentPeakBytes)
      ])
    }
    const head = ['forwarded', 'CPU s per million spans', 'nothing forwarded', 'of that without', 'RSS peak']
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
