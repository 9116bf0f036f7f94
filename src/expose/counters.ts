import { formats } from './negotiate.ts'

export const exposeCounters = {
  tail_scrapes_total: { help: 'Scrapes answered to the last byte.', label: 'format', values: formats },
  tail_scrapes_refused_total: { help: 'Scrapes refused with 503 because scrapes_max were under way.' },
  tail_reads_refused_total: {
    help: 'Requests for metrics or traces refused because of who asked: without a credential that is known here, without the right, while too many passwords were being checked, or after too many wrong credentials.',
    label: 'reason',
    values: ['unauthenticated', 'forbidden', 'busy', 'too_many_failures']
  },
  tail_scrapes_cut_total: {
    help: 'Scrapes that ended before their last byte.',
    label: 'reason',
    values: ['timeout', 'reader', 'fault']
  }
} as const
export const ReadRefusal = { unauthenticated: 0, forbidden: 1, busy: 2, too_many_failures: 3 } as const
export const CutReason = { timeout: 0, reader: 1, fault: 2 } as const
