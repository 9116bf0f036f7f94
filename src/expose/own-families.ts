import { type CounterSample } from '../runtime/counters.ts'
import { samplings } from '../model/requests.ts'
import { type DurationHistogram } from './duration-histogram.ts'
import { formats, type Format } from './negotiate.ts'
import { type Sample, type SampledFamily } from './sampled-family.ts'
import { series } from './series.ts'
import { type ExposeSources } from './sources.ts'

/** How long Tailspan's own work took. */
export interface OwnDurations {
  readonly scrape: Readonly<Record<Format, DurationHistogram>>
  readonly ingest: DurationHistogram
}

/** The series beside the tables: of services, of hosts, and of Tailspan itself. */
export function ownFamilies(
  { tables, memory, clockOffsets, version }: ExposeSources,
  nameOf: (id: number) => string,
  durations: OwnDurations
): SampledFamily[] {
  const budgetOperations = tables.budgets.operations()
  return [
    {
      family: series.budgetOperations,
      samples: tables.budgets.budgets.map(({ service, operation }, i) => ({
        labels: [
          ['service_pattern', service],
          ['operation_pattern', operation]
        ],
        value: budgetOperations[i] ?? 0
      }))
    },
    {
      family: series.sampling,
      samples: tables.samplings().map(({ service, sampling }) => ({
        labels: [
          ['service_name', nameOf(service)],
          ['sampling', samplings[sampling] ?? 'unknown']
        ],
        value: 1
      }))
    },
    {
      family: series.clockOffset,
      samples: clockOffsets().map(({ from, to, seconds }) => ({
        labels: [
          ['from_host', from],
          ['to_host', to]
        ],
        value: seconds
      }))
    },
    {
      family: series.memory,
      samples: Object.entries(memory()).map(([part, value]) => ({ labels: [['part', part]], value }))
    },
    {
      family: series.scrapeDuration,
      samples: formats.map((format) => ({ labels: [['format', format]], value: durations.scrape[format].cells }))
    },
    { family: series.ingestDuration, samples: [{ labels: [], value: durations.ingest.cells }] },
    { family: series.build, samples: [{ labels: [['version', version]], value: 1 }] }
  ]
}

/** The stages' counters. Two pipelines have counters of the same names: they add up. */
export function counterFamilies(counters: ExposeSources['counters']): SampledFamily[] {
  const byName = new Map<string, Map<string | undefined, CounterSample>>()
  for (const sample of counters.flatMap((stage) => stage.samples())) {
    const same = byName.get(sample.name) ?? new Map<string | undefined, CounterSample>()
    byName.set(sample.name, same)
    const before = same.get(sample.labelValue)
    same.set(sample.labelValue, before === undefined ? sample : { ...sample, value: before.value + sample.value })
  }
  return [...byName].map(([name, samples]) => counterFamily(name, [...samples.values()]))
}

function counterFamily(name: string, samples: readonly CounterSample[]): SampledFamily {
  const [first] = samples
  const unit = name.endsWith('_seconds_total') ? 'seconds' : name.endsWith('_bytes_total') ? 'bytes' : ''
  const labels = first?.label === undefined ? [] : [first.label]
  return {
    family: { name, type: 'counter', unit, help: first?.help ?? '', labels },
    samples: samples.map(({ label, labelValue, value }): Sample => {
      return { labels: label === undefined || labelValue === undefined ? [] : [[label, labelValue]], value }
    })
  }
}
