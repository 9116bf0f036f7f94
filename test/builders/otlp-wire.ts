import { bytesField, fixed64Field, numberField, textField } from './protobuf-bytes.ts'

const TIME = 1_700_000_000_000_000_000n

/** OTLP messages in protobuf, piece by piece, for readers of files. */
export const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))

export function resource(service: string): Uint8Array {
  const value = bytesField(2, textField(1, service))
  return bytesField(1, bytesField(1, join([textField(1, 'service.name'), value])))
}

export function span(name: string, id = 1): Uint8Array {
  const ids = [bytesField(1, new Uint8Array(16).fill(id)), bytesField(2, new Uint8Array(8).fill(id))]
  const times = [fixed64Field(7, TIME), fixed64Field(8, TIME + 1_000_000n)]
  return bytesField(2, join([...ids, textField(5, name), numberField(6, 2), ...times]))
}

export function gauge(name: string): Uint8Array {
  return bytesField(2, join([textField(1, name), bytesField(5, bytesField(1, fixed64Field(3, TIME)))]))
}

export function logRecord(): Uint8Array {
  return bytesField(2, join([fixed64Field(1, TIME), numberField(2, 9), bytesField(5, textField(1, 'hello'))]))
}

export function scope(name: string, items: readonly Uint8Array[]): Uint8Array {
  return bytesField(2, join([bytesField(1, textField(1, name)), ...items]))
}

/** A whole request with one ResourceSpans, ResourceMetrics or ResourceLogs; such requests joined are one request. */
export function entry(service: string, scopes: readonly Uint8Array[]): Uint8Array {
  return bytesField(1, join([resource(service), ...scopes]))
}

/** As the Collector's file exporter writes it. */
export function prefixed(message: Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(message.length)
  return join([prefix, message])
}
