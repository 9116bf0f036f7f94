import { isDeepStrictEqual } from 'node:util'
import { type Pipeline } from '../../../src/pipeline.ts'
import { decodeRequest, type AnyValue, type KeyValue, type SpanMessage } from '../accept/otlp/otlp-messages.ts'

/** A span as it is in a request, and everything of what it is in but other spans. */
export interface OutgoingSpan {
  readonly bytes: Buffer
  /** The other fields of its ResourceSpans and ScopeSpans, as hex. */
  readonly envelope: string
  /** What protobufjs makes of it, and of its resource and scope. */
  readonly message: SpanMessage
  readonly parents: object
  readonly attributes: readonly KeyValue[]
  readonly hasIds: boolean
}

export type Outgoing = readonly OutgoingSpan[]

export const spansIn = (request: Outgoing): Outgoing => request

interface RawField {
  readonly number: number
  readonly whole: Buffer
  readonly content: Buffer
}

/** Fields of a message, by another reader than the one under test. */
function fieldsOf(message: Buffer): RawField[] {
  const fields: RawField[] = []
  const varint = (from: number): [number, number] => {
    let value = 0
    for (let at = from, factor = 1; ; at++, factor *= 128) {
      const byte = message[at] as number
      value += (byte & 127) * factor
      if (byte < 128) return [value, at + 1]
    }
  }
  for (let at = 0; at < message.length;) {
    const [tag, afterTag] = varint(at)
    const wire = tag % 8
    const [length, from] = wire === 2 ? varint(afterTag) : [0, afterTag]
    const end = wire === 0 ? varint(from)[1] : wire === 1 ? from + 8 : wire === 5 ? from + 4 : from + length
    fields.push({ number: Math.floor(tag / 8), whole: message.subarray(at, end), content: message.subarray(from, end) })
    at = end
  }
  return fields
}

export function readOutgoing(request: Buffer): Outgoing {
  const decoded = decodeRequest(request)
  const spans: OutgoingSpan[] = []
  const joined = (fields: readonly RawField[]): string =>
    Buffer.concat(fields.map(({ whole }) => whole)).toString('hex')
  const ofRequest = fieldsOf(request).filter(({ number }) => number === 1)
  for (const [r, resource] of ofRequest.entries()) {
    const resourceFields = fieldsOf(resource.content)
    const around = joined(resourceFields.filter(({ number }) => number !== 2))
    for (const [s, scope] of resourceFields.filter(({ number }) => number === 2).entries()) {
      const scopeFields = fieldsOf(scope.content)
      const envelope = `${around}/${joined(scopeFields.filter(({ number }) => number !== 2))}`
      for (const [i, { content }] of scopeFields.filter(({ number }) => number === 2).entries()) {
        const message = decoded[r]?.scopeSpans[s]?.spans[i] as SpanMessage
        const isId = (bytes: Uint8Array | undefined, length: number): boolean =>
          bytes?.length === length && bytes.some((byte) => byte !== 0)
        spans.push({
          bytes: content,
          envelope,
          message,
          parents: { resource: decoded[r]?.resource, scope: decoded[r]?.scopeSpans[s]?.scope },
          attributes: message.attributes ?? [],
          hasIds:
            isId(message.traceId, 16) &&
            isId(message.spanId, 8) &&
            [undefined, 0, 8].includes(message.parentSpanId?.length)
        })
      }
    }
  }
  return spans
}

/** The attributes that `went` has after all of `came`'s; everything else of the two must be the same. */
export function added(came: OutgoingSpan, went: OutgoingSpan): readonly KeyValue[] {
  const before = came.attributes.length
  const [kept, more] = [went.attributes.slice(0, before), went.attributes.slice(before)]
  const others = { ...went.message, attributes: kept }
  if (!isDeepStrictEqual(others, { ...came.message, attributes: came.attributes }))
    throw new Error('something but attributes has changed')
  return more
}

export function valueOf(value: AnyValue | undefined): unknown {
  const { stringValue, boolValue, intValue, doubleValue } = value ?? {}
  if (intValue !== undefined) return Number(intValue)
  return stringValue ?? boolValue ?? doubleValue
}

export function countOf({ sources }: Pipeline, name: string, value: string): number {
  const samples = sources.counters.flatMap((counters) => counters.samples())
  const found = samples.find((sample) => sample.name === name && sample.labelValue === value)
  if (found === undefined) throw new Error(`no ${name}{${value}}`)
  return found.value
}
