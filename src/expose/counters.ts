import { formats } from './negotiate.ts'

export const exposeCounters = {
  tail_scrapes_total: { help: 'Scrapes answered to the last byte.', label: 'format', values: formats },
  tail_scrapes_refused_total: { help: 'Scrapes refused with 503 because scrapes_max were under way.' },
  tail_scrapes_cut_total: {
    help: 'Scrapes that ended before their last byte.',
    label: 'reason',
    values: ['timeout', 'reader', 'fault']
  }
} as const
export const CutReason = { timeout: 0, reader: 1, fault: 2 } as const
