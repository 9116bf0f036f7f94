import { type MetricPoints, PointShape } from '../../model/metric-points.ts'
import { createAttributeValue } from './attribute-value.ts'
import { Cursor, messageShape, Wire } from './cursor.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { type PointWriter } from './point-writer.ts'
import { createKeyValueRange, readKeyValue, readRange, readResource } from './protobuf-attributes.ts'
import { type SenderReader } from './sender-reader.ts'

const { varint, fixed64, bytes } = Wire

const requestShape = messageShape({ 1: bytes })
const resourceMetricsShape = messageShape({ 1: bytes, 2: bytes, 3: bytes })
const scopeMetricsShape = messageShape({ 1: bytes, 2: bytes, 3: bytes })
const metricShape = messageShape({ 1: bytes, 2: bytes, 3: bytes, 5: bytes, 7: bytes, 9: bytes, 10: bytes, 11: bytes })
const dataShape = messageShape({ 1: bytes, 2: varint, 3: varint })
const numberShape = messageShape({ 2: fixed64, 3: fixed64, 4: fixed64, 5: bytes, 6: fixed64, 7: bytes, 8: varint })
const histogramShape = messageShape({
  ...{ 2: fixed64, 3: fixed64, 4: fixed64, 5: fixed64, 6: fixed64, 7: fixed64, 8: bytes, 9: bytes, 10: varint },
  ...{ 11: fixed64, 12: fixed64 }
})
const summaryShape = messageShape({ 2: fixed64, 3: fixed64, 4: fixed64, 5: fixed64, 6: bytes, 7: bytes, 8: varint })

/** Tags: field number and wire type. */
const RESOURCE_METRICS = (1 << 3) | bytes
const RESOURCE = (1 << 3) | bytes
const SCOPE_METRICS = (2 << 3) | bytes
const METRIC = (2 << 3) | bytes
const METRIC_NAME = (1 << 3) | bytes
const METRIC_UNIT = (3 << 3) | bytes
const GAUGE = (5 << 3) | bytes
const SUM = (7 << 3) | bytes
const HISTOGRAM = (9 << 3) | bytes
const EXPONENTIAL_HISTOGRAM = (10 << 3) | bytes
const SUMMARY = (11 << 3) | bytes
const DATA_POINT = (1 << 3) | bytes
const TEMPORALITY = (2 << 3) | varint
const MONOTONIC = (3 << 3) | varint
const START = (2 << 3) | fixed64
const TIME = (3 << 3) | fixed64
/** NumberDataPoint */
const AS_DOUBLE = (4 << 3) | fixed64
const AS_INT = (6 << 3) | fixed64
const NUMBER_ATTRIBUTE = (7 << 3) | bytes
const NUMBER_FLAGS = (8 << 3) | varint
/** HistogramDataPoint and, as far as it has them, SummaryDataPoint */
const COUNT = (4 << 3) | fixed64
const TOTAL = (5 << 3) | fixed64
const BUCKET = (6 << 3) | fixed64
const BUCKETS_PACKED = (6 << 3) | bytes
const BOUND = (7 << 3) | fixed64
const BOUNDS_PACKED = (7 << 3) | bytes
const HISTOGRAM_ATTRIBUTE = (9 << 3) | bytes
const HISTOGRAM_FLAGS = (10 << 3) | varint
const MIN = (11 << 3) | fixed64
const MAX = (12 << 3) | fixed64
const SUMMARY_ATTRIBUTE = (7 << 3) | bytes
const SUMMARY_FLAGS = (8 << 3) | varint

const HIGH_WORD = 4294967296
/** Points of this shape are counted and not read. */
const UNREAD = -1

export interface MetricReaderParts {
  readonly points: MetricPoints
  readonly writer: PointWriter
  readonly sender: SenderReader
}

