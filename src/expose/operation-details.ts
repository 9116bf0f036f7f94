import { GRADES, grades, PHASE_SLOTS, Phase, phases } from '../model/phases.ts'
import { Band, BANDS, bands, OUTCOMES, outcomes } from '../model/requests.ts'
import { type OperationTable } from '../model/tail.ts'
import { exactToNumber } from '../runtime/exact-sums.ts'
import { SKETCH_BINS, SKETCH_SCALE, sketchBound } from '../runtime/sketch.ts'

/** Bars of a distribution per doubling of the duration: as fine as a picture shows. */
const BARS_PER_OCTAVE = 8
const BINS_PER_BAR = 2 ** SKETCH_SCALE / BARS_PER_OCTAVE

/** What a picture of one operation needs beyond its summary. All of it since the operation was first seen. */
export function operationDetails(table: OperationTable, row: number): object {
  return {
    first_seen_unix_ms: table.createdMs[row],
    partial: table.partial[row],
    bands: Object.fromEntries(bands.map((name, band) => [name, outcomesOf(table, row, band)])),
    tail_grades_mean_ns: tailGrades(table, row),
    distribution: distributionOf(table.sketch(row))
  }
}

function outcomesOf(table: OperationTable, row: number, band: number): Record<string, number> {
  const first = (row * BANDS + band) * OUTCOMES
  return Object.fromEntries(outcomes.map((name, outcome) => [name, table.requests[first + outcome] as number]))
}

/** Mean time of a request of the tail, by phase and how sure it is; phases without time are left out. */
function tailGrades(table: OperationTable, row: number): Record<string, Record<string, number>> | null {
  const requests = Object.values(outcomesOf(table, row, Band.gtP99)).reduce((sum, count) => sum + count, 0)
  if (requests === 0) return null
  const means: Record<string, Record<string, number>> = {}
  for (let phase = 0; phase < Phase.unattributed; phase++) {
    const ofPhase = grades.map((name, grade): [string, number] => [
      name,
      exactToNumber(table.evidenceNs, row * PHASE_SLOTS + phase * GRADES + grade) / requests
    ])
    if (ofPhase.some(([, ns]) => ns > 0)) means[phases[phase] as string] = Object.fromEntries(ofPhase)
  }
  return means
}

/** Pairs of upper bound in ns and weighted requests, from the first bar with any to the last. */
function distributionOf(sketch: Float64Array | undefined): (readonly [number, number])[] {
  const bars: [number, number][] = []
  if (sketch === undefined) return bars
  let last = 0
  for (let bin = 0; bin < SKETCH_BINS; bin += BINS_PER_BAR) {
    let count = 0
    for (let i = bin; i < bin + BINS_PER_BAR; i++) count += sketch[i] as number
    if (count === 0 && bars.length === 0) continue
    bars.push([Math.round(sketchBound(bin + BINS_PER_BAR - 1)), count])
    if (count > 0) last = bars.length
  }
  return bars.slice(0, last)
}
