import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digits, type Figure, figureTable, markdownTable, mib } from './table.ts'
import { type LoadPlan, type LoadReport, measureTogether } from './under-load.ts'

const modes = ['off', 'interval', 'batch'] as const
const THROUGHPUT_SHARE_MIN = 0.75
const ADDED_P99_MS_MAX = 10
const RUNS = 3
/** As in `workers`: after less, compiling is a part of what is measured. */
const WARM_UP_SPANS = 1_800_000
/** Some six seconds as fast as it goes: in less, much of what closing costs would come after the answers. */
const RUN_SPANS = 2_000_000
const PACED_RUN_SPANS = 1_200_000
/** As of a fleet of exporters: each waits for its answer, and what they wait for is one sync for all. */
const CONNECTIONS = 16

/** What it costs to keep every request on disk: as fast as it goes, and at half the speed of the slowest. */
export async function durability(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-bench-'))
  try {
    const whole = await measureTogether(modes.map((mode) => planOf(mode, join(folder, 'whole'))))
    const [off, , batch] = whole as [LoadReport, LoadReport, LoadReport]
    const halfRate = Math.min(...whole.map((report) => report.countedPerSecond)) / 2
    const paced = { runSpans: PACED_RUN_SPANS, spansPerSecond: halfRate }
    const half = await measureTogether(modes.map((mode) => ({ ...planOf(mode, join(folder, 'half')), ...paced })))
    const share = batch.countedPerSecond / off.countedPerSecond
    const [answeredOff, answered] = [half[0]?.answeredMs.p99 ?? NaN, half[2]?.answeredMs.p99 ?? NaN]
    const added = answered - answeredOff
    const figures: Figure[] = [
      {
        name: 'durability: batch, spans/s until counted, of those without',
        measured: digits(share),
        bound: `≥ ${THROUGHPUT_SHARE_MIN}`,
        met: share >= THROUGHPUT_SHARE_MIN
      },
      {
        name: 'durability: batch, answered at half load, p99, beyond that without',
        measured: `${digits(added)} ms`,
        bound: `≤ ${ADDED_P99_MS_MAX} ms`,
        met: added <= ADDED_P99_MS_MAX
      }
    ]
    const rows = modes.map((mode, i) => {
      const [fast, paced] = [whole[i] as LoadReport, half[i] as LoadReport]
      return [
        mode,
        digits(fast.countedPerSecond),
        digits(fast.cpuSecondsPerMillion),
        `${digits(paced.answeredMs.p50)} / ${digits(paced.answeredMs.p99)} ms`,
        `${digits(paced.sentLateMs.p50)} / ${digits(paced.sentLateMs.p99)} ms`,
        mib(fast.residentPeakBytes)
      ]
    })
    const head = [
      'durability',
      'spans/s until counted',
      'CPU s per million spans',
      `answered at ${digits(halfRate)} spans/s, p50 / p99`,
      'of that until sent',
      'RSS peak'
    ]
    return `${figureTable(figures)}\n\nThe disk is that of this machine.\n\n${markdownTable(head, rows)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function planOf(mode: (typeof modes)[number], folder: string): LoadPlan {
  return {
    transport: 'http',
    format: 'protobuf',
    gzip: false,
    operations: 200,
    connections: CONNECTIONS,
    warmUpSpans: WARM_UP_SPANS,
    runSpans: RUN_SPANS,
    runs: RUNS,
    settings: { durability: mode, segment_log: { directory: join(folder, mode) } }
  }
}
