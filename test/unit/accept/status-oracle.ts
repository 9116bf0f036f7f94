import protobuf from 'protobufjs'

// protobufjs as oracle of what src/accept writes by hand.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message FieldViolation { string field = 1; string description = 2; }
  message BadRequest { repeated FieldViolation field_violations = 1; }
  message PartialSuccess { int64 rejected = 1; string error_message = 2; }
  message ExportResponse { PartialSuccess partial_success = 1; }
`)
const TYPE_PREFIX = 'type.googleapis.com/google.rpc.'

export interface ReadStatus {
  readonly code: number
  readonly message: string
  /** Of RetryInfo; undefined without. */
  readonly retryMs: number | undefined
  /** Descriptions of BadRequest. */
  readonly violations: readonly string[]
}

function decode(type: string, bytes: Uint8Array): Record<string, unknown> {
  const found = root.lookupType(type)
  return found.toObject(found.decode(bytes), { longs: Number, defaults: true })
}

/** google.rpc.Status by its content type; throws when it is not one. */
export function readStatus(body: Buffer, contentType: string): ReadStatus {
  return contentType === 'application/json' ? readJson(body) : readProtobuf(body)
}

function readProtobuf(body: Buffer): ReadStatus {
  const status = decode('Status', body)
  let retryMs: number | undefined
  const violations: string[] = []
  for (const { typeUrl, value } of status['details'] as { typeUrl: string; value: Uint8Array }[]) {
    if (typeUrl === `${TYPE_PREFIX}RetryInfo`) {
      const delay = decode('RetryInfo', value)['retryDelay'] as { seconds: number; nanos: number }
      retryMs = delay.seconds * 1000 + delay.nanos / 1e6
    } else if (typeUrl === `${TYPE_PREFIX}BadRequest`) {
      const found = decode('BadRequest', value)['fieldViolations'] as { description: string }[]
      violations.push(...found.map(({ description }) => description))
    } else throw new Error(`unknown detail ${typeUrl}`)
  }
  return { code: status['code'] as number, message: status['message'] as string, retryMs, violations }
}

interface JsonDetail {
  readonly '@type': string
  readonly retryDelay?: string
  readonly fieldViolations?: readonly { readonly description: string }[]
}

function readJson(body: Buffer): ReadStatus {
  const status = JSON.parse(body.toString()) as { code: number; message: string; details?: readonly JsonDetail[] }
  const details = status.details ?? []
  const retry = details.find((detail) => detail['@type'] === `${TYPE_PREFIX}RetryInfo`)?.retryDelay
  const bad = details.find((detail) => detail['@type'] === `${TYPE_PREFIX}BadRequest`)
  return {
    code: status.code,
    message: status.message,
    retryMs: retry === undefined ? undefined : Number(retry.slice(0, -1)) * 1000,
    violations: (bad?.fieldViolations ?? []).map(({ description }) => description)
  }
}

export function readResponse(body: Buffer): { readonly rejected: number; readonly message: string } | undefined {
  const partial = decode('ExportResponse', body)['partialSuccess'] as { rejected: number; errorMessage: string } | null
  return partial === null ? undefined : { rejected: partial.rejected, message: partial.errorMessage }
}
