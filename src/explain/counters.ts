/** What explain counts beside the tail tables: every limit of its own that bites. */
export const explainCounters = {
  tail_series_overflow_total: {
    help: 'Requests counted under __other__ because their operation got no row (operations_max, fair share, names over a limit).'
  },
  tail_blame_overflow_total: {
    help: 'Root requests whose blame was not kept, or kept in part under __other__, because a root or culprit got no place.'
  },
  tail_budget_overflow_total: {
    help: 'Requests not counted against a target of their operation because budget_rows_max is reached.'
  },
  tail_boundary_overflow_total: {
    help: 'Crossings between services or languages that were not counted in full because boundary_series_max is reached.'
  },
  tail_sketch_overflow_total: {
    help: 'Durations missing from quantile sketches because sketch_bytes_max is reached.'
  },
  tail_retained_traces_total: {
    help: 'What became of traces worth keeping as examples.',
    label: 'result',
    values: ['kept', 'too_large', 'evicted']
  },
  tail_spans_late_total: {
    help: 'Spans that came after their trace had closed: joined to the kept trace, or ignored because it was not kept.',
    label: 'result',
    values: ['joined', 'ignored']
  },
  tail_history_losses_total: {
    help: 'What history has no room for: its oldest intervals when history_bytes_max is reached, versions of services beyond a thousand a minute.',
    label: 'part',
    values: ['intervals', 'versions']
  }
} as const
export const RetainResult = { kept: 0, tooLarge: 1, evicted: 2 } as const
export const LateResult = { joined: 0, ignored: 1 } as const
export const HistoryLoss = { intervals: 0, versions: 1 } as const
