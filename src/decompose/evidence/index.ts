import type { Want } from '../../model/spans.ts'
import { busyIdle } from './busy-idle.ts'
import { httpTraceEvents } from './http-trace-events.ts'
import { queryEvents } from './query-events.ts'
import type { EvidenceSource } from './source.ts'
import { tailspanAttributes } from './tailspan-attributes.ts'
import { waitEvents } from './wait-events.ts'

/**
 * All sources that read attributes or events, strongest first: of the same grade and sort of claim, the first is served first.
 * The tree itself (calls, peers, wait spans) and the operation's own body are the judge's.
 */
export const evidenceSources: readonly EvidenceSource[] = [
  tailspanAttributes,
  waitEvents,
  httpTraceEvents,
  busyIdle,
  queryEvents
]

/** Everything the sources want kept; pipeline.ts hands it to accept's decoder. */
export const evidenceWants: readonly Want[] = evidenceSources.flatMap((source) => source.wants)
