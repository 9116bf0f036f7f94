export const forwardResults = [
  'enriched',
  'plain',
  'late',
  'refused',
  'over_limit',
  'fault',
  'memory',
  'undecided',
  'not_wanted',
  'duplicate',
  'too_large',
  'without_ids'
] as const
export const ForwardResult = {
  enriched: 0,
  plain: 1,
  late: 2,
  refused: 3,
  overLimit: 4,
  fault: 5,
  memory: 6,
  undecided: 7,
  notWanted: 8,
  duplicate: 9,
  tooLarge: 10,
  withoutIds: 11
} as const

export const attributeResults = ['added', 'senders_own', 'over_limit'] as const
export const AttributeResult = { added: 0, sendersOwn: 1, overLimit: 2 } as const

export const forwarderCounters = {
  tail_forward_handled_total: {
    help: 'Spans by how they went on to the destinations: enriched, plain (nothing to add), or as they came because they were late, refused by Tailspan, over a limit of their trace, of a trace that a stage failed on, or memory was short. Not passed on: not_wanted, undecided (memory was short before it was known whether the trace is of the tail), duplicate, too_large for the memory, without_ids (or with one that is none).',
    label: 'how',
    values: forwardResults
  },
  tail_forward_attributes_total: {
    help: 'Attributes added to spans; not added because the sender has one of that name; spans without any because their trace has too many.',
    label: 'result',
    values: attributeResults
  },
  tail_forward_untranslated_total: {
    help: 'JSON bodies whose spans were counted but could not be translated to protobuf, and so did not go on.'
  }
} as const

/** Of destinations' queues on disk. */
export const queueCounters = (names: readonly string[]) =>
  ({
    tail_forward_queue_found_spans_total: {
      help: 'Spans that an earlier process had not delivered, found in the queue at the start.',
      label: 'destination',
      values: names
    },
    tail_forward_queue_unkept_total: {
      help: 'Requests that wait in memory only, because the disk was full or failed. A crash loses them.',
      label: 'destination',
      values: names
    },
    tail_forward_queue_failures_total: {
      help: 'Times that the queue stopped being written, because the disk was full or failed.',
      label: 'destination',
      values: names
    },
    tail_forward_queue_damaged_bytes_total: {
      help: 'Bytes of the queue that were damaged, or being written when the process died, when it was read at the start; put aside as .corrupt.',
      label: 'destination',
      values: names
    },
    tail_forward_left_queues_total: {
      help: 'Folders of destinations that are not in the settings any more, found at the start. What waits in them stays there; remove them by hand, or name the destination again.'
    }
  }) as const
