import { Fault } from '../../runtime/fault.ts'
import { type ByteSource } from './byte-source.ts'
import { PART_BYTES, UNCUT_BYTES_MAX, type FileProblem, type Signal } from './payload.ts'

/** Gets one export request, whole or in part, and the offset that it began at. */
export type TakeMessage = (bytes: Uint8Array, offset: number) => void

export interface MessageSink {
  readonly take: TakeMessage
  readonly problem: (problem: FileProblem) => void
}

export interface MessageLimits {
  readonly partBytes: number
  readonly uncutBytesMax: number
}
const limits: MessageLimits = { partBytes: PART_BYTES, uncutBytesMax: UNCUT_BYTES_MAX }

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

interface Field {
  readonly number: number
  readonly wire: number
  /** Bytes of tag and length. */
  readonly head: number
  /** Bytes of the value. */
  readonly size: number
}

/** Reads the tag at `at`, and the size of the value behind it; undefined where there is no field. */
function fieldAt(bytes: Uint8Array, at: number): Field | undefined {
  const tag = varintAt(bytes, at)
  if (tag === undefined) return undefined
  const wire = tag.value % 8
  const number = Math.floor(tag.value / 8)
  if (number === 0) return undefined
  if (wire === FIXED64) return { number, wire, head: tag.size, size: 8 }
  if (wire === FIXED32) return { number, wire, head: tag.size, size: 4 }
  const next = varintAt(bytes, at + tag.size)
  if (next === undefined) return undefined
  if (wire === VARINT) return { number, wire, head: tag.size, size: next.size }
  return wire === LENGTH ? { number, wire, head: tag.size + next.size, size: next.value } : undefined
}

function varintAt(bytes: Uint8Array, at: number): { value: number; size: number } | undefined {
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, size: i + 1 }
  }
  return undefined
}

/** Whether the file begins as one message does: a first field 1 with a resource or a scope in it. A length prefix begins otherwise. */
export function looksLikeMessage(start: Uint8Array): boolean {
  const entry = fieldAt(start, 0)
  if (entry?.number !== 1 || entry.wire !== LENGTH) return false
  if (entry.size === 0) return start.length === entry.head || start[entry.head] === start[0]
  const inner = fieldAt(start, entry.head)
  return inner?.wire === LENGTH && inner.number <= 3 && inner.head + inner.size <= entry.size
}

/** Messages, each behind its length in 4 bytes big-endian. A broken one is told of and passed over. */
export async function readPrefixedMessages(source: ByteSource, sink: MessageSink, within = limits): Promise<void> {
  for (;;) {
    const offset = source.offset()
    const prefix = await source.take(4)
    if (prefix.length === 0) return
    if (prefix.length < 4) throw new Fault('BAD_FILE', `the file ends inside the length at byte ${offset}`)
    const end = offset + 4 + new DataView(prefix.buffer, prefix.byteOffset).getUint32(0)
    try {
      await readMessage(source, end - offset - 4, sink.take, within)
    } catch (reason) {
      const fault = Fault.from(reason)
      if (fault.code !== 'BAD_FILE') throw fault
      sink.problem({ where: `byte ${offset}`, message: fault.message })
      await source.skip(end - source.offset())
    }
  }
}

/** One message of `size` bytes (Infinity: to the end of the file), entry by entry: each is a message of its own. */
export async function readMessage(source: ByteSource, size: number, take: TakeMessage, within = limits): Promise<void> {
  await eachField(source, size, async (field) => {
    const offset = source.offset()
    if (field.number !== 1 || field.wire !== LENGTH) await source.skip(field.head + field.size)
    else if (field.size <= within.partBytes) take(await whole(source, field, within), offset)
    else await readEntry(source, field, take, within)
  })
}

/** A very large ResourceSpans, cut between its spans; each part names the resource and scope that came before it. */
async function readEntry(source: ByteSource, entry: Field, take: TakeMessage, within: MessageLimits): Promise<void> {
  let resource: Uint8Array = new Uint8Array(0)
  await source.skip(entry.head)
  await eachField(source, entry.size, async (scope) => {
    const offset = source.offset()
    if (scope.number === 1) resource = (await whole(source, scope, within)).slice()
    else if (scope.number !== 2 || scope.wire !== LENGTH) await source.skip(scope.head + scope.size)
    else if (scope.size <= within.partBytes) take(wrap([resource, await whole(source, scope, within)]), offset)
    else {
      await source.skip(scope.head)
      await readScope(source, scope.size, {
        take: (parts, at) => {
          take(wrap([resource, wrap(parts, 2)]), at)
        },
        within
      })
    }
  })
}

