import { digits, figureTable, markdownTable, mib } from './table.ts'
import { measureTogether } from './under-load.ts'

const OPERATIONS = [10, 500, 5_000] as const
/** What counts as flat: caches are colder with 5,000 rows, but nothing may grow with their number. */
const FLAT = 1.3

/** Cost against the number of operations, over OTLP/HTTP protobuf. */
export async function growth(): Promise<string> {
  const reports = await measureTogether(
    OPERATIONS.map((operations) => ({
      transport: 'http',
      format: 'protobuf',
      gzip: false,
      operations,
      warmUpSpans: 300_000,
      runSpans: 300_000,
      runs: 3
    }))
  )
  const cpu = reports.map((report) => report.cpuSecondsPerMillion)
  const ratio = (cpu.at(-1) as number) / (cpu[0] as number)
  const rows = reports.map((report, index) => [
    digits(OPERATIONS[index] as number),
    digits(report.cpuSecondsPerMillion),
    mib(report.residentPeakBytes),
    digits(report.exposition.samples.length)
  ])
  return [
    figureTable([
      {
        name: 'CPU per span with 5,000 operations, against 10',
        measured: `× ${digits(ratio)}`,
        bound: `flat (≤ × ${FLAT})`,
        met: ratio <= FLAT
      }
    ]),
    markdownTable(['operations', 'CPU s per million spans', 'RSS peak', 'series on /metrics'], rows)
  ].join('\n\n')
}
