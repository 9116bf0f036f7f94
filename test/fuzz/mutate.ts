import { type Shape } from './target.ts'

/** Whole numbers from 0 to below a bound. */
export type Draw = (below: number) => number

/** Numbers at which parsers break: ends of ranges, and one beyond. */
const edges = [0, 1, 2, 7, 8, 15, 16, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]
const words = [
  ...[
    'null',
    'true',
    '-1',
    '1e400',
    '1e-400',
    '0x10',
    'NaN',
    '9007199254740993',
    '18446744073709551616',
    '""',
    '{}',
    '[]'
  ],
  ...[
    '"\\ud800"',
    '"\\u0000"',
    '__proto__',
    'constructor',
    '&a *a',
    '!!js/function',
    '${HOME}',
    '${env:',
    '- ',
    ': ',
    '#',
    '|',
    '>'
  ],
  ...['{', '}', '[', ']', '"', "'", '\\', '\n', '\t', '\ufeff', '(a+)+$', '.*'.repeat(20)]
]
const INPUT_BYTES_MAX = 1 << 16

/** A neighbour of an input: one to four changes of its bytes, or of its parts. `other` is what a part may be taken from. */
export function mutant(input: Uint8Array, other: Uint8Array, shape: Shape, draw: Draw): Uint8Array {
  let bytes: Buffer = Buffer.from(input)
  // Most often one change that keeps the parts in order: what is broken at once is refused at once.
  for (let changes = 1 + draw(1 + draw(4)); changes > 0; changes--) {
    const structured = draw(4) > 0
    if (structured && shape === 'protobuf') bytes = changeField(bytes, Buffer.from(other), draw)
    else if (structured && shape === 'json') bytes = draw(3) === 0 ? changeText(bytes, draw) : changeTree(bytes, draw)
    else if (structured && shape === 'text') bytes = changeText(bytes, draw)
    else bytes = changeBytes(bytes, Buffer.from(other), draw)
  }
  return bytes.subarray(0, INPUT_BYTES_MAX)
}

function changeBytes(bytes: Buffer, other: Buffer, draw: Draw): Buffer {
  const at = draw(bytes.length + 1)
  const length = Math.min(1 + draw(draw(2) === 0 ? 4 : 64), bytes.length - at)
  switch (draw(8)) {
    case 0:
      return flipped(bytes, at, 1 << draw(8))
    case 1:
      return flipped(bytes, at, 1 + draw(255))
    case 2:
      return replaced(bytes, at, length, edgeBytes(draw))
    case 3:
      return replaced(bytes, at, length, Buffer.alloc(0))
    case 4:
      return replaced(bytes, at, 0, bytes.subarray(at, at + length))
    case 5:
      return replaced(bytes, at, 0, Buffer.from(Array.from({ length: 1 + draw(8) }, () => draw(256))))
    case 6:
      return bytes.subarray(0, at)
    default: {
      const from = draw(other.length + 1)
      return replaced(bytes, at, length, other.subarray(from, from + draw(other.length - from + 1)))
    }
  }
}

function flipped(bytes: Buffer, at: number, bits: number): Buffer {
  const copy = Buffer.from(bytes)
  if (at < copy.length) copy[at] = (copy[at] as number) ^ bits
  return copy
}

function replaced(bytes: Buffer, at: number, length: number, by: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + length)])
}

function edgeBytes(draw: Draw): Buffer {
  const edge = edges[draw(edges.length)] as number
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(0)
  if (draw(3) === 0) bytes.writeUInt32BE(edge, 4)
  else bytes.writeUInt32LE(edge)
  return draw(3) === 0 ? bytes.subarray(4) : bytes.subarray(0, 1 << draw(4))
}

interface Field {
  readonly tag: number
  readonly wire: number
  /** Its tag, its value, its end; of a length-delimited one the value begins after the length. */
  readonly from: number
  readonly valueAt: number
  readonly to: number
}

/** Changes one field at any depth: leaves it out, doubles it, gives it another's value, tag, type or length. */
function changeField(bytes: Buffer, other: Buffer, draw: Draw): Buffer {
  const fields = fieldsOf(bytes, 0, bytes.length)
  const field = fields[draw(fields.length)]
  if (field === undefined) return changeBytes(bytes, other, draw)
  const { from, valueAt, to, wire, tag } = field
  const whole = bytes.subarray(from, to)
  if (wire === 2 && draw(4) > 0) {
    const inner = changeField(bytes.subarray(valueAt, to), other, draw)
    return replaced(bytes, from, to - from, Buffer.concat([varint(tag * 8 + 2), varint(inner.length), inner]))
  }
  switch (draw(8)) {
    case 0:
      return replaced(bytes, from, to - from, Buffer.alloc(0))
    case 1:
      return replaced(bytes, to, 0, whole)
    case 2:
      return replaced(bytes, from, to - from, Buffer.concat([varint(tag * 8 + draw(8)), bytes.subarray(valueAt, to)]))
    case 3:
      return replaced(
        bytes,
        from,
        to - from,
        Buffer.concat([varint((1 + draw(20)) * 8 + wire), bytes.subarray(from + 1, to)])
      )
    case 4:
      return replaced(
        bytes,
        from,
        to - from,
        Buffer.concat([varint(tag * 8 + wire), varint(edges[draw(edges.length)] as number)])
      )
    case 5:
      return replaced(
        bytes,
        from,
        valueAt - from,
        Buffer.concat([varint(tag * 8 + 2), varint(to - valueAt + draw(5) - 2)])
      )
    case 6: {
      const nested = Buffer.concat([varint(tag * 8 + 2), varint(whole.length), whole])
      return replaced(bytes, from, to - from, nested)
    }
    default: {
      const others = fieldsOf(other, 0, other.length)
      const taken = others[draw(others.length)]
      return taken === undefined
        ? bytes
        : replaced(bytes, draw(2) === 0 ? from : to, 0, other.subarray(taken.from, taken.to))
    }
  }
}

