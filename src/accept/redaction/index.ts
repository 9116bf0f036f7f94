import { type Counters } from '../../runtime/counters.ts'
import { type Signal } from '../answers.ts'
import { type AcceptNext } from '../intake.ts'
import { type Encoding } from '../status.ts'
import { createJsonRedactor } from './json.ts'
import { requests } from './otlp-fields.ts'
import { createProtobufRedactor } from './protobuf.ts'
import { createRedactionRules } from './rules.ts'
import { type RedactionSettings } from './settings.ts'

export interface Redaction {
  /** An export request without what the rules take out of it; the same bytes where that is nothing. Throws BAD_PAYLOAD, OVER_LIMIT. */
  readonly redact: (signal: Signal, body: Uint8Array, encoding: Encoding) => Uint8Array
  readonly counters: Counters
}

/** Undefined without a rule. */
export function createRedaction(settings: RedactionSettings): Redaction | undefined {
  if (settings.rules.length === 0) return undefined
  const rules = createRedactionRules(settings)
  const redactorsOf = (signal: Signal): Redactors => ({
    protobuf: createProtobufRedactor(requests[signal], rules),
    json: createJsonRedactor(requests[signal], rules)
  })
  const redactors = { traces: redactorsOf('traces'), metrics: redactorsOf('metrics') }
  return { redact: (signal, body, encoding) => redactors[signal][encoding](body), counters: rules.counters }
}

type Redactors = Readonly<Record<Encoding, (body: Uint8Array) => Uint8Array>>

/** Whatever is behind it, a log, a decoder or a destination, sees only what is left. */
export function redacted(next: AcceptNext, redaction: Redaction | undefined): AcceptNext {
  if (redaction === undefined) return next
  const take =
    (signal: Signal): AcceptNext['traces'] =>
    (body, encoding, lasts) => {
      const clean = redaction.redact(signal, body, encoding)
      // What was written anew is nobody else's.
      return next[signal](clean, encoding, lasts || clean !== body)
    }
  return { traces: take('traces'), metrics: take('metrics'), admission: next.admission }
}
