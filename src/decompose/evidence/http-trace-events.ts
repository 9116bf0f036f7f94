import { Grade, Phase } from '../../model/phases.ts'
import type { Want } from '../../model/spans.ts'
import type { EvidenceSource, SpanView } from './source.ts'

const hooks = ['http.getconn', 'http.dns', 'http.connect', 'http.tls'] as const
const GETCONN = 0

/**
 * otelhttptrace without sub-spans: `<hook>.start` and `<hook>.done` events on the CLIENT span. Getting a connection is a wait
 * for the pool, but for what it took to make one: that is the network.
 */
export const httpTraceEvents: EvidenceSource = {
  name: 'http_trace_events',
  wants: hooks.flatMap((hook): Want[] => [
    { from: 'event', name: `${hook}.start` },
    { from: 'event', name: `${hook}.done` }
  ]),
  claim(view, claims) {
    // Making a connection comes first, so that the pool gets what it leaves.
    for (let hook = hooks.length - 1; hook >= GETCONN; hook--) {
      const fromNs = firstEventNs(view, 2 * hook)
      const toNs = firstEventNs(view, 2 * hook + 1)
      if (Number.isNaN(fromNs) || toNs <= fromNs || Number.isNaN(toNs)) continue
      if (hook === GETCONN) claims.placed(Phase.queueWait, Grade.measured, fromNs, toNs)
      else claims.placed(Phase.network, Grade.measured, fromNs, toNs)
    }
  }
}

function firstEventNs(view: SpanView, want: number): number {
  let firstNs = NaN
  view.events(want, (atNs) => {
    if (Number.isNaN(firstNs)) firstNs = atNs
  })
  return firstNs
}
