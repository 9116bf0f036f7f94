import { createHash } from 'node:crypto'
import { bytesField, fixed64Field, numberField, textField } from '../../builders/protobuf-bytes.ts'

/** A span as a hostile sender may write it: every part may be anything. */
export interface SpanParts {
  readonly name?: string | Uint8Array
  readonly traceId?: Uint8Array
  readonly spanId?: Uint8Array
  readonly startNs?: bigint
  readonly endNs?: bigint
  /** Fields that follow the well-formed ones. */
  readonly more?: Uint8Array
}

const SERVER = 2
const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n
const asBytes = (text: string | Uint8Array): Uint8Array => (typeof text === 'string' ? Buffer.from(text) : text)

let issued = 0
/** Ids that never repeat within a run. */
function freshId(length: number): Buffer {
  issued += 1
  return createHash('sha256').update(`torture ${issued}`).digest().subarray(0, length)
}

/** A root SERVER span of 5 ms that ended now, except for what `parts` says. */
export function spanBytes(parts: SpanParts = {}): Buffer {
  const endNs = parts.endNs ?? nowNs()
  return Buffer.concat([
    bytesField(1, parts.traceId ?? freshId(16)),
    bytesField(2, parts.spanId ?? freshId(8)),
    bytesField(5, asBytes(parts.name ?? 'work')),
    numberField(6, SERVER),
    fixed64Field(7, parts.startNs ?? endNs - 5_000_000n),
    fixed64Field(8, endNs),
    parts.more ?? Buffer.alloc(0)
  ])
}

export function attribute(field: number, key: string | Uint8Array, value: string | Uint8Array): Buffer {
  return bytesField(field, Buffer.concat([bytesField(1, asBytes(key)), bytesField(2, bytesField(1, asBytes(value)))]))
}

/** An ExportTraceServiceRequest of one service. */
export function traceBody(service: string | Uint8Array, spans: readonly Uint8Array[]): Buffer {
  return bytesField(1, resourceSpans(service, spans))
}

/** Many services in one request, a span of each. */
export function manyServicesBody(services: readonly string[]): Buffer {
  return Buffer.concat(services.map((service) => traceBody(service, [spanBytes({ name: 'work' })])))
}

function resourceSpans(service: string | Uint8Array, spans: readonly Uint8Array[]): Buffer {
  const resource = bytesField(1, attribute(1, 'service.name', service))
  const scopeSpans = Buffer.concat(spans.map((span) => bytesField(2, span)))
  return Buffer.concat([resource, bytesField(2, scopeSpans)])
}

/** An attribute whose value is an array in an array in an array, `depth` times; written from the inside out. */
export function deepAttribute(field: number, depth: number): Buffer {
  // AnyValue { array_value = 5: ArrayValue { values = 1: AnyValue } }, each head a tag and a length of at most 4 bytes.
  const bytes = Buffer.alloc(depth * 10)
  let start = bytes.length
  const prepend = (byte: number): void => {
    start -= 1
    bytes[start] = byte
  }
  const prependHead = (tag: number): void => {
    const length = bytes.length - start
    let groups = 1
    while (length >= 2 ** (7 * groups)) groups += 1
    for (let group = groups - 1; group >= 0; group--) {
      prepend(((length >>> (7 * group)) & 127) | (group < groups - 1 ? 128 : 0))
    }
    prepend(tag)
  }
  for (let level = 0; level < depth; level++) {
    prependHead(0x0a)
    prependHead(0x2a)
  }
  const value = bytesField(2, bytes.subarray(start))
  return bytesField(field, Buffer.concat([textField(1, 'deep'), value]))
}

/** The same request as OTLP/JSON, for what only JSON can say. */
export function traceJson(service: string, spans: readonly Record<string, unknown>[]): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
        scopeSpans: [{ spans }]
      }
    ]
  })
}

export function spanJson(parts: Record<string, unknown> = {}): Record<string, unknown> {
  const endNs = nowNs()
  return {
    traceId: freshId(16).toString('hex'),
    spanId: freshId(8).toString('hex'),
    name: 'work',
    kind: SERVER,
    startTimeUnixNano: String(endNs - 5_000_000n),
    endTimeUnixNano: String(endNs),
    ...parts
  }
}
