import { Fault } from '../../runtime/fault.ts'
import { textField, varint } from '../protobuf-writer.ts'
import { Cursor, messageShape, Wire } from '../otlp/cursor.ts'
import { type FieldKind, type Message } from './otlp-fields.ts'
import {
  ANY_VALUE_DEPTH_MAX,
  CLEAN_TEXT_LENGTH_MAX,
  MASK,
  type KeyVerdict,
  type PatternList,
  type RedactionRules
} from './rules.ts'

/** Kinds of fields by number. */
type Shape = readonly (ShapeKind | undefined)[]
type ShapeKind = 'attributes' | 'text' | 'kept' | Shape

function shapeOf(message: Message): Shape {
  const shape: ShapeKind[] = []
  for (const { number, kind } of Object.values(message)) shape[number] = isMessage(kind) ? shapeOf(kind) : kind
  return shape
}

function isMessage(kind: FieldKind): kind is Message {
  return typeof kind === 'object'
}

/** Bytes from `from` to `to` become these. */
interface Edit {
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
}

/** By how many bytes the content of a field grows; GONE = the field is left out. */
type Growth = number
const GONE = -Infinity

const nothing = Buffer.alloc(0)
const noFields = messageShape({})
/** Keys are few and come again and again; beyond this they are judged anew. */
const KEYS_REMEMBERED_MAX = 4_096
/** Of one request: each costs some hundred bytes while it is redacted. */
const EDITS_MAX = 500_000
/** Of a key, a value and a text in it, as the first byte of each field has it; lengths of one byte. */
const KEY_TAG = 0x0a
const VALUE_TAG = 0x12
const TEXT_TAG = 0x0a
const ONE_BYTE_MAX = 127
const Key = { key: 1, value: 2 } as const
const Any = { text: 1, list: 5, map: 6, bytes: 7 } as const

