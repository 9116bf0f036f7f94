import { TrustedReader } from '../wire.ts'

/** What became of one request to a destination. */
export type Answer =
  /** Taken, but for so many spans. */
  | { readonly kind: 'taken'; readonly rejected: number; readonly message: string }
  /** To be tried again, not before `afterMs` where the destination says so. */
  | { readonly kind: 'later'; readonly afterMs: number | undefined; readonly message: string }
  /** Not wanted, however often. */
  | { readonly kind: 'never'; readonly message: string }

/** Text of others in our log. */
const MESSAGE_CHARS_MAX = 300

export const later = (message: string, afterMs?: number): Answer => ({
  kind: 'later',
  afterMs,
  message: short(message)
})
export const never = (message: string): Answer => ({ kind: 'never', message: short(message) })

function short(message: string): string {
  return message.length <= MESSAGE_CHARS_MAX ? message : `${message.slice(0, MESSAGE_CHARS_MAX)}…`
}

/** ExportTraceServiceResponse. What cannot be read is taken for none: the request was accepted. */
export function takenAnswer(body: Buffer): Answer {
  try {
    const partial = fieldsOf(body).get(1)
    if (!Buffer.isBuffer(partial)) return { kind: 'taken', rejected: 0, message: '' }
    const fields = fieldsOf(partial)
    return { kind: 'taken', rejected: numberOf(fields.get(1)), message: short(textOf(fields.get(2))) }
  } catch {
    return { kind: 'taken', rejected: 0, message: '' }
  }
}

/** HTTP: 429, 502, 503 and 504 may be tried again, nothing else. */
const retryableStatuses = new Set([429, 502, 503, 504])

export interface HttpAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly isProtobuf: boolean
  readonly body: Buffer
}

export function httpAnswer({ status, retryAfter, isProtobuf, body }: HttpAnswer, nowMs: number): Answer {
  if (status >= 200 && status < 300) return takenAnswer(isProtobuf ? body : Buffer.alloc(0))
  const message = `HTTP ${status}${isProtobuf ? spoken(statusMessage(body)) : ''}`
  return retryableStatuses.has(status) ? later(message, retryAfterMs(retryAfter, nowMs)) : never(message)
}

/** Seconds or a date. */
export function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text) * 1e3
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}

const GrpcCode = { ok: 0, unknown: 2, resourceExhausted: 8, unimplemented: 12, internal: 13, unavailable: 14 } as const
/** CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS. */
const retryableCodes = new Set<number>([1, 4, 10, 11, GrpcCode.unavailable, 15])

export interface GrpcAnswer {
  readonly httpStatus: number
  /** Undefined when the answer ended without one. */
  readonly code: number | undefined
  readonly message: string
  /** google.rpc.Status, empty without. */
  readonly details: Buffer
  /** The message of the answer, without its frame. */
  readonly body: Buffer
}

export function grpcAnswer(answer: GrpcAnswer): Answer {
  const code = answer.code ?? codeOfHttp(answer.httpStatus)
  if (code === GrpcCode.ok) return takenAnswer(answer.body)
  const message = `gRPC status ${code}${answer.code === undefined ? ` (HTTP ${answer.httpStatus})` : ''}${spoken(answer.message)}`
  const afterMs = retryInfoMs(answer.details)
  if (retryableCodes.has(code)) return later(message, afterMs)
  // Only who says when has room again; the others mean that it will never fit.
  return code === GrpcCode.resourceExhausted && afterMs !== undefined ? later(message, afterMs) : never(message)
}

/** As gRPC says of answers by proxies that know nothing of it. */
function codeOfHttp(status: number): number {
  if (retryableStatuses.has(status)) return GrpcCode.unavailable
  if (status === 400) return GrpcCode.internal
  if (status === 401) return 16
  if (status === 403) return 7
  return status === 404 ? GrpcCode.unimplemented : GrpcCode.unknown
}

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'

/** Of a google.rpc.Status: its RetryInfo's delay. */
export function retryInfoMs(status: Buffer): number | undefined {
  try {
    for (const detail of repeated(status, 3)) {
      const any = fieldsOf(detail)
      const value = any.get(2)
      if (textOf(any.get(1)) !== RETRY_INFO || !Buffer.isBuffer(value)) continue
      const delay = fieldsOf(value).get(1)
      if (!Buffer.isBuffer(delay)) return 0
      const duration = fieldsOf(delay)
      return Math.max(0, numberOf(duration.get(1)) * 1e3 + numberOf(duration.get(2)) / 1e6)
    }
  } catch {
    // Bytes that are no Status say nothing.
  }
  return undefined
}

function statusMessage(status: Buffer): string {
  try {
    return textOf(fieldsOf(status).get(2))
  } catch {
    return ''
  }
}

const spoken = (message: string): string => (message === '' ? '' : `: ${message}`)
const numberOf = (value: Buffer | number | undefined): number => (typeof value === 'number' ? value : 0)
const textOf = (value: Buffer | number | undefined): string => (Buffer.isBuffer(value) ? value.toString() : '')

/** The last value of each field; throws when the bytes are none. */
function fieldsOf(message: Buffer): Map<number, Buffer | number> {
  const fields = new Map<number, Buffer | number>()
  eachField(message, (field, value) => fields.set(field, value))
  return fields
}

function repeated(message: Buffer, wanted: number): Buffer[] {
  const values: Buffer[] = []
  eachField(message, (field, value) => {
    if (field === wanted && Buffer.isBuffer(value)) values.push(value)
  })
  return values
}

function eachField(message: Buffer, on: (field: number, value: Buffer | number) => void): void {
  const reader = new TrustedReader()
  reader.bytes = message
  for (let at = 0; at < message.length;) {
    const tag = reader.varint(at)
    const start = reader.next
    const end = reader.fieldEnd(tag, start)
    if (!(end <= message.length) || tag >>> 3 === 0) throw new Error('no protobuf')
    if ((tag & 7) === 0) on(tag >>> 3, reader.varint(start))
    else if ((tag & 7) === 2) on(tag >>> 3, message.subarray(reader.next, end))
    at = end
  }
}