/** Walks one ExportMetricsServiceRequest and hands the points of runtime metrics to the writer. */
export class MetricsProtobuf {
  readonly #cursor = new Cursor()
  readonly #range = createKeyValueRange()
  readonly #value = createAttributeValue()
  readonly #decoder = new TextDecoder()
  readonly #points: MetricPoints
  readonly #writer: PointWriter
  readonly #sender: SenderReader

  constructor(parts: MetricReaderParts) {
    this.#points = parts.points
    this.#writer = parts.writer
    this.#sender = parts.sender
  }

  read(request: Uint8Array): void {
    const cursor = this.#cursor
    const end = request.length
    cursor.load(request)
    try {
      while (cursor.at < end) {
        const tag = cursor.tag(end)
        if (tag === RESOURCE_METRICS) this.#resourceMetrics(cursor.length(end))
        else cursor.skip(tag, requestShape, end)
      }
    } finally {
      cursor.unload()
    }
  }

  #resourceMetrics(end: number): void {
    const cursor = this.#cursor
    const firstRow = this.#points.n
    this.#sender.begin()
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === RESOURCE) readResource(cursor, cursor.length(end), this.#sender)
      else if (tag === SCOPE_METRICS) this.#scopeMetrics(cursor.length(end))
      else cursor.skip(tag, resourceMetricsShape, end)
    }
    if (this.#points.n > firstRow) this.#writer.endResource(firstRow, this.#sender.row())
  }

  #scopeMetrics(end: number): void {
    const cursor = this.#cursor
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === METRIC) this.#metric(cursor.length(end))
      else cursor.skip(tag, scopeMetricsShape, end)
    }
  }

  /** Twice over the metric: its name and unit may come after its points. */
  #metric(end: number): void {
    const cursor = this.#cursor
    const start = cursor.at
    let metric = UNKNOWN_KEY
    let unit = ''
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === METRIC_NAME || tag === METRIC_UNIT) {
        const textEnd = cursor.length(end)
        if (tag === METRIC_NAME) metric = this.#writer.metrics.find(cursor.view, cursor.at, textEnd)
        else unit = textEnd - cursor.at <= UNIT_BYTES_MAX ? this.#text(cursor.at, textEnd) : ''
        cursor.at = textEnd
      } else cursor.skip(tag, metricShape, end)
    }
    if (metric !== UNKNOWN_KEY) this.#writer.beginMetric(metric, unit)
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      const shape = shapeOf(tag)
      if (shape === undefined) cursor.skip(tag, metricShape, end)
      else this.#data(cursor.length(end), metric === UNKNOWN_KEY ? UNREAD : shape)
    }
  }

  #text(start: number, end: number): string {
    return this.#decoder.decode(this.#cursor.bytes.subarray(start, end))
  }

  #data(end: number, shape: number): void {
    const cursor = this.#cursor
    const firstRow = this.#points.n
    let temporality = 0
    let monotonic = false
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === DATA_POINT) this.#point(cursor.length(end), shape)
      else if (tag === TEMPORALITY && shape !== UNREAD) temporality = cursor.varint(end)
      else if (tag === MONOTONIC && shape !== UNREAD) monotonic = cursor.varint(end) !== 0
      else cursor.skip(tag, dataShape, end)
    }
    if (shape === PointShape.sum || shape === PointShape.histogram) {
      this.#writer.endData(firstRow, temporality, monotonic)
    }
  }

  #point(end: number, shape: number): void {
    if (shape === UNREAD) {
      this.#points.ignored += 1
      this.#cursor.at = end
      return
    }
    const row = this.#writer.begin(shape)
    if (shape === PointShape.histogram) this.#histogramFields(end, row)
    else if (shape === PointShape.summary) this.#summaryFields(end, row)
    else this.#numberFields(end, row)
    this.#writer.finish()
  }

  #numberFields(end: number, row: number): void {
    const cursor = this.#cursor
    const { value } = this.#points
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === AS_DOUBLE) value[row] = cursor.double(end)
      else if (tag === AS_INT) value[row] = this.#int64(end)
      else if (tag === NUMBER_ATTRIBUTE) this.#attribute(cursor.length(end))
      else if (tag === NUMBER_FLAGS) this.#writer.flags = cursor.varint(end)
      else if (!this.#time(tag, end, row)) cursor.skip(tag, numberShape, end)
    }
  }

  #summaryFields(end: number, row: number): void {
    const cursor = this.#cursor
    const { value, count } = this.#points
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === COUNT) count[row] = this.#uint64(end)
      else if (tag === TOTAL) value[row] = cursor.double(end)
      else if (tag === SUMMARY_ATTRIBUTE) this.#attribute(cursor.length(end))
      else if (tag === SUMMARY_FLAGS) this.#writer.flags = cursor.varint(end)
      else if (!this.#time(tag, end, row)) cursor.skip(tag, summaryShape, end)
    }
  }

  #histogramFields(end: number, row: number): void {
    const cursor = this.#cursor
    const writer = this.#writer
    const { value, count, min, max } = this.#points
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      switch (tag) {
        case COUNT:
          count[row] = this.#uint64(end)
          break
        case TOTAL:
          value[row] = cursor.double(end)
          break
        case MIN:
          min[row] = cursor.double(end)
          break
        case MAX:
          max[row] = cursor.double(end)
          break
        // Repeated numbers come packed, but parsers must take them one by one too.
        case BUCKET:
          writer.bucket(this.#uint64(end))
          break
        case BOUND:
          writer.bound(cursor.double(end))
          break
        case BUCKETS_PACKED: {
          const packedEnd = cursor.length(end)
          while (cursor.at < packedEnd) writer.bucket(this.#uint64(packedEnd))
          break
        }
        case BOUNDS_PACKED: {
          const packedEnd = cursor.length(end)
          while (cursor.at < packedEnd) writer.bound(cursor.double(packedEnd))
          break
        }
        case HISTOGRAM_ATTRIBUTE:
          this.#attribute(cursor.length(end))
          break
        case HISTOGRAM_FLAGS:
          writer.flags = cursor.varint(end)
          break
        default:
          if (!this.#time(tag, end, row)) cursor.skip(tag, histogramShape, end)
      }
    }
  }

  /** Start and time have the same numbers in every point. */
  #time(tag: number, end: number, row: number): boolean {
    if (tag !== START && tag !== TIME) return false
    const { view } = this.#cursor
    const at = this.#cursor.fixed(8, end)
    const { startHi, startLo, timeHi, timeLo } = this.#points
    const [hi, lo] = tag === START ? [startHi, startLo] : [timeHi, timeLo]
    lo[row] = view.getUint32(at, true)
    hi[row] = view.getUint32(at + 4, true)
    return true
  }

  #attribute(end: number): void {
    const cursor = this.#cursor
    const range = this.#range
    readKeyValue(cursor, end, range)
    const key = this.#writer.attributeKeys.find(cursor.view, range.keyStart, range.keyEnd)
    if (key === UNKNOWN_KEY) return
    readRange(cursor, range, this.#value)
    this.#writer.attribute(key, this.#value, cursor)
  }

  #uint64(end: number): number {
    const at = this.#cursor.fixed(8, end)
    const { view } = this.#cursor
    return view.getUint32(at + 4, true) * HIGH_WORD + view.getUint32(at, true)
  }

  #int64(end: number): number {
    const at = this.#cursor.fixed(8, end)
    const { view } = this.#cursor
    return view.getInt32(at + 4, true) * HIGH_WORD + view.getUint32(at, true)
  }
}

const UNIT_BYTES_MAX = 8

function shapeOf(tag: number): number | undefined {
  switch (tag) {
    case GAUGE:
      return PointShape.gauge
    case SUM:
      return PointShape.sum
    case HISTOGRAM:
      return PointShape.histogram
    case SUMMARY:
      return PointShape.summary
    case EXPONENTIAL_HISTOGRAM:
      return UNREAD
    default:
      return undefined
  }
}
