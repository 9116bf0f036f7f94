import { type PlannedSpan, resourceAttributes, SLOTS, TRACE_SPANS } from './load-plan.ts'
import { bytesField, fixed64Field, numberField, textField } from './protobuf-bytes.ts'
import { mix } from './random.ts'

/** A body, and where in it each span's ids and times are. */
export interface Template {
  readonly bytes: Buffer
  readonly trace: Uint32Array
  readonly slot: Uint8Array
  readonly traceIdAt: Uint32Array
  readonly spanIdAt: Uint32Array
  /** 0 = this span has no parent. */
  readonly parentIdAt: Uint32Array
  readonly startAt: Uint32Array
  readonly endAt: Uint32Array
}

/** Traces of a block start this far apart. */
const TRACE_SPREAD_NS = 1_000_000
const scopeName = 'load'

// --- protobuf ---

function attributeFields(field: number, attributes: PlannedSpan['attributes']): Buffer {
  return Buffer.concat(
    attributes.map(([key, value]) => {
      const any = typeof value === 'number' ? numberField(3, value) : textField(1, value)
      return bytesField(field, Buffer.concat([textField(1, key), bytesField(2, any)]))
    })
  )
}

export function encodeProtobuf(service: string, spans: readonly PlannedSpan[]): Template {
  const template = emptyTemplate(spans)
  const scopeParts = [bytesField(1, textField(1, scopeName))]
  let length = (scopeParts[0] as Buffer).length
  spans.forEach((span, row) => {
    const name = textField(5, span.name)
    const parent = span.hasParent ? bytesField(4, Buffer.alloc(8)) : Buffer.alloc(0)
    const head = [
      bytesField(1, Buffer.alloc(16)),
      bytesField(2, Buffer.alloc(8)),
      parent,
      name,
      numberField(6, span.kind)
    ]
    const body = Buffer.concat([
      ...head,
      fixed64Field(7, 0n),
      fixed64Field(8, 0n),
      attributeFields(9, span.attributes),
      bytesField(15, Buffer.alloc(0))
    ])
    const wrapped = bytesField(2, body)
    const at = length + wrapped.length - body.length
    const timesAt = at + head.reduce((sum, part) => sum + part.length, 0)
    template.traceIdAt[row] = at + 2
    template.spanIdAt[row] = at + 20
    template.parentIdAt[row] = span.hasParent ? at + 30 : 0
    template.startAt[row] = timesAt + 1
    template.endAt[row] = timesAt + 10
    scopeParts.push(wrapped)
    length += wrapped.length
  })
  const resource = bytesField(1, attributeFields(1, resourceAttributes(service)))
  const scope = bytesField(2, Buffer.concat(scopeParts))
  const bytes = bytesField(1, Buffer.concat([resource, scope]))
  shiftOffsets(template, bytes.length - length)
  return { ...template, bytes }
}

// --- JSON ---

function attributesJson(attributes: PlannedSpan['attributes']): unknown[] {
  return attributes.map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value }
  }))
}

/** Every placeholder has the width of what is written over it: 19 digits last until the year 2286. */
export function encodeJson(service: string, spans: readonly PlannedSpan[]): Template {
  const template = emptyTemplate(spans)
  const resource = JSON.stringify({ attributes: attributesJson(resourceAttributes(service)) })
  let text = `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":{"name":"${scopeName}"},"spans":[`
  const addPatched = (offsets: Uint32Array, row: number, key: string, width: number): void => {
    text += `"${key}":"`
    offsets[row] = text.length
    text += `${'0'.repeat(width)}",`
  }
  spans.forEach((span, row) => {
    text += row === 0 ? '{' : ',{'
    addPatched(template.traceIdAt, row, 'traceId', 32)
    addPatched(template.spanIdAt, row, 'spanId', 16)
    if (span.hasParent) addPatched(template.parentIdAt, row, 'parentSpanId', 16)
    addPatched(template.startAt, row, 'startTimeUnixNano', 19)
    addPatched(template.endAt, row, 'endTimeUnixNano', 19)
    const attributes = attributesJson(span.attributes)
    text += JSON.stringify({ name: span.name, kind: span.kind, attributes, status: {} }).slice(1)
  })
  return { ...template, bytes: Buffer.from(`${text}]}]}]}`) }
}

function emptyTemplate(spans: readonly PlannedSpan[]): Template {
  const n = spans.length
  return {
    bytes: Buffer.alloc(0),
    trace: Uint32Array.from(spans, (span) => span.trace),
    slot: Uint8Array.from(spans, (span) => span.slot),
    traceIdAt: new Uint32Array(n),
    spanIdAt: new Uint32Array(n),
    parentIdAt: new Uint32Array(n),
    startAt: new Uint32Array(n),
    endAt: new Uint32Array(n)
  }
}

function shiftOffsets(template: Template, by: number): void {
  for (const offsets of [
    template.traceIdAt,
    template.spanIdAt,
    template.parentIdAt,
    template.startAt,
    template.endAt
  ]) {
    for (let row = 0; row < offsets.length; row++) if (offsets[row] !== 0) offsets[row] = (offsets[row] as number) + by
  }
}

