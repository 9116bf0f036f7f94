import { Grade, Phase } from '../../model/phases.ts'
import type { EvidenceSource } from './source.ts'

/** sqlx's query event says how long the database took when there is no CLIENT span. Decoding rows hides in it: inferred. */
export const queryEvents: EvidenceSource = {
  name: 'query_events',
  wants: [{ from: 'event', where: { key: 'target', equals: 'sqlx::query' }, field: 'elapsed_secs' }],
  claim(view, claims) {
    view.events(0, (atNs, seconds) => {
      if (seconds > 0) claims.placed(Phase.downstream, Grade.inferred, atNs - Math.round(seconds * 1e9), atNs)
    })
  }
}
