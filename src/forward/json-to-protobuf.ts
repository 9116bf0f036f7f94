/**
 * OTLP/JSON to protobuf, by the table of its messages, because destinations get protobuf. What the table does not name is left
 * out, as is what is nested deeper than DEPTH_MAX; a bare number above 2^53 has lost its last digits when JSON was read.
 */
type Kind = 'text' | 'id' | 'base64' | 'bool' | 'varint' | 'int64' | 'fixed32' | 'fixed64' | 'double'

interface Field {
  readonly number: number
  readonly kind: Kind | Message
  readonly repeated: boolean
}
type Message = Readonly<Record<string, Field>>

const one = (number: number, kind: Kind | Message): Field => ({ number, kind, repeated: false })
const many = (number: number, kind: Kind | Message): Field => ({ number, kind, repeated: true })

const anyValue: Record<string, Field> = {
  stringValue: one(1, 'text'),
  boolValue: one(2, 'bool'),
  intValue: one(3, 'int64'),
  doubleValue: one(4, 'double'),
  bytesValue: one(7, 'base64')
}
const keyValue: Message = { key: one(1, 'text'), value: one(2, anyValue) }
anyValue['arrayValue'] = one(5, { values: many(1, anyValue) })
anyValue['kvlistValue'] = one(6, { values: many(1, keyValue) })

const entityRef: Message = {
  schemaUrl: one(1, 'text'),
  type: one(2, 'text'),
  idKeys: many(3, 'text'),
  descriptionKeys: many(4, 'text')
}
const resource: Message = {
  attributes: many(1, keyValue),
  droppedAttributesCount: one(2, 'varint'),
  entityRefs: many(3, entityRef)
}
const scope: Message = {
  name: one(1, 'text'),
  version: one(2, 'text'),
  attributes: many(3, keyValue),
  droppedAttributesCount: one(4, 'varint')
}
const event: Message = {
  timeUnixNano: one(1, 'fixed64'),
  name: one(2, 'text'),
  attributes: many(3, keyValue),
  droppedAttributesCount: one(4, 'varint')
}
const link: Message = {
  traceId: one(1, 'id'),
  spanId: one(2, 'id'),
  traceState: one(3, 'text'),
  attributes: many(4, keyValue),
  droppedAttributesCount: one(5, 'varint'),
  flags: one(6, 'fixed32')
}
const status: Message = { message: one(2, 'text'), code: one(3, 'varint') }
const span: Message = {
  traceId: one(1, 'id'),
  spanId: one(2, 'id'),
  traceState: one(3, 'text'),
  parentSpanId: one(4, 'id'),
  name: one(5, 'text'),
  kind: one(6, 'varint'),
  startTimeUnixNano: one(7, 'fixed64'),
  endTimeUnixNano: one(8, 'fixed64'),
  attributes: many(9, keyValue),
  droppedAttributesCount: one(10, 'varint'),
  events: many(11, event),
  droppedEventsCount: one(12, 'varint'),
  links: many(13, link),
  droppedLinksCount: one(14, 'varint'),
  status: one(15, status),
  flags: one(16, 'fixed32')
}
const scopeSpans: Message = { scope: one(1, scope), spans: many(2, span), schemaUrl: one(3, 'text') }
const resourceSpans: Message = {
  resource: one(1, resource),
  scopeSpans: many(2, scopeSpans),
  schemaUrl: one(3, 'text')
}
const request: Message = { resourceSpans: many(1, resourceSpans) }

const DEPTH_MAX = 100
const HEX = /^(?:[0-9a-f]{2})*$/i
/** No id is so short, so what was no id stays none. */
const NO_ID = '00'
const Wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** The bytes are its own. Throws when the text is not JSON. */
export function jsonToProtobuf(body: Uint8Array): Buffer {
  // As the decoder reads it: a byte order mark is legal, and not part of the text.
  const text = new TextDecoder().decode(body)
  const writer = new Writer(body.length)
  writer.message(request, JSON.parse(text) as unknown, 0)
  return writer.bytes.subarray(0, writer.at)
}

