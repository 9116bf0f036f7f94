import { createCounters, type Counters } from '../runtime/counters.ts'

export const FileReload = { ok: 0, refused: 1 } as const
export const Handshake = { ok: 0, timeout: 1, client_certificate: 2, failed: 3 } as const

export const accessCounters = {
  tail_access_reloads_total: {
    help: 'Files of certificates or credentials that were read again because they had changed. Of a refused one the old content stays in force; the log says why.',
    label: 'result',
    values: Object.keys(FileReload)
  },
  tail_tls_handshakes_total: {
    help: 'TLS handshakes by how they ended. client_certificate: none was shown where one is required, none that client_ca_file signed, or one that was taken back.',
    label: 'result',
    values: Object.keys(Handshake)
  },
  tail_access_failures_overflow_total: {
    help: 'Wrong credentials counted by the one limit that addresses share beyond the 10,000 told apart.'
  }
} as const

export type AccessCounters = Counters<typeof accessCounters>

export function createAccessCounters(): AccessCounters {
  return createCounters(accessCounters)
}
