import { type CounterSample } from '../runtime/counters.ts'
import { attempts, deliveries, type DestinationState } from '../model/forwarding.ts'
import { samplings } from '../model/requests.ts'
import { type DurationHistogram } from '../runtime/duration-histogram.ts'
import { pressureCauses } from '../runtime/pressure.ts'
import { formats, type Format } from './negotiate.ts'
import { type Sample, type SampledFamily } from './sampled-family.ts'
import { series } from './series.ts'
import { type ExposeSources } from './sources.ts'

/** How long Tailspan's own work took. */
export interface OwnDurations {
  readonly scrape: Readonly<Record<Format, DurationHistogram>>
  readonly ingest: DurationHistogram
  readonly logSync: DurationHistogram
}

/** The series beside the tables: of services, of hosts, and of Tailspan itself. */
export function ownFamilies(
  { tables, memory, pressure, clockOffsets, destinations, durability, version }: ExposeSources,
  nameOf: (id: number) => string,
  durations: OwnDurations
): SampledFamily[] {
  const budgetOperations = tables.budgets.operations()
  const { causes, memoryLimitBytes } = pressure()
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
    { family: series.memoryLimit, samples: [{ labels: [], value: memoryLimitBytes }] },
    {
      family: series.underPressure,
      samples: pressureCauses.map((cause) => ({ labels: [['cause', cause]], value: causes.includes(cause) ? 1 : 0 }))
    },
    {
      family: series.scrapeDuration,
      samples: formats.map((format) => ({ labels: [['format', format]], value: durations.scrape[format].cells }))
    },
    { family: series.ingestDuration, samples: [{ labels: [], value: durations.ingest.cells }] },
    ...logFamilies(durability?.(), durations.logSync),
    ...destinationFamilies(destinations?.() ?? []),
    { family: series.build, samples: [{ labels: [['version', version]], value: 1 }] }
  ]
}

function logFamilies(
  log: ReturnType<NonNullable<ExposeSources['durability']>>,
  sync: DurationHistogram
): SampledFamily[] {
  if (log === undefined) return []
  return [
    { family: series.logSegments, samples: [{ labels: [], value: log.segments }] },
    { family: series.logBytes, samples: [{ labels: [], value: log.bytes }] },
    { family: series.logSpareBytes, samples: [{ labels: [], value: log.spareBytes }] },
    { family: series.logDegraded, samples: [{ labels: [], value: log.degraded ? 1 : 0 }] },
    { family: series.logSyncDuration, samples: [{ labels: [], value: sync.cells }] }
  ]
}

function destinationFamilies(states: readonly DestinationState[]): SampledFamily[] {
  if (states.length === 0) return []
  const each = (value: (state: DestinationState) => Sample['value']): Sample[] =>
    states.map((state) => ({ labels: [['destination', state.name]], value: value(state) }))
  const byWord = (
    label: string,
    words: readonly string[],
    cells: (state: DestinationState) => Float64Array
  ): Sample[] =>
    states.flatMap((state) =>
      words.map((word, i) => ({
        labels: [
          ['destination', state.name],
          [label, word]
        ],
        value: cells(state)[i] ?? 0
      }))
    )
  return [
    { family: series.forwardSpans, samples: byWord('result', deliveries, ({ spans }) => spans) },
    { family: series.forwardRequests, samples: byWord('result', attempts, ({ requests }) => requests) },
    { family: series.forwardQueue, samples: each(({ queueBytes }) => queueBytes) },
    { family: series.forwardQueueMax, samples: each(({ queueBytesMax }) => queueBytesMax) },
    ...diskQueueFamilies(states),
    { family: series.forwardHealthy, samples: each(({ healthy }) => (healthy ? 1 : 0)) },
    { family: series.forwardDuration, samples: each(({ durations }) => durations) }
  ]
}

function diskQueueFamilies(states: readonly DestinationState[]): SampledFamily[] {
  const onDisk = states.flatMap(({ name, disk }) => (disk === undefined ? [] : [{ name, ...disk }]))
  if (onDisk.length === 0) return []
  const labels = (name: string): Sample['labels'] => [['destination', name]]
  return [
    { family: series.forwardDisk, samples: onDisk.map(({ name, bytes }) => ({ labels: labels(name), value: bytes })) },
    {
      family: series.forwardDegraded,
      samples: onDisk.map(({ name, degraded }) => ({ labels: labels(name), value: degraded ? 1 : 0 }))
    }
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