// --- patching ---

export interface Moment {
  readonly block: number
  readonly traces: number
  readonly rootNs: Float64Array
  readonly startMs: number
  readonly seed: number
}

/** The ids and times of one span, as words; reused for every span. */
const ids = { trace: new Uint32Array(4), span: 0, parent: 0, startMs: 0, startNs: 0, endMs: 0, endNs: 0 }

function describe(template: Template, row: number, moment: Moment): void {
  const trace = template.trace[row] as number
  const slot = SLOTS[template.slot[row] as number] as (typeof SLOTS)[number]
  const sequence = moment.block * moment.traces + trace
  const salt = mix(moment.seed)
  ids.trace[0] = mix(sequence ^ salt)
  ids.trace[1] = mix(sequence ^ 0x9e3779b9)
  ids.trace[2] = mix(sequence ^ 0x85ebca6b ^ salt)
  ids.trace[3] = mix(sequence + 1)
  ids.span = mix(sequence * TRACE_SPANS + (template.slot[row] as number) + 1)
  ids.parent = slot.parent < 0 ? 0 : mix(sequence * TRACE_SPANS + slot.parent + 1)
  const rootNs = moment.rootNs[trace] as number
  // Block after block, later in time; whole milliseconds apart from nanoseconds, so that doubles stay exact.
  const offsetNs = trace * TRACE_SPREAD_NS
  const startNs = offsetNs + Math.round(rootNs * slot.from)
  const endNs = offsetNs + Math.round(rootNs * slot.to)
  const blockMs = moment.startMs + (moment.block % 1000)
  ids.startMs = blockMs + Math.floor(startNs / 1e6)
  ids.startNs = startNs % 1e6
  ids.endMs = blockMs + Math.floor(endNs / 1e6)
  ids.endNs = endNs % 1e6
}

/** High word of a span id that is known by its low word. */
const spanIdHigh = (low: number): number => mix(low ^ 0x51ed_2701)

export function patchProtobuf(template: Template, moment: Moment): void {
  const { bytes } = template
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let row = 0; row < template.trace.length; row++) {
    describe(template, row, moment)
    const traceAt = template.traceIdAt[row] as number
    for (let word = 0; word < 4; word++) view.setUint32(traceAt + 4 * word, ids.trace[word] as number)
    patchSpanId(view, template.spanIdAt[row] as number, ids.span)
    const parentAt = template.parentIdAt[row] as number
    if (parentAt !== 0) patchSpanId(view, parentAt, ids.parent)
    patchTime(view, template.startAt[row] as number, ids.startMs, ids.startNs)
    patchTime(view, template.endAt[row] as number, ids.endMs, ids.endNs)
  }
}

function patchSpanId(view: DataView, at: number, low: number): void {
  view.setUint32(at, spanIdHigh(low))
  view.setUint32(at + 4, low)
}

/** ms * 1e6 + ns as a 64-bit word, by parts that stay below 2^53. */
function patchTime(view: DataView, at: number, ms: number, ns: number): void {
  const low = (ms % 2 ** 16) * 1e6 + ns
  const high = Math.floor(ms / 2 ** 16) * 1e6 + Math.floor(low / 2 ** 16)
  view.setUint32(at, ((high % 2 ** 16) * 2 ** 16 + (low % 2 ** 16)) >>> 0, true)
  view.setUint32(at + 4, Math.floor(high / 2 ** 16), true)
}

const hexDigits = Buffer.from('0123456789abcdef')

export function patchJson(template: Template, moment: Moment): void {
  const { bytes } = template
  for (let row = 0; row < template.trace.length; row++) {
    describe(template, row, moment)
    const traceAt = template.traceIdAt[row] as number
    for (let word = 0; word < 4; word++) patchHex(bytes, traceAt + 8 * word, ids.trace[word] as number)
    patchHex(bytes, template.spanIdAt[row] as number, spanIdHigh(ids.span))
    patchHex(bytes, (template.spanIdAt[row] as number) + 8, ids.span)
    const parentAt = template.parentIdAt[row] as number
    if (parentAt !== 0) {
      patchHex(bytes, parentAt, spanIdHigh(ids.parent))
      patchHex(bytes, parentAt + 8, ids.parent)
    }
    patchDigits(bytes, template.startAt[row] as number, ids.startMs, 13)
    patchDigits(bytes, (template.startAt[row] as number) + 13, ids.startNs, 6)
    patchDigits(bytes, template.endAt[row] as number, ids.endMs, 13)
    patchDigits(bytes, (template.endAt[row] as number) + 13, ids.endNs, 6)
  }
}

function patchHex(bytes: Buffer, at: number, word: number): void {
  for (let digit = 0; digit < 8; digit++) bytes[at + digit] = hexDigits[(word >>> (28 - 4 * digit)) & 15] as number
}

function patchDigits(bytes: Buffer, at: number, value: number, width: number): void {
  let rest = value
  for (let digit = width - 1; digit >= 0; digit--) {
    const next = Math.floor(rest / 10)
    bytes[at + digit] = 48 + rest - next * 10
    rest = next
  }
}
