import { type Cursor, type MessageShape } from './cursor.ts'
import { EVENT_ATTRIBUTE, eventShape, LINK_ATTRIBUTE, linkShape, SPAN_ID_BYTES } from './extras-protobuf.ts'
import { type DecoderLimits } from './limits.ts'
import { type AttributeScan } from './scan-attributes.ts'
import {
  ATTRIBUTE,
  END,
  EVENT,
  KIND,
  LINK,
  NAME,
  PARENT_ID,
  SPAN_ID,
  spanShape,
  START,
  STATUS,
  statusShape,
  TRACE_ID
} from './span-protobuf.ts'
import { ACCEPTED, refusalOfEnd, refusalOfTimes } from './span-writer.ts'

export type TimeLimits = Pick<DecoderLimits, 'futureMaxMs' | 'spanAgeMaxMs'>

/** Whether the decoder would take a span, each field as it will read it. */
export class SpanScan {
  readonly #cursor: Cursor
  readonly #attributes: AttributeScan
  readonly #limits: TimeLimits

  constructor(cursor: Cursor, attributes: AttributeScan, limits: TimeLimits) {
    this.#cursor = cursor
    this.#attributes = attributes
    this.#limits = limits
  }

  /** From behind its ids on. */
  isPlain(from: number, end: number, nowMs: number): boolean {
    const cursor = this.#cursor
    const attributes = this.#attributes
    const { bytes, view } = cursor
    let startHi = 0
    let startLo = 0
    let endHi = 0
    let endLo = 0
    // Most spans have these, in this order: passed over without a call for each. What is left is read field by field.
    let next = from
    if (next + 10 <= end && bytes[next] === PARENT_ID && bytes[next + 1] === SPAN_ID_BYTES) next += 10
    if (next + 2 <= end && bytes[next] === NAME && (bytes[next + 1] as number) < 0x80) {
      next += 2 + (bytes[next + 1] as number)
    }
    if (next + 2 <= end && bytes[next] === KIND && (bytes[next + 1] as number) < 0x80) next += 2
    if (next + 18 <= end && bytes[next] === START && bytes[next + 9] === END) {
      startLo = view.getUint32(next + 1, true)
      startHi = view.getUint32(next + 5, true)
      endLo = view.getUint32(next + 10, true)
      endHi = view.getUint32(next + 14, true)
      next += 18
    }
    if (next > end) return false
    next = attributes.plain(next, end)
    // Of a span without a mistake.
    if (next + 2 <= end && bytes[next] === STATUS && bytes[next + 1] === 0) next += 2
    cursor.at = next
    while (cursor.at < end) {
      const at = cursor.at
      const tag = cursor.tag(end)
      switch (tag) {
        case ATTRIBUTE: {
          const attributesEnd = attributes.plain(at, end)
          if (attributesEnd > at) cursor.at = attributesEnd
          else attributes.keyValue(cursor.length(end))
          break
        }
        case NAME:
          cursor.at = cursor.length(end)
          break
        case KIND:
          cursor.varint(end)
          break
        case START: {
          const from = cursor.fixed(8, end)
          startLo = view.getUint32(from, true)
          startHi = view.getUint32(from + 4, true)
          break
        }
        case END: {
          const from = cursor.fixed(8, end)
          endLo = view.getUint32(from, true)
          endHi = view.getUint32(from + 4, true)
          break
        }
        case PARENT_ID: {
          const parentEnd = cursor.length(end)
          if (parentEnd !== cursor.at && parentEnd !== cursor.at + SPAN_ID_BYTES) return false
          cursor.at = parentEnd
          break
        }
        case STATUS:
          this.#fields(cursor.length(end), statusShape)
          break
        case EVENT:
          attributes.message(cursor.length(end), EVENT_ATTRIBUTE, eventShape)
          break
        case LINK:
          attributes.message(cursor.length(end), LINK_ATTRIBUTE, linkShape)
          break
        case TRACE_ID:
        case SPAN_ID:
          // Of an id given twice the last counts.
          return false
        default:
          cursor.skip(tag, spanShape, end)
      }
    }
    if (refusalOfTimes(startHi, startLo, endHi, endLo) !== ACCEPTED) return false
    return refusalOfEnd(endHi, endLo, nowMs, this.#limits) === ACCEPTED
  }

  #fields(end: number, shape: MessageShape): void {
    const cursor = this.#cursor
    while (cursor.at < end) cursor.skip(cursor.tag(end), shape, end)
  }
}
