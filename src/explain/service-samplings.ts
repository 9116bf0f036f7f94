import { Sampling } from '../model/requests.ts'
import { type ServiceSampling } from '../model/tail.ts'
import { type Strings } from '../runtime/strings.ts'
import { type ExplainSettings } from './settings.ts'
import { compileGlob } from '../runtime/glob.ts'

/** How one service's requests were chosen. */
export interface SampledService {
  readonly service: number
  rows: number
  /** By settings; undefined = what the requests say. */
  readonly fixed: number | undefined
  /** Real requests per request, where settings know it and the request does not. */
  readonly weight: number
  seen: number
  /** A tail sampler marks only some of the traces it lets through: until then all are taken for its choice. */
  tailUntilMs: number
}

export interface ServiceSamplings {
  /** One row more of this service. */
  readonly hold: (service: number) => SampledService
  readonly release: (service: SampledService) => void
  readonly all: () => ServiceSampling[]
}

export function createServiceSamplings(rules: ExplainSettings['samplings'], strings: Strings): ServiceSamplings {
  const compiled = rules.map((rule) => ({ ...rule, matches: compileGlob(rule.service) }))
  const services = new Map<number, SampledService>()

  function create(service: number): SampledService {
    const text = compiled.length === 0 ? '' : strings.text(service)
    const rule = compiled.find(({ matches }) => matches(text))
    const created: SampledService = {
      service,
      rows: 0,
      fixed: rule === undefined ? undefined : Sampling[rule.kind],
      weight: rule?.kind === 'ratio' ? Math.max(1, Math.round(1 / (rule.ratio ?? 1))) : 1,
      seen: Sampling.unknown,
      tailUntilMs: -Infinity
    }
    services.set(service, created)
    return created
  }

  return {
    hold(service) {
      const found = services.get(service) ?? create(service)
      found.rows += 1
      return found
    },
    release(service) {
      service.rows -= 1
      if (service.rows === 0) services.delete(service.service)
    },
    all: () => [...services.values()].map(({ service, fixed, seen }) => ({ service, sampling: fixed ?? seen }))
  }
}

/** How a request of this service counts as sampled, having said `said` itself. */
export function samplingOf(service: SampledService, said: number, nowMs: number, tailMemoryMs: number): number {
  if (service.fixed !== undefined) return service.fixed
  if (said === Sampling.tail) service.tailUntilMs = nowMs + tailMemoryMs
  service.seen = nowMs < service.tailUntilMs ? Sampling.tail : said
  return service.seen
}
