import { closeReasons } from '../model/spans.ts'

export const assembleCounters = {
  tail_traces_closed_total: {
    help: 'Traces handed on, by why their time was up; late_unit is work that came after its trace had closed.',
    label: 'reason',
    values: closeReasons
  },
  tail_spans_duplicate_total: { help: 'Spans dropped because the same trace and span id had come before.' },
  tail_spans_settled_total: {
    help: 'Spans read again from the segment log whose trace was counted and scraped before the restart.'
  },
  tail_spans_misfit_total: { help: 'Spans dropped because they lie more than 104 days from others of their trace.' },
  tail_spans_over_trace_max_total: { help: 'Spans dropped because their trace already had spans_per_trace_max.' },
  tail_evidence_dropped_total: { help: 'Attributes and events dropped because their span had too many of them.' },
  tail_late_forgotten_total: { help: 'Closed traces forgotten before late_window was over, for late_bytes_max.' },
  tail_root_learning_forgotten_total: { help: 'Operations whose history as a root made place for another one.' }
} as const
