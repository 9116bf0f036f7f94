import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digits, type Figure, figureTable, markdownTable, mib } from './table.ts'
import { type LoadPlan, type LoadReport, measureTogether } from './under-load.ts'

const THROUGHPUT_SHARE_MIN = 0.75
const ADDED_P99_MS_MAX = 10
/** As in `workers`: after less, compiling is a part of what is measured. */
const WARM_UP_SPANS = 1_800_000
/** Some six seconds as fast as it goes: in less, much of what closing costs would come after the answers. */
const RUN_SPANS = 2_000_000
const PACED_RUN_SPANS = 1_200_000
/** As of a fleet of exporters: each waits for its answer, and what they wait for is one sync for all. */
const CONNECTIONS = 16

type Mode = 'off' | 'interval' | 'batch'

/** What was measured of a mode, beside `off` in turns with it. */
interface Pair {
  readonly mode: Mode
  readonly halfRate: number
  readonly whole: Both
  readonly half: Both
}

interface Both {
  readonly off: LoadReport
  readonly on: LoadReport
}

/** What it costs to keep every request on disk. Each mode takes turns with `off` and with no other (D133). */
export async function durability(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-bench-'))
  try {
    const batch = await measurePair({ mode: 'batch', runs: 9 }, folder)
    const interval = await measurePair({ mode: 'interval', runs: 3 }, folder)
    const rows = [batch, interval].flatMap(rowsOf)
    const head = [
      'durability',
      'spans/s until counted',
      'CPU s per million spans',
      'paced, spans/s',
      'answered then, p50 / p99',
      'of that until sent',
      'RSS peak'
    ]
    const table = markdownTable(head, rows)
    return `${figureTable(figuresOf(batch))}\n\nThe disk is that of this machine. Each mode beside the \`off\` it took turns with.\n\n${table}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As fast as it goes, and at half the speed of the slower one. */
async function measurePair(
  { mode, runs }: { readonly mode: Mode; readonly runs: number },
  folder: string
): Promise<Pair> {
  const both = async (name: string, more: Partial<LoadPlan>): Promise<Both> => {
    const plans = (['off', mode] as const).map((one) => ({ ...planOf(one, join(folder, name)), runs, ...more }))
    const [off, on] = (await measureTogether(plans)) as [LoadReport, LoadReport]
    return { off, on }
  }
  const whole = await both('whole', {})
  const halfRate = Math.min(whole.off.countedPerSecond, whole.on.countedPerSecond) / 2
  const half = await both('half', { runSpans: PACED_RUN_SPANS, spansPerSecond: halfRate })
  return { mode, halfRate, whole, half }
}

function figuresOf({ mode, whole, half }: Pair): Figure[] {
  const share = whole.on.countedPerSecond / whole.off.countedPerSecond
  const added = half.on.answeredMs.p99 - half.off.answeredMs.p99
  return [
    {
      name: `durability: ${mode}, spans/s until counted, of those without`,
      measured: digits(share),
      bound: `≥ ${THROUGHPUT_SHARE_MIN}`,
      met: share >= THROUGHPUT_SHARE_MIN
    },
    {
      name: `durability: ${mode}, answered at half load, p99, beyond that without`,
      measured: `${digits(added)} ms`,
      bound: `≤ ${ADDED_P99_MS_MAX} ms`,
      met: added <= ADDED_P99_MS_MAX
    }
  ]
}

function rowsOf({ mode, halfRate, whole, half }: Pair): string[][] {
  const row = (name: string, fast: LoadReport, paced: LoadReport): string[] => [
    name,
    digits(fast.countedPerSecond),
    digits(fast.cpuSecondsPerMillion),
    digits(halfRate),
    `${digits(paced.answeredMs.p50)} / ${digits(paced.answeredMs.p99)} ms`,
    `${digits(paced.sentLateMs.p50)} / ${digits(paced.sentLateMs.p99)} ms`,
    mib(fast.residentPeakBytes)
  ]
  return [row('off', whole.off, half.off), row(mode, whole.on, half.on)]
}

function planOf(mode: Mode, folder: string): Omit<LoadPlan, 'runs'> {
  return {
    transport: 'http',
    format: 'protobuf',
    gzip: false,
    operations: 200,
    connections: CONNECTIONS,
    warmUpSpans: WARM_UP_SPANS,
    runSpans: RUN_SPANS,
    settings: { durability: mode, segment_log: { directory: join(folder, mode) } }
  }
}
