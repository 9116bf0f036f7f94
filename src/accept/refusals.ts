import { type Fault } from '../runtime/fault.ts'
import { type PressureCause, pressureCauses } from '../runtime/pressure.ts'

/** Why a request was not taken; the values of tail_requests_refused_total's label. */
export const refusalReasons = [
  'bad_payload',
  'too_large',
  'unauthenticated',
  'forbidden',
  'too_many_failures',
  'rate_limited',
  'busy',
  ...pressureCauses,
  'durability',
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
  /** When the sender should try again, where that helps. */
  readonly retryAfterMs?: number
}

/** How each protocol says it. OTLP senders try again after 429, 503 and UNAVAILABLE, and drop the data after the others. */
export const refusalCodes: Readonly<Record<RefusalReason, { readonly http: number; readonly grpc: number }>> = {
  bad_payload: { http: 400, grpc: 3 },
  too_large: { http: 413, grpc: 8 },
  unauthenticated: { http: 401, grpc: 16 },
  forbidden: { http: 403, grpc: 7 },
  too_many_failures: { http: 429, grpc: 8 },
  rate_limited: { http: 429, grpc: 14 },
  busy: { http: 503, grpc: 14 },
  memory: { http: 503, grpc: 14 },
  resident: { http: 503, grpc: 14 },
  event_loop: { http: 503, grpc: 14 },
  durability: { http: 503, grpc: 14 },
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

/** Why the process takes nothing new for the moment. */
export interface Pressed {
  readonly cause: PressureCause | 'durability'
  readonly retryAfterMs: number
}

const pressureWords: Readonly<Record<Pressed['cause'], string>> = {
  memory: 'memory is short (memory_limit)',
  resident: 'the process is too large (memory_limit)',
  event_loop: 'there is more work than time for it',
  durability: 'the segment log cannot be written, and on_error is refuse'
}

export function underPressure({ cause, retryAfterMs }: Pressed): Refusal {
  return { reason: cause, message: pressureWords[cause], retryAfterMs }
}

/** What was taken cannot be kept. */
export const notKept: Refusal = underPressure({ cause: 'durability', retryAfterMs: RETRY_AFTER_MS })

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
