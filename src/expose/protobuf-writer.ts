import { exactToNumber } from '../runtime/exact-sums.ts'
import { createByteCursor, varintLength } from './byte-cursor.ts'
import { protobufLabels } from './labels.ts'
import { createHistogramEncoder } from './protobuf-histogram.ts'
import { type SeriesType } from './series.ts'
import { type Encoding, type ExpositionWriter } from './writer.ts'

/** Field tags of MetricFamily and Metric in io.prometheus.client. */
const Tag = {
  familyName: 0x0a,
  familyHelp: 0x12,
  familyType: 0x18,
  familyMetric: 0x22,
  gauge: 0x12,
  counter: 0x1a,
  untyped: 0x2a,
  histogram: 0x3a,
  value: 0x09
} as const

interface TypeCodes {
  /** MetricType. */
  readonly code: number
  /** Field of Metric that holds the value. */
  readonly tag: number
}
const typeCodes: Readonly<Record<SeriesType, TypeCodes>> = {
  counter: { code: 0, tag: Tag.counter },
  gauge: { code: 1, tag: Tag.gauge },
  unknown: { code: 3, tag: Tag.untyped },
  histogram: { code: 4, tag: Tag.histogram }
}
/** A Counter, Gauge or Untyped message: tag and double. */
const VALUE_BYTES = 9
/** A family is kept in pieces of this size until its length is known. */
const PIECE_BYTES = 64 * 1024

export const protobufEncoding: Encoding<Uint8Array> = {
  none: new Uint8Array(0),
  row: protobufLabels,
  cell: protobufLabels
}

/**
 * Length-delimited MetricFamily messages. A family is one message, because readers other than Prometheus may keep only the
 * last of two with one name; so it is held back until its length is known.
 */
export function createProtobufWriter(): ExpositionWriter<Uint8Array> {
  const metrics = createByteCursor(2 * PIECE_BYTES)
  const header = createByteCursor()
  const encodeHistogram = createHistogramEncoder()
  let valueTag: number = Tag.untyped
  let pieces: Uint8Array[] = []
  let done: Uint8Array[] = []
  let pending = 0

  function seal(): void {
    pieces.push(metrics.copy())
    pending += metrics.length()
    metrics.clear()
  }

  function number(row: Uint8Array, cell: Uint8Array, value: number): void {
    if (!Number.isFinite(value)) return
    metrics.byte(Tag.familyMetric)
    metrics.varint(row.length + cell.length + 2 + VALUE_BYTES)
    metrics.bytes(row)
    metrics.bytes(cell)
    metrics.byte(valueTag)
    metrics.byte(VALUE_BYTES)
    metrics.byte(Tag.value)
    metrics.double(value)
    if (metrics.length() > PIECE_BYTES) seal()
  }

  return {
    begin({ name, help, type }) {
      const { code, tag } = typeCodes[type]
      valueTag = tag
      header.clear()
      header.text(Tag.familyName, name)
      header.text(Tag.familyHelp, help)
      header.byte(Tag.familyType)
      header.byte(code)
    },
    number,
    seconds(row, cell, sums, index) {
      number(row, cell, exactToNumber(sums, index) / 1e9)
    },
    histogram(row, cells) {
      const value = encodeHistogram(cells)
      const valueLength = varintLength(value.length)
      metrics.byte(Tag.familyMetric)
      metrics.varint(row.length + 1 + valueLength + value.length)
      metrics.bytes(row)
      metrics.message(Tag.histogram, value)
      if (metrics.length() > PIECE_BYTES) seal()
    },
    end() {
      seal()
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, header.length())
      const head = createByteCursor(header.length() + 10)
      head.varint(bytes)
      head.bytes(header.view())
      if (bytes > header.length()) done.push(head.copy(), ...pieces)
      pieces = []
    },
    finish: () => undefined,
    pending: () => pending + metrics.length(),
    take() {
      const taken = done
      done = []
      pending = 0
      return taken
    }
  }
}