interface ScopeParts {
  readonly take: (parts: Uint8Array[], offset: number) => void
  readonly within: MessageLimits
}

async function readScope(source: ByteSource, size: number, { take, within }: ScopeParts): Promise<void> {
  let scope: Uint8Array = new Uint8Array(0)
  let items: Uint8Array[] = []
  let bytes = 0
  let offset = source.offset()
  const flush = (): void => {
    if (items.length > 0) take([scope, ...items], offset)
    items = []
    bytes = 0
    offset = source.offset()
  }
  await eachField(source, size, async (item) => {
    if (item.number === 1) scope = (await whole(source, item, within)).slice()
    else if (item.number !== 2) await source.skip(item.head + item.size)
    else {
      items.push((await whole(source, item, within)).slice())
      bytes += item.head + item.size
      if (bytes >= within.partBytes) flush()
    }
  })
  flush()
}

/** Calls `read` at each field of the next `size` bytes; it takes the field, tag and all. */
async function eachField(source: ByteSource, size: number, read: (field: Field) => Promise<void>): Promise<void> {
  const end = source.offset() + size
  while (source.offset() < end) {
    const offset = source.offset()
    const start = await source.peek(20)
    if (start.length === 0 && size === Infinity) return
    const field = fieldAt(start, 0)
    if (field === undefined) throw new Fault('BAD_FILE', `no protobuf field at byte ${offset}`)
    const fieldEnd = offset + field.head + field.size
    if (fieldEnd > end) throw new Fault('BAD_FILE', `the field at byte ${offset} is longer than what holds it`)
    await read(field)
    if (source.offset() < fieldEnd) throw new Fault('BAD_FILE', `the file ends inside the field at byte ${offset}`)
  }
}

/** The field with its tag. */
async function whole(source: ByteSource, field: Field, within: MessageLimits): Promise<Uint8Array> {
  const size = field.head + field.size
  if (size > within.uncutBytesMax) {
    throw new Fault('BAD_FILE', `the field at byte ${source.offset()} has ${size} bytes, and no place to cut it`)
  }
  const bytes = await source.take(size)
  if (bytes.length === size) return bytes
  throw new Fault('BAD_FILE', `the file ends inside the field at byte ${source.offset() - bytes.length}`)
}

/** Parts as the value of field `number`. */
function wrap(parts: readonly Uint8Array[], number = 1): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  const head = [number * 8 + LENGTH]
  let rest = size
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80)
  head.push(rest)
  return Buffer.concat([Uint8Array.from(head), ...parts])
}

/**
 * What an export request is about, by the shape of its first telling item: a Span has fixed64 times in fields 7 and 8, a kind in 6,
 * or at least ids of 16 and 8 bytes; a LogRecord has a fixed64 time in 1 or 11, or a severity in 2; a Metric has its data in
 * fields 5 to 11, with a length. Undefined without such an item.
 */
export function signalOf(message: Uint8Array): Signal | undefined {
  for (const entry of fields(message, 1)) {
    for (const scope of fields(entry, 2)) {
      for (const item of fields(scope, 2)) {
        const found = signalOfItem(item)
        if (found !== undefined) return found
      }
    }
  }
  return undefined
}

function signalOfItem(item: Uint8Array): Signal | undefined {
  let ids = 0
  let data = false
  for (let at = 0; at < item.length;) {
    const field = fieldAt(item, at)
    if (field === undefined) break
    const { number, wire, size } = field
    if (wire === FIXED64 && (number === 1 || number === 11)) return 'logs'
    if ((wire === VARINT && number === 2) || (wire === FIXED32 && number === 8)) return 'logs'
    if ((wire === FIXED64 && (number === 7 || number === 8)) || (wire === VARINT && number === 6)) return 'traces'
    if (wire === LENGTH) {
      if (number === 7) return 'metrics'
      if ((number === 1 && size === 16) || (number === 2 && size === 8)) ids += 1
      data ||= number === 5 || (number >= 9 && number <= 11)
    }
    at += field.head + size
  }
  if (ids === 2) return 'traces'
  return data ? 'metrics' : undefined
}

/** Values of field `number`, as far as the message can be read. */
function* fields(message: Uint8Array, number: number): Generator<Uint8Array> {
  for (let at = 0; at < message.length;) {
    const field = fieldAt(message, at)
    if (field === undefined || at + field.head + field.size > message.length) return
    const from = at + field.head
    if (field.number === number && field.wire === LENGTH) yield message.subarray(from, from + field.size)
    at = from + field.size
  }
}
