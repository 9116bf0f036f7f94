import { type Random } from './random-traces.ts'

/** Which fields of a message are messages that may be written in another way too. */
interface Nested {
  readonly [field: number]: Nested
}

const keyValue: Nested = {}
const span: Nested = { 9: keyValue, 11: { 3: keyValue }, 13: { 4: keyValue }, 15: {} }
const request: Nested = { 1: { 1: { 1: keyValue }, 2: { 1: { 3: keyValue }, 2: span } } }

interface Field {
  readonly number: number
  readonly wire: number
  readonly content: Buffer
}

/**
 * The same trace request as some other writer might send it, all of it legal: fields in another order, unknown fields, varints
 * longer than need be, parts that come twice.
 */
export function writtenWildly(bytes: Uint8Array, random: Random): Uint8Array {
  return Uint8Array.from(rewrite(Buffer.from(bytes), request, random))
}

function rewrite(bytes: Buffer, nested: Nested, random: Random): Buffer {
  const fields = fieldsOf(bytes).map((field) => {
    const inner = nested[field.number]
    return inner === undefined ? field : { ...field, content: rewrite(field.content, inner, random) }
  })
  if (random() < 0.1) fields.sort(() => random() - 0.5)
  if (random() < 0.15) fields.splice(Math.floor(random() * (fields.length + 1)), 0, unknownField(random))
  const twice = fields[Math.floor(random() * fields.length)]
  if (twice !== undefined && random() < 0.05) fields.push(twice)
  return Buffer.concat(fields.map((field) => written(field, random)))
}

function unknownField(random: Random): Field {
  const wire = [0, 1, 2, 5][Math.floor(random() * 4)] as number
  const sizes: Readonly<Record<number, number>> = { 0: 1, 1: 8, 2: Math.floor(random() * 200), 5: 4 }
  return { number: 20 + Math.floor(random() * 3000), wire, content: Buffer.alloc(sizes[wire] as number) }
}

function written({ number, wire, content }: Field, random: Random): Buffer {
  const head = varint(number * 8 + wire, random)
  return wire === 2 ? Buffer.concat([head, varint(content.length, random), content]) : Buffer.concat([head, content])
}

function varint(value: number, random: Random): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push(rest % 128)
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  while (bytes.length < 5 && random() < 0.02) bytes.push(0)
  return Buffer.from(bytes.map((byte, i) => (i < bytes.length - 1 ? byte | 128 : byte)))
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const next = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++] as number
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = next()
    const wire = tag % 8
    const from = at
    if (wire === 0) next()
    else if (wire === 1) at += 8
    else if (wire === 5) at += 4
    else {
      const length = next()
      at += length
      fields.push({ number: tag >>> 3, wire, content: bytes.subarray(at - length, at) })
      continue
    }
    fields.push({ number: tag >>> 3, wire, content: bytes.subarray(from, at) })
  }
  return fields
}
