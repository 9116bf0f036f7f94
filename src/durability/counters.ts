export const skipReasons = ['settled', 'stale', 'undecodable', 'crash_loop'] as const
export const SkipReason = { settled: 0, stale: 1, undecodable: 2, crashLoop: 3 } as const

export const durabilityCounters = {
  tail_log_records_total: { help: 'Records written to the segment log: requests, and what was counted of them.' },
  tail_log_written_bytes_total: { help: 'Bytes of those records.' },
  tail_log_unkept_records_total: {
    help: 'Records that were not written because the disk was full or failed. With on_error: degrade their requests were taken all the same, in memory only.'
  },
  tail_log_dropped_segments_total: {
    help: 'Files of the log given up because it was full. A crash loses what of them was not counted.'
  },
  tail_log_stuck_files_total: { help: 'Files of the log that could not be removed or put aside.' },
  tail_log_failures_total: { help: 'Times that the log stopped being written, because the disk was full or failed.' },
  tail_log_checkpoints_total: {
    help: 'Times that what is settled was written down: after each scrape, or to free a file.'
  },
  tail_log_replayed_records_total: { help: 'Requests taken again from the log at the start.' },
  tail_log_replayed_bytes_total: { help: 'Bytes of those requests.' },
  tail_log_skipped_records_total: {
    help: 'Requests in the log that were not taken again: all of their traces were settled, they are older than replay_age_max, they cannot be decoded, or the process died three times while it read them.',
    label: 'reason',
    values: skipReasons
  },
  tail_log_torn_bytes_total: {
    help: 'Bytes at the end of the log that were being written when the process or the machine died. Nobody was told that they are kept. In a file that was written over nothing tells them from what it held, and none are counted.'
  },
  tail_log_corrupt_bytes_total: { help: 'Bytes of the log that were damaged when it was read at the start.' },
  tail_log_corrupt_records_total: { help: 'Records among them, as far as they could be told apart.' },
  tail_log_foreign_files_total: { help: 'Files in the folder that are no log of this version; put aside as .corrupt.' },
  tail_log_forgotten_traces_total: {
    help: 'Settled traces that found no place in memory while the log was read; they are counted again.'
  }
} as const
