import { Added, addedAttributes } from '../model/added-attributes.ts'
import { grades, phases } from '../model/phases.ts'
import { bands } from '../model/requests.ts'

/** Why a tail sampler should keep a trace. */
export const keepReasons = ['tail', 'over_budget', 'example'] as const
export const KeepReason = { tail: 0, overBudget: 1, example: 2 } as const

/** Tags: Span.attributes; KeyValue.key and value; of AnyValue string, bool, int and double. */
const ATTRIBUTE = 0x4a
const KEY = 0x0a
const VALUE = 0x12
const STRING = 0x0a
const BOOL = 0x10
const INT = 0x18
const DOUBLE = 0x21

/** Bytes, eight to a word, the last one filled up with zeroes: half as long a loop as with four, and no object of any. */
interface Encoded {
  readonly words: BigUint64Array
  readonly length: number
}

/** Ready-made attributes: whole where the value is one of a closed list, up to the value where it is a number. */
const encoded = {
  phase: phases.map((_, phase) => numberAttribute(Added.phase(phase), DOUBLE, 8)),
  grade: phases.slice(0, -1).map((_, phase) => grades.map((grade) => textAttribute(Added.grade(phase), grade))),
  band: bands.map((band) => textAttribute(Added.band, band)),
  dominantPhase: phases.map((phase) => textAttribute(Added.dominantPhase, phase)),
  criticalPathNs: Array.from({ length: 9 }, (_, varintBytes) =>
    numberAttribute(Added.criticalPathNs, INT, varintBytes)
  ),
  keep: numberAttribute(Added.keep, BOOL, 1, 1),
  keepReason: keepReasons.map((reason) => textAttribute(Added.keepReason, reason))
}

/** Up to a value of so many bytes, or with it. All of it is shorter than 128 bytes, so lengths take one. */
function numberAttribute(name: number, tag: number, valueBytes: number, ...bytes: number[]): Encoded {
  const key = Buffer.from(addedAttributes[name] as string)
  const value = [VALUE, 1 + valueBytes, tag]
  const length = 2 + key.length + value.length + valueBytes
  return inWords([ATTRIBUTE, length, KEY, key.length, ...key, ...value, ...bytes])
}

function textAttribute(name: number, value: string): Encoded {
  const key = Buffer.from(addedAttributes[name] as string)
  const text = Buffer.from(value)
  const any = [STRING, text.length, ...text]
  const content = [KEY, key.length, ...key, VALUE, any.length, ...any]
  return inWords([ATTRIBUTE, content.length, ...content])
}

function inWords(bytes: readonly number[]): Encoded {
  const words = new BigUint64Array(Math.ceil(bytes.length / 8))
  const view = new DataView(words.buffer)
  for (const [at, byte] of bytes.entries()) view.setUint8(at, byte)
  return { words: words.map((_, i) => view.getBigUint64(8 * i, true)), length: bytes.length }
}

/** More than all attributes of one span together, and the zeroes behind. */
const SPAN_BYTES_MAX = 2_048
const FIRST_BYTES = 64 * 1024

/** Writes attributes one after the other, as fields that may follow a span's own. */
export class AttributeWriter {
  bytes = Buffer.alloc(FIRST_BYTES)
  at = 0
  /** Bits of names that the span at hand has already; `blocked` counts what therefore was not written. */
  taken = 0
  blocked = 0
  written = 0
  #view = new DataView(this.bytes.buffer, this.bytes.byteOffset)

  /** Forgets all that was written. */
  clear(): void {
    this.at = 0
  }

  /** Starts a span's. */
  beginSpan(taken: number): void {
    this.taken = taken
    if (this.at + SPAN_BYTES_MAX <= this.bytes.length) return
    const larger = Buffer.alloc(2 * this.bytes.length)
    larger.set(this.bytes)
    this.bytes = larger
    this.#view = new DataView(larger.buffer, larger.byteOffset)
  }

  /** OpenTelemetry's durations are seconds. */
  phase(phase: number, ns: number): void {
    if (!this.#put(Added.phase(phase), encoded.phase[phase] as Encoded)) return
    this.#view.setFloat64(this.at, ns / 1e9, true)
    this.at += 8
  }

  grade(phase: number, grade: number): void {
    this.#put(Added.grade(phase), encoded.grade[phase]?.[grade] as Encoded)
  }

  band(band: number): void {
    this.#put(Added.band, encoded.band[band] as Encoded)
  }

  dominantPhase(phase: number): void {
    this.#put(Added.dominantPhase, encoded.dominantPhase[phase] as Encoded)
  }

  criticalPathNs(ns: number): void {
    let bytes = 1
    for (let more = 0x80; more <= ns; more *= 0x80) bytes += 1
    if (!this.#put(Added.criticalPathNs, encoded.criticalPathNs[bytes] as Encoded)) return
    let rest = ns
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.bytes[this.at++] = (rest & 0x7f) | 0x80
    this.bytes[this.at++] = rest
  }

  keep(reason: number): void {
    this.#put(Added.keep, encoded.keep)
    this.#put(Added.keepReason, encoded.keepReason[reason] as Encoded)
  }

  /** False when the sender has an attribute of this name. */
  #put(name: number, { words, length }: Encoded): boolean {
    if ((this.taken & (1 << name)) !== 0) {
      this.blocked += 1
      return false
    }
    // Too short for a call to pay. What is too much of the last word is written over by what comes next.
    for (let i = 0; i < words.length; i++) this.#view.setBigUint64(this.at + 8 * i, words[i] as bigint, true)
    this.at += length
    this.written += 1
    return true
  }
}