/** Of one level, as far as it can be read. */
function fieldsOf(bytes: Buffer, from: number, end: number): Field[] {
  const fields: Field[] = []
  for (let at = from; at < end;) {
    const head = readVarint(bytes, at, end)
    if (head === undefined) break
    const [tag, wire] = [Math.floor(head.value / 8), head.value % 8]
    const value = wire === 2 ? readVarint(bytes, head.next, end) : undefined
    const sizes: Readonly<Record<number, number | undefined>> = { 1: 8, 5: 4, 2: value?.value }
    const valueAt = value?.next ?? head.next
    const to = wire === 0 ? readVarint(bytes, head.next, end)?.next : valueAt + (sizes[wire] ?? Infinity)
    if (to === undefined || to > end) break
    fields.push({ tag, wire, from: at, valueAt, to })
    at = to
  }
  return fields
}

function readVarint(bytes: Buffer, at: number, end: number): { value: number; next: number } | undefined {
  let value = 0
  for (let i = 0; i < 5 && at + i < end; i++) {
    const byte = bytes[at + i] as number
    value += (byte & 127) * 2 ** (7 * i)
    if (byte < 128) return { value, next: at + i + 1 }
  }
  return undefined
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = Math.max(0, value)
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128)
  return Buffer.from([...bytes, left])
}

/** Changes a token of a text: replaces, leaves out, doubles, moves it, or puts a word that parsers stumble over in its place. */
function changeText(bytes: Buffer, draw: Draw): Buffer {
  const tokens = bytes.toString('latin1').match(/"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|[^\w\s]/g) ?? []
  const at = draw(tokens.length + 1)
  const token = tokens[at] ?? ''
  const word = (): string => Buffer.from(words[draw(words.length)] as string).toString('latin1')
  const changed = [
    () => tokens.splice(at, 1),
    () => tokens.splice(at, 1, word()),
    () => tokens.splice(at, 0, word()),
    () => tokens.splice(at, 0, token),
    () => tokens.splice(at, 1, tokens[draw(tokens.length)] ?? ''),
    () => tokens.splice(at, 0, ...tokens.slice(at, at + draw(12))),
    () => tokens.splice(at, draw(12)),
    () => tokens.splice(at, 1, String(edges[draw(edges.length)])),
    () => tokens.splice(at, 0, ...Array.from({ length: draw(300) }, () => token))
  ]
  changed[draw(changed.length)]?.()
  return Buffer.from(tokens.join(''), 'latin1')
}

type Tree = Record<string, unknown> | unknown[]

/** Changes one node of a JSON document: another value, none, one more of them, or a level more. */
function changeTree(bytes: Buffer, draw: Draw): Buffer {
  const root = { root: parsed(bytes) }
  if (root.root === undefined) return changeText(bytes, draw)
  const parents: Tree[] = [root]
  for (const parent of parents) for (const value of Object.values(parent)) if (isTree(value)) parents.push(value)
  const parent = parents[draw(parents.length)] as Tree
  const keys = Object.keys(parent)
  const key = keys[draw(keys.length)]
  if (key === undefined) return bytes
  const members = parent as Record<string, unknown>
  const value = members[key]
  const other = parents[draw(parents.length)] as Tree
  const changes = [
    () => (members[key] = scalar(draw)),
    () => (members[key] = scalar(draw)),
    () => (members[key] = [value]),
    () => (members[key] = other),
    () => Reflect.deleteProperty(parent, key),
    () => (Array.isArray(parent) ? parent.push(value) : (members[scalar(draw) as string] = value)),
    () => (members[key] = typeof value === 'string' ? value.slice(draw(value.length + 1)) : null),
    () => (members[key] = typeof value === 'string' ? `${value}\u0000\ud800` : {})
  ]
  changes[draw(changes.length)]?.()
  try {
    return Buffer.from(JSON.stringify(root.root))
  } catch {
    // A part that was put into itself has no text, nor has a document that was taken away.
    return bytes
  }
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

function scalar(draw: Draw): unknown {
  const edge = edges[draw(edges.length)] as number
  const values = [
    edge,
    -edge,
    String(edge),
    `-${edge}`,
    edge + 0.5,
    '18446744073709551616',
    '1e3',
    null,
    true,
    '',
    {},
    []
  ]
  return draw(3) === 0 ? words[draw(words.length)] : values[draw(values.length)]
}