/** Redacts one kind of request. What needs no change is given back as it came, without a copy. */
export function createProtobufRedactor(request: Message, rules: RedactionRules): (body: Uint8Array) => Uint8Array {
  const shape = shapeOf(request)
  const cursor = new Cursor()
  let bytes: Buffer = nothing
  let edits: Edit[] = []
  const verdicts = new Map<string, KeyVerdict>()

  const textAt = (from: number, to: number): string => bytes.toString('utf8', from, to)

  function replace(from: number, to: number, by: Uint8Array): Growth {
    if (edits.length >= EDITS_MAX)
      throw new Fault('OVER_LIMIT', `more than ${EDITS_MAX} values to redact in one request`)
    edits.push({ from, to, bytes: by })
    return by.length - (to - from)
  }

  /** Goes through the fields up to `end`; `content` is given each length-delimited one and says by how much it grows. */
  function eachField(end: number, content: (number: number, from: number, to: number) => Growth): Growth {
    let growth = 0
    while (cursor.at < end) {
      const tagAt = cursor.at
      const tag = cursor.tag(end)
      if ((tag & 7) !== Wire.bytes) {
        cursor.skip(tag, noFields, end)
        continue
      }
      const lengthAt = cursor.at
      const to = cursor.length(end)
      const from = cursor.at
      const before = edits.length
      const grown = content(tag >>> 3, from, to)
      if (grown === GONE) {
        edits.length = before
        growth += replace(tagAt, to, nothing)
      } else if (grown !== 0) growth += grown + replace(lengthAt, from, Buffer.from(varint(to - from + grown)))
      cursor.at = to
    }
    return growth
  }

  function message(fields: Shape, end: number): Growth {
    return eachField(end, (number, from, to) => {
      const kind = fields[number]
      if (kind === 'kept') return 0
      if (kind === 'text') return text(from, to, rules.forNames, true)
      if (kind === 'attributes') return staysAsItIs(from, to) ? 0 : keyValue(from, to, 0)
      return kind === undefined ? GONE : message(kind, to)
    })
  }

  function text(from: number, to: number, patterns: PatternList, isName: boolean): Growth {
    if (patterns.rules.length === 0) return 0
    // Its bytes a character each are enough to know it by, and cheaper than UTF-8.
    const name = to - from > CLEAN_TEXT_LENGTH_MAX ? undefined : bytes.toString('latin1', from, to)
    if (name !== undefined && patterns.clean.has(name)) return 0
    const replaced = rules.applyTo(textAt(from, to), patterns, isName)
    if (replaced === null) return GONE
    if (replaced !== undefined) return replace(from, to, Buffer.from(replaced))
    if (name !== undefined) rules.remember(patterns, name)
    return 0
  }

  /** The verdict on a key by its bytes, a character each: of keys that are not ASCII what it would be in UTF-8. */
  function verdictOn(from: number, to: number): KeyVerdict {
    const name = bytes.toString('latin1', from, to)
    let verdict = verdicts.get(name)
    if (verdict !== undefined) return verdict
    verdict = rules.forKey(textAt(from, to))
    if (verdicts.size < KEYS_REMEMBERED_MAX) verdicts.set(name, verdict)
    return verdict
  }

  /**
   * Whether an attribute is a key and a text, as most are, and stays as it is. Everything else is for `keyValue`, which
   * reads whatever protobuf allows.
   */
  function staysAsItIs(from: number, to: number): boolean {
    const keyLength = bytes[from + 1] as number
    const valueAt = from + 2 + keyLength
    if (bytes[from] !== KEY_TAG || keyLength > ONE_BYTE_MAX || valueAt + 4 > to) return false
    const textLength = bytes[valueAt + 3] as number
    const isText = bytes[valueAt] === VALUE_TAG && bytes[valueAt + 2] === TEXT_TAG
    if (!isText || textLength > ONE_BYTE_MAX - 2 || valueAt + 4 + textLength !== to) return false
    if (bytes[valueAt + 1] !== textLength + 2) return false
    const { whole, patterns } = verdictOn(from + 2, valueAt)
    if (whole !== undefined) return false
    return patterns.rules.length === 0 || patterns.clean.has(bytes.toString('latin1', valueAt + 4, to))
  }

  function keyValue(from: number, to: number, depth: number): Growth {
    let key = { from, to: from }
    eachField(to, (number, keyFrom, keyTo) => {
      if (number === Key.key) key = { from: keyFrom, to: keyTo }
      return 0
    })
    const { whole, patterns } = verdictOn(key.from, key.to)
    cursor.at = from
    const seen = { gone: false }
    const growth = eachField(to, (number, valueFrom, valueTo) => {
      if (number === Key.key) return 0
      if (number !== Key.value) return GONE
      const grown = whole === undefined ? anyValue(valueTo, patterns, depth) : wholeValue(valueFrom, valueTo, whole)
      seen.gone ||= grown === GONE
      return grown
    })
    return seen.gone ? GONE : growth
  }

  function wholeValue(from: number, to: number, action: Parameters<RedactionRules['replaceWhole']>[0]): Growth {
    // Of a text its bytes alone, so that equal texts have equal hashes however they came.
    let valueFrom = from
    eachField(to, (number, textFrom, textTo) => {
      if (number === Any.text && textTo === to) valueFrom = textFrom
      return 0
    })
    const replaced = rules.replaceWhole(action, bytes.subarray(valueFrom, to))
    return replaced === undefined ? GONE : replace(from, to, textField(Any.text, replaced))
  }

  function anyValue(end: number, patterns: PatternList, depth: number): Growth {
    const from = cursor.at
    if (depth > ANY_VALUE_DEPTH_MAX) return replace(from, end, textField(Any.text, MASK))
    const seen = { gone: false }
    const note = (grown: Growth): Growth => {
      seen.gone ||= grown === GONE
      return grown === GONE ? 0 : grown
    }
    const growth = eachField(end, (number, valueFrom, to) => {
      if (number === Any.text) return note(text(valueFrom, to, patterns, false))
      if (number === Any.list) return eachField(to, (_, __, itemTo) => anyValue(itemTo, patterns, depth + 1))
      if (number === Any.map) return eachField(to, (_, entryFrom, entryTo) => keyValue(entryFrom, entryTo, depth + 1))
      return number === Any.bytes ? 0 : GONE
    })
    return seen.gone ? GONE : growth
  }

  return (body) => {
    bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    cursor.load(body)
    edits = []
    try {
      message(shape, body.length)
      return edits.length === 0 ? body : applied(bytes, edits)
    } finally {
      cursor.unload()
      bytes = nothing
      edits = []
    }
  }
}

/** Edits do not overlap; a field's length was noted after its content. */
function applied(bytes: Buffer, edits: Edit[]): Buffer {
  edits.sort((a, b) => a.from - b.from)
  const parts: Uint8Array[] = []
  let from = 0
  for (const edit of edits) {
    parts.push(bytes.subarray(from, edit.from), edit.bytes)
    from = edit.to
  }
  parts.push(bytes.subarray(from))
  return Buffer.concat(parts)
}
