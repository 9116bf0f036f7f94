import { type Fault } from '../runtime/fault.ts'

/** Why a request was not taken; the values of tail_requests_refused_total's label. */
export const refusalReasons = [
  'bad_payload',
  'too_large',
  'busy',
  'timeout',
  'unsupported_encoding',
  'unsupported_media_type',
  'not_found',
  'method',
  'cancelled',
  'internal'
] as const
export type RefusalReason = (typeof refusalReasons)[number]

export interface Refusal {
  readonly reason: RefusalReason
  readonly message: string
  /** When the sender should try again; only of `busy`. */
  readonly retryAfterMs?: number
}

/** How each protocol says it. OTLP senders try again after 503 and UNAVAILABLE, and drop the data after the others. */
export const refusalCodes: Readonly<Record<RefusalReason, { readonly http: number; readonly grpc: number }>> = {
  bad_payload: { http: 400, grpc: 3 },
  too_large: { http: 413, grpc: 8 },
  busy: { http: 503, grpc: 14 },
  timeout: { http: 408, grpc: 4 },
  unsupported_encoding: { http: 415, grpc: 12 },
  unsupported_media_type: { http: 415, grpc: 3 },
  not_found: { http: 404, grpc: 12 },
  method: { http: 405, grpc: 12 },
  cancelled: { http: 408, grpc: 1 },
  internal: { http: 500, grpc: 13 }
}

/** A sender that is told nothing else comes back after this long. */
export const RETRY_AFTER_MS = 1000

export function busy(message: string, retryAfterMs = RETRY_AFTER_MS): Refusal {
  return { reason: 'busy', message, retryAfterMs }
}

/** What went wrong inside is for our log, not for strangers. */
export const internal: Refusal = { reason: 'internal', message: 'the request could not be handled' }

export function refusalOf(fault: Fault): Refusal {
  switch (fault.code) {
    case 'BUSY':
      return busy(fault.message)
    case 'BAD_PAYLOAD':
      return { reason: 'bad_payload', message: fault.message }
    case 'OVER_LIMIT':
      return { reason: 'too_large', message: fault.message }
    case 'BAD_SETTINGS':
    case 'BAD_FILE':
    case 'BUG':
      return internal
  }
}
