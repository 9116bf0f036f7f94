import { type LabelPair } from './labels.ts'
import { type SeriesFamily } from './series.ts'
import { type Encoding, type ExpositionWriter, type HistogramCells } from './writer.ts'

export interface Sample {
  readonly labels: readonly LabelPair[]
  readonly value: number | HistogramCells
}

/** A family with its values: for the few series that change slowly. */
export interface SampledFamily {
  readonly family: SeriesFamily
  readonly samples: readonly Sample[]
}

export function writeSampled<Labels>(
  { family, samples }: SampledFamily,
  encoding: Encoding<Labels>,
  writer: ExpositionWriter<Labels>
): void {
  writer.begin(family)
  for (const { labels, value } of samples) {
    const row = labels.length === 0 ? encoding.none : encoding.row(labels)
    if (typeof value === 'number') writer.number(row, encoding.none, value)
    else writer.histogram(row, value)
  }
  writer.end()
}
