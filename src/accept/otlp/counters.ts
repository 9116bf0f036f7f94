import { createCounters, type Counters } from '../../runtime/counters.ts'
import { pointRefusalReasons, spanRefusalReasons } from './refusals.ts'

export const decoderCounters = {
  tail_spans_received_total: { help: 'Spans accepted.' },
  tail_spans_rejected_total: {
    help: 'Spans refused one by one; their senders were told in partial_success.',
    label: 'reason',
    values: spanRefusalReasons
  },
  tail_evidence_overflow_total: {
    help: 'Wanted attributes, events and links not kept because their span had too many of them.'
  },
  tail_composed_names_forgotten_total: {
    help: 'Remembered operation names and identities dropped at once because there were too many different ones.'
  },
  tail_resources_overflow_total: {
    help: 'Resources that share one row because there were too many different ones.'
  },
  tail_metric_points_received_total: { help: 'Points of known runtime metrics accepted.' },
  tail_metric_points_ignored_total: { help: 'Points of metrics that say nothing about phases.' },
  tail_metric_points_rejected_total: {
    help: 'Points of known runtime metrics refused; their senders were told in partial_success.',
    label: 'reason',
    values: pointRefusalReasons
  }
} as const

export type DecoderCounters = Counters<typeof decoderCounters>

export function createDecoderCounters(): DecoderCounters {
  return createCounters(decoderCounters)
}
