import { type PhaseName, phases } from '../../src/model/phases.ts'
import { type Exposition, type Sample } from '../builders/prometheus-text.ts'

/** What one operation's tail is made of, between two scrapes. */
export interface OperationReading {
  readonly service: string
  readonly operation: string
  readonly requests: number
  readonly tailRequests: number
  readonly p50Seconds: number
  readonly p99Seconds: number
  /** Mean seconds per tail request above the same per body request, largest first. */
  readonly excess: readonly { readonly phase: PhaseName; readonly seconds: number }[]
}

export interface BlameReading {
  readonly root: string
  readonly culprit: string
  readonly service: string
  readonly phase: string
  readonly share: number
}

/** An operation by its labels. */
export interface OperationName {
  readonly service: string
  readonly operation: string
}

export interface BlameExcess {
  readonly root: OperationName
  readonly culprit: OperationName
  readonly phase: PhaseName
  /** Mean seconds per tail request of the root above the same per body request; may be negative. */
  readonly seconds: number
}

/** Counters by name and labels, so that an earlier scrape can be taken away. */
type Counts = ReadonlyMap<string, number>

const labelOf = (sample: Sample, label: string): string => sample.labels[label] ?? ''
const keyOf = (sample: Sample): string => `${sample.name} ${JSON.stringify(sample.labels)}`

export function countsOf(exposition: Exposition): Counts {
  return new Map(exposition.samples.map((sample) => [keyOf(sample), sample.value]))
}

/** The exposition's counters less what they were before; gauges as they are. */
function since(exposition: Exposition, before: Counts): Sample[] {
  return exposition.samples.map((sample) =>
    sample.name.endsWith('_total') ? { ...sample, value: sample.value - (before.get(keyOf(sample)) ?? 0) } : sample
  )
}

function total(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels)
  return samples
    .filter((sample) => sample.name === name && wanted.every(([key, value]) => labelOf(sample, key) === value))
    .reduce((sum, sample) => sum + sample.value, 0)
}

export function readOperations(exposition: Exposition, before: Counts): OperationReading[] {
  const samples = since(exposition, before)
  const requests = samples.filter(({ name }) => name === 'tail_requests_total')
  const keys = new Set(requests.map((sample) => `${labelOf(sample, 'service_name')}\n${labelOf(sample, 'operation')}`))
  return [...keys]
    .map((key) => {
      const [service = '', operation = ''] = key.split('\n')
      return readOperation(samples, service, operation)
    })
    .filter((reading) => reading.requests > 0)
    .toSorted((a, b) => a.service.localeCompare(b.service) || a.operation.localeCompare(b.operation))
}

function readOperation(samples: readonly Sample[], service: string, operation: string): OperationReading {
  const own = samples.filter(
    (sample) => labelOf(sample, 'service_name') === service && labelOf(sample, 'operation') === operation
  )
  const requestsIn = (band: string): number => total(own, 'tail_requests_total', { band })
  const body = requestsIn('le_p50')
  const tail = requestsIn('gt_p99')
  const mean = (phase: string, band: string, requests: number): number =>
    total(own, 'tail_phase_seconds_total', { phase, band }) / requests
  const excess =
    body === 0 || tail === 0
      ? []
      : phases
          .map((phase) => ({ phase, seconds: mean(phase, 'gt_p99', tail) - mean(phase, 'le_p50', body) }))
          .toSorted((a, b) => b.seconds - a.seconds)
  return {
    service,
    operation,
    requests: total(own, 'tail_requests_total', {}),
    tailRequests: tail,
    p50Seconds: total(own, 'tail_band_threshold_seconds', { quantile: '0.5' }),
    p99Seconds: total(own, 'tail_band_threshold_seconds', { quantile: '0.99' }),
    excess
  }
}

/** The largest culprit of each root operation. */
export function readBlame(exposition: Exposition, before: Counts): BlameReading[] {
  const samples = since(exposition, before).filter(({ name }) => name === 'tail_blame_seconds_total')
  const roots = new Map<string, Map<string, { sample: Sample; seconds: number }>>()
  for (const sample of samples.filter((one) => labelOf(one, 'band') === 'gt_p99')) {
    const root = `${labelOf(sample, 'root_service_name')} ${labelOf(sample, 'root_operation')}`
    const culprits = roots.get(root) ?? new Map<string, { sample: Sample; seconds: number }>()
    const key = `${labelOf(sample, 'culprit_service_name')} ${labelOf(sample, 'culprit_operation')} ${labelOf(sample, 'phase')}`
    culprits.set(key, { sample, seconds: (culprits.get(key)?.seconds ?? 0) + sample.value })
    roots.set(root, culprits)
  }
  return [...roots].flatMap(([root, culprits]) => {
    const ranked = [...culprits.values()].toSorted((a, b) => b.seconds - a.seconds)
    const first = ranked[0]
    const sum = ranked.reduce((seconds, culprit) => seconds + culprit.seconds, 0)
    if (first === undefined || sum <= 0) return []
    const service = labelOf(first.sample, 'culprit_service_name')
    return [
      {
        root,
        culprit: `${service} ${labelOf(first.sample, 'culprit_operation')}`,
        service,
        phase: labelOf(first.sample, 'phase'),
        share: first.seconds / sum
      }
    ]
  })
}

/** What each culprit and phase has more in the tail than in the body, since the start. */
export function readBlameExcess({ samples }: Exposition): BlameExcess[] {
  const found = new Map<string, BlameExcess>()
  for (const sample of samples) {
    const band = labelOf(sample, 'band')
    if (sample.name !== 'tail_blame_seconds_total' || (band !== 'gt_p99' && band !== 'le_p50')) continue
    const root = { service: labelOf(sample, 'root_service_name'), operation: labelOf(sample, 'root_operation') }
    const culprit = {
      service: labelOf(sample, 'culprit_service_name'),
      operation: labelOf(sample, 'culprit_operation')
    }
    const phase = labelOf(sample, 'phase') as PhaseName
    const requests = total(samples, 'tail_requests_total', {
      service_name: root.service,
      operation: root.operation,
      band,
      // Of the body only requests that went well are blamed.
      ...(band === 'le_p50' && { outcome: 'ok' })
    })
    if (requests === 0) continue
    const mean = sample.value / requests
    const key = JSON.stringify([root, culprit, phase])
    const seconds = (found.get(key)?.seconds ?? 0) + (band === 'gt_p99' ? mean : -mean)
    found.set(key, { root, culprit, phase, seconds })
  }
  return [...found.values()]
}