class Writer {
  bytes: Buffer
  at = 0

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(64, bytes))
  }

  message(message: Message, value: unknown, depth: number): void {
    if (typeof value !== 'object' || value === null) return
    for (const [name, entry] of Object.entries(value)) {
      const field = Object.hasOwn(message, name) ? message[name] : undefined
      if (field === undefined || entry === null) continue
      if (!field.repeated) this.#field(field, entry, depth)
      else if (Array.isArray(entry)) for (const item of entry) this.#field(field, item, depth)
    }
  }

  #field({ number, kind }: Field, value: unknown, depth: number): void {
    this.#reserve(16)
    if (typeof kind === 'object') {
      if (depth < DEPTH_MAX)
        this.#nested(number, () => {
          this.message(kind, value, depth + 1)
        })
      return
    }
    if (kind === 'bool') {
      if (typeof value === 'boolean') this.#scalar(number, BigInt(value))
    } else if (kind === 'double') this.#double(number, value)
    else if (kind === 'text' || kind === 'id' || kind === 'base64') {
      if (typeof value === 'string') this.#text(number, kind === 'id' && !HEX.test(value) ? NO_ID : value, kind)
    } else this.#whole(number, kind, value)
  }

  #whole(number: number, kind: 'varint' | 'int64' | 'fixed32' | 'fixed64', value: unknown): void {
    const whole = wholeNumber(value)
    if (whole === undefined) return
    if (kind === 'fixed64') {
      this.#tag(number, Wire.fixed64)
      this.at = this.bytes.writeBigUInt64LE(BigInt.asUintN(64, whole), this.at)
    } else if (kind === 'fixed32') {
      this.#tag(number, Wire.fixed32)
      this.at = this.bytes.writeUInt32LE(Number(BigInt.asUintN(32, whole)), this.at)
    } else this.#scalar(number, whole)
  }

  #scalar(number: number, value: bigint): void {
    this.#tag(number, Wire.varint)
    let rest = BigInt.asUintN(64, value)
    for (; rest > 127n; rest >>= 7n) this.bytes[this.at++] = Number(rest & 127n) | 128
    this.bytes[this.at++] = Number(rest)
  }

  #double(number: number, value: unknown): void {
    const double = typeof value === 'string' ? Number(value) : value
    if (typeof double !== 'number') return
    this.#tag(number, Wire.fixed64)
    this.at = this.bytes.writeDoubleLE(double, this.at)
  }

  #text(number: number, value: string, kind: 'text' | 'id' | 'base64'): void {
    const encoding = kind === 'text' ? 'utf8' : kind === 'id' ? 'hex' : 'base64'
    this.#reserve(16 + 3 * value.length)
    this.#nested(number, () => {
      this.at += this.bytes.write(value, this.at, encoding)
    })
  }

  /** A length-delimited field. Its length is known only after its content, which moves when the length takes more than a byte. */
  #nested(number: number, write: () => void): void {
    this.#tag(number, Wire.bytes)
    const from = this.at + 1
    this.at = from
    write()
    let length = this.at - from
    let extra = 0
    for (let rest = length; rest > 127; rest >>>= 7) extra += 1
    this.#reserve(extra)
    if (extra > 0) this.bytes.copyWithin(from + extra, from, this.at)
    this.at += extra
    let at = from - 1
    for (; length > 127; length >>>= 7) this.bytes[at++] = (length & 127) | 128
    this.bytes[at] = length
  }

  #tag(number: number, wire: number): void {
    const tag = (number << 3) | wire
    if (tag > 127) this.bytes[this.at++] = (tag & 127) | 128
    this.bytes[this.at++] = tag > 127 ? tag >>> 7 : tag
  }

  #reserve(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.at + bytes))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }
}

/** A JSON number or decimal text. */
function wholeNumber(value: unknown): bigint | undefined {
  if (typeof value === 'string') return /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined
  return typeof value === 'number' && Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined
}
