import { Evidence, type Wants } from '../../model/spans.ts'
import { type Strings } from '../../runtime/strings.ts'
import {
  type AttributeValue,
  type ByteSource,
  createAttributeValue,
  noBytes,
  numberFromText,
  saysTimeout,
  ValueKind
} from './attribute-value.ts'
import { KeyTable, UNKNOWN_KEY } from './key-table.ts'

const EXCEPTION_TYPE = 'exception.type'
/** Of a message within an RPC. Unary calls count to 1 in each direction, so a 2 is a stream. */
const RPC_MESSAGE_ID = 'rpc.message.id'

const NO_NAME = -1
const CODES = 2 ** 16
/** Answers remembered; beyond it they are asked for anew. */
const TESTS_MAX = 65_536

interface EventWant {
  readonly code: number
  /** UNKNOWN_KEY = any. */
  readonly name: number
  /** Names that are told by a test, once per interned name. */
  readonly nameTest: ((text: string) => boolean) | undefined
  readonly whereKey: number
  readonly equals: Uint8Array
  readonly field: number
  /** Nothing but the field tells these events: those without it are not meant. */
  readonly fieldDecides: boolean
}

/** The event being read, against what was asked for. */
export class EventWants {
  readonly keys: KeyTable
  readonly #names: KeyTable
  readonly #wants: readonly EventWant[]
  readonly #values: readonly AttributeValue[]
  readonly #exceptionType: number
  readonly #rpcMessageId: number
  #source: ByteSource = noBytes
  #name = UNKNOWN_KEY
  #anyKey = false
  // Interned name of the event, where any want needs it.
  #nameId = NO_NAME
  readonly #strings: Strings
  readonly #anyNameTest: boolean
  #passes = new Map<number, boolean>()
  #generation = -1

  constructor(wants: Wants, strings: Strings) {
    this.#strings = strings
    const encoder = new TextEncoder()
    const events = wants.flatMap((want, index) =>
      want?.from === 'event' ? [{ ...want, code: Evidence.firstWanted + index }] : []
    )
    this.#names = new KeyTable(events.flatMap(({ name }) => name ?? []))
    const keys = new KeyTable([
      EXCEPTION_TYPE,
      RPC_MESSAGE_ID,
      ...events.flatMap(({ where, field }) => [where?.key ?? [], field ?? []].flat())
    ])
    this.keys = keys
    this.#wants = events.map(({ code, name, nameTest, where, field }) => ({
      code,
      nameTest,
      name: name === undefined ? UNKNOWN_KEY : this.#names.findText(name),
      whereKey: where === undefined ? UNKNOWN_KEY : keys.findText(where.key),
      equals: encoder.encode(where?.equals ?? ''),
      field: field === undefined ? UNKNOWN_KEY : keys.findText(field),
      fieldDecides: name === undefined && nameTest === undefined && where === undefined
    }))
    this.#anyNameTest = this.#wants.some(({ nameTest }) => nameTest !== undefined)
    this.#values = keys.keys.map(createAttributeValue)
    this.#exceptionType = keys.findText(EXCEPTION_TYPE)
    this.#rpcMessageId = keys.findText(RPC_MESSAGE_ID)
  }

  begin(source: ByteSource): void {
    this.#source = source
    this.#name = UNKNOWN_KEY
    this.#nameId = NO_NAME
    if (!this.#anyKey) return
    this.#anyKey = false
    for (const value of this.#values) value.kind = ValueKind.none
  }

  name(start: number, end: number): void {
    this.#name = this.#names.find(this.#source.view, start, end)
    if (this.#anyNameTest) this.#nameId = this.#strings.intern(this.#source.bytes, start, end)
  }

  note(key: number, value: AttributeValue): void {
    const kept = this.#values[key] as AttributeValue
    kept.kind = value.kind
    kept.start = value.start
    kept.end = value.end
    kept.number = value.number
    this.#anyKey = true
  }

  saysTimeout(): boolean {
    if (!this.#anyKey) return false
    const { kind, start, end } = this.#values[this.#exceptionType] as AttributeValue
    return kind === ValueKind.text && saysTimeout(this.#source.bytes, start, end)
  }

  saysStream(): boolean {
    return this.#anyKey && this.#number(this.#rpcMessageId) > 1
  }

  /** Calls `keep` with the code and field of each want that the event answers. */
  match(keep: (code: number, field: number) => void): void {
    if (this.#name === UNKNOWN_KEY && !this.#anyKey && this.#nameId === NO_NAME) return
    for (const want of this.#wants) {
      if (want.name !== UNKNOWN_KEY && want.name !== this.#name) continue
      if (want.nameTest !== undefined && !this.#passesTest(want.code, want.nameTest)) continue
      if (want.whereKey !== UNKNOWN_KEY && !this.#equals(want.whereKey, want.equals)) continue
      const field = want.field === UNKNOWN_KEY ? NaN : this.#number(want.field)
      if (Number.isFinite(field)) keep(want.code, field)
      else if (!want.fieldDecides) keep(want.code, 0)
    }
  }

  #passesTest(code: number, test: (text: string) => boolean): boolean {
    if (this.#nameId === NO_NAME) return false
    if (this.#generation !== this.#strings.generation() || this.#passes.size >= TESTS_MAX) {
      this.#passes = new Map()
      this.#generation = this.#strings.generation()
    }
    const key = this.#nameId * CODES + code
    const known = this.#passes.get(key)
    if (known !== undefined) return known
    const passes = test(this.#strings.text(this.#nameId))
    this.#passes.set(key, passes)
    return passes
  }

  #equals(key: number, wanted: Uint8Array): boolean {
    const { kind, start, end } = this.#values[key] as AttributeValue
    if (kind !== ValueKind.text || end - start !== wanted.length) return false
    const { bytes } = this.#source
    for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false
    return true
  }

  #number(key: number): number {
    const value = this.#values[key] as AttributeValue
    if (value.kind === ValueKind.number) return value.number
    return value.kind === ValueKind.text ? numberFromText(this.#source.bytes, value.start, value.end) : NaN
  }
}
