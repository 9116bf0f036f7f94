/** What explain counts beside the tail tables: every limit of its own that bites. */
export const explainCounters = {
  tail_series_overflow_total: {
    help: 'Requests counted under __other__ because their operation got no row (operations_max, fair share, names over a limit).'
  },
  tail_blame_overflow_total: {
    help: 'Root requests whose blame was not kept, or kept in part under __other__, because a root or culprit got no place.'
  },
  tail_sketch_overflow_total: {
    help: 'Durations missing from quantile sketches because sketch_bytes_max is reached.'
  },
  tail_retained_traces_total: {
    help: 'What became of traces worth keeping as examples.',
    label: 'result',
    values: ['kept', 'too_large', 'evicted']
  }
} as const
export const RetainResult = { kept: 0, tooLarge: 1, evicted: 2 } as const
