import { Grade, Phase } from '../../model/phases.ts'
import type { EvidenceSource } from './source.ts'

const ACQUIRED_SIC = 0
const ACQUIRED = 1
const NAME_RESOLVED = 2
const LB_PICK = 4
const TOWER_BUFFER = 6

/**
 * Events that end a wait: sqlx says how long it took to acquire a connection (the misspelling is its own), gRPC when names were
 * resolved and when the load balancer had picked, tower's Buffer when the worker took the request up (all since the span began).
 * gRPC's C++ core ends its events with a full stop, Go and Java do not.
 *
 * sqlx looks at the clock when its task is polled again, however long ago the connection was handed to it: on a busy runtime
 * most of its figure is scheduling. So it says that the wait was for the pool, and does not prove how long.
 */
export const waitEvents: EvidenceSource = {
  name: 'wait_events',
  wants: [
    { from: 'event', field: 'aquired_after_secs' },
    { from: 'event', field: 'acquired_after_secs' },
    { from: 'event', name: 'Delayed name resolution complete' },
    { from: 'event', name: 'Delayed name resolution complete.' },
    { from: 'event', name: 'Delayed LB pick complete' },
    { from: 'event', name: 'Delayed LB pick complete.' },
    { from: 'event', name: 'processing request', where: { key: 'target', equals: 'tower::buffer::worker' } }
  ],
  claim(view, claims) {
    const acquired = (atNs: number, seconds: number): void => {
      if (seconds > 0) claims.placed(Phase.queueWait, Grade.inferred, atNs - Math.round(seconds * 1e9), atNs)
    }
    const waitedFromStart = (atNs: number): void => {
      claims.placed(Phase.queueWait, Grade.measured, view.startNs, atNs)
    }
    const resolvedFromStart = (atNs: number): void => {
      claims.placed(Phase.network, Grade.measured, view.startNs, atNs)
    }
    view.events(ACQUIRED_SIC, acquired)
    view.events(ACQUIRED, acquired)
    view.events(NAME_RESOLVED, resolvedFromStart)
    view.events(NAME_RESOLVED + 1, resolvedFromStart)
    view.events(LB_PICK, waitedFromStart)
    view.events(LB_PICK + 1, waitedFromStart)
    view.events(TOWER_BUFFER, waitedFromStart)
  }
}
