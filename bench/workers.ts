import { digits, figureTable } from './table.ts'
import { type LoadPlan, measureTogether } from './under-load.ts'

const TOTAL_MAX = 1.25
const BUSIEST_MAX = 0.62
const plan: LoadPlan = {
  transport: 'http',
  format: 'protobuf',
  gzip: false,
  operations: 200,
  // Three threads compile what one does, each with its share of the spans: the bench is not about that.
  warmUpSpans: 1_800_000,
  runSpans: 800_000,
  // Of three the ratio was anything from 1.15 to 1.34.
  runs: 9
}

/** The same load on a service with one worker and on one with two: what the second costs, and what it takes off the busiest thread. */
export async function workers(): Promise<string> {
  const [one, two] = await measureTogether([
    { ...plan, workers: 1 },
    { ...plan, workers: 2 }
  ])
  if (one === undefined || two === undefined) throw new Error('two services were to be measured')
  const total = two.cpuSecondsPerMillion / one.cpuSecondsPerMillion
  const busiest = two.busiestThreadSecondsPerMillion / one.cpuSecondsPerMillion
  return figureTable([
    { name: 'workers: 1, CPU s per million spans', measured: digits(one.cpuSecondsPerMillion), bound: '' },
    {
      name: 'workers: 2, CPU s per million spans',
      measured: `${digits(two.cpuSecondsPerMillion)} (${digits(total)} of one)`,
      bound: `≤ ${TOTAL_MAX} of one`,
      met: total <= TOTAL_MAX
    },
    {
      name: 'workers: 2, its busiest thread',
      measured: `${digits(two.busiestThreadSecondsPerMillion)} (${digits(busiest)} of one)`,
      bound: `≤ ${BUSIEST_MAX} of one`,
      met: busiest <= BUSIEST_MAX
    },
    {
      name: 'spans/s, one and two workers, on this machine',
      measured: `${digits(one.spansPerSecond)}, ${digits(two.spansPerSecond)}`,
      bound: ''
    }
  ])
}
