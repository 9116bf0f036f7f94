import { bytesField, numberField, textField } from './protobuf-writer.ts'
import { refusalCodes, type Refusal } from './refusals.ts'

export type Encoding = 'protobuf' | 'json'

const STATUS_MESSAGE_BYTES_MAX = 1024
const TYPE_PREFIX = 'type.googleapis.com/google.rpc.'

/** A refusal as google.rpc.Status, with RetryInfo when trying again helps and BadRequest when the bytes were wrong. */
export function statusOf(refusal: Refusal, encoding: Encoding): Buffer {
  const code = refusalCodes[refusal.reason].grpc
  const message = shortened(refusal.message, STATUS_MESSAGE_BYTES_MAX)
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message, ...detailsJson(refusal, message) }))
  return Buffer.concat([numberField(1, code), textField(2, message), detailsProtobuf(refusal, message)])
}

function detailsProtobuf(refusal: Refusal, message: string): Buffer {
  if (refusal.retryAfterMs !== undefined) {
    const seconds = Math.floor(refusal.retryAfterMs / 1000)
    const nanos = Math.round((refusal.retryAfterMs - seconds * 1000) * 1e6)
    return anyField('RetryInfo', bytesField(1, Buffer.concat([numberField(1, seconds), numberField(2, nanos)])))
  }
  if (refusal.reason !== 'bad_payload') return Buffer.alloc(0)
  const violation = Buffer.concat([textField(1, 'body'), textField(2, message)])
  return anyField('BadRequest', bytesField(1, violation))
}

function anyField(type: string, value: Buffer): Buffer {
  return bytesField(3, Buffer.concat([textField(1, TYPE_PREFIX + type), bytesField(2, value)]))
}

function detailsJson(refusal: Refusal, message: string): { details?: unknown[] } {
  if (refusal.retryAfterMs !== undefined) {
    return { details: [{ '@type': `${TYPE_PREFIX}RetryInfo`, retryDelay: `${refusal.retryAfterMs / 1000}s` }] }
  }
  if (refusal.reason !== 'bad_payload') return {}
  const fieldViolations = [{ field: 'body', description: message }]
  return { details: [{ '@type': `${TYPE_PREFIX}BadRequest`, fieldViolations }] }
}

/** At most so many bytes of UTF-8, never half a character. */
export function shortened(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= bytesMax) return text
  let end = bytesMax - 3
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1
  return `${bytes.toString('utf8', 0, end)}\u2026`
}

/** grpc-message may hold printable ASCII only; the rest, and `%`, travels as UTF-8 bytes in %XX. */
export function percentEncoded(message: string): string {
  let encoded = ''
  for (const byte of Buffer.from(shortened(message, STATUS_MESSAGE_BYTES_MAX))) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
