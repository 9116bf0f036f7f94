import { type AcceptEnd, type AcceptNext } from '../../accept/index.ts'
import { type Durability } from '../../durability/index.ts'
import { type Telemetry } from '../../runtime/telemetry.ts'

/** Writes each request down, where that is wanted. */
export function kept(accept: AcceptEnd, durability: Pick<Durability, 'keep' | 'admission'>): AcceptNext {
  const keep =
    (signal: 'traces' | 'metrics'): AcceptNext['traces'] =>
    (body, encoding, lasts) =>
      durability.keep({ signal, encoding, body, lasts }, (sequence) => accept[signal](body, encoding, sequence))
  return { traces: keep('traces'), metrics: keep('metrics'), admission: durability.admission }
}

export interface Watchers {
  readonly telemetry: () => Pick<Telemetry, 'trace'>
  readonly tookMs: (ms: number) => void
  /** Asked first. */
  readonly admission: AcceptNext['admission']
}

/** Tells how long each request took, and lets it be a span of ours. */
export function watched(accept: AcceptNext, { telemetry, tookMs, admission }: Watchers): AcceptNext {
  const watch =
    (signal: 'traces' | 'metrics'): AcceptNext['traces'] =>
    (body, encoding, lasts) => {
      const startMs = performance.now()
      const attributes = { 'tailspan.encoding': encoding, 'tailspan.body_bytes': body.length }
      const verdict = telemetry().trace(`accept ${signal}`, attributes, () => accept[signal](body, encoding, lasts))
      tookMs(performance.now() - startMs)
      return verdict
    }
  return { traces: watch('traces'), metrics: watch('metrics'), admission: () => admission() ?? accept.admission() }
}
