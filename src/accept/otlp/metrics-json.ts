import { type MetricPoints, PointShape } from '../../model/metric-points.ts'
import { type JsonKeyValue, JsonReader, readResourceJson } from './json-reader.ts'
import { parseJson } from './json-text.ts'
import { UNKNOWN_KEY } from './key-table.ts'
import { type MetricReaderParts } from './metrics-protobuf.ts'
import { type PointWriter } from './point-writer.ts'
import { type SenderReader } from './sender-reader.ts'

/** Every field may be missing, null, or of the wrong type. */
interface JsonResourceMetrics {
  readonly resource?: unknown
  readonly scopeMetrics?: unknown
}
interface JsonMetric {
  readonly name?: unknown
  readonly unit?: unknown
  readonly gauge?: unknown
  readonly sum?: unknown
  readonly histogram?: unknown
  readonly exponentialHistogram?: unknown
  readonly summary?: unknown
}
interface JsonData {
  readonly dataPoints?: unknown
  readonly aggregationTemporality?: unknown
  readonly isMonotonic?: unknown
}
interface JsonPoint {
  readonly attributes?: unknown
  readonly startTimeUnixNano?: unknown
  readonly timeUnixNano?: unknown
  readonly flags?: unknown
  readonly asDouble?: unknown
  readonly asInt?: unknown
  readonly count?: unknown
  readonly sum?: unknown
  readonly min?: unknown
  readonly max?: unknown
  readonly bucketCounts?: unknown
  readonly explicitBounds?: unknown
}

const HIGH_WORD = 4294967296
/** Points of this shape are counted and not read. */
const UNREAD = -1
const dataFields = [
  ['gauge', PointShape.gauge],
  ['sum', PointShape.sum],
  ['histogram', PointShape.histogram],
  ['exponentialHistogram', UNREAD],
  ['summary', PointShape.summary]
] as const

/** Walks one ExportMetricsServiceRequest in OTLP/JSON as MetricsProtobuf does. */
export class MetricsJson {
  readonly #json = new JsonReader()
  readonly #points: MetricPoints
  readonly #writer: PointWriter
  readonly #sender: SenderReader

  constructor(parts: MetricReaderParts) {
    this.#points = parts.points
    this.#writer = parts.writer
    this.#sender = parts.sender
  }

  read(request: Uint8Array): void {
    const json = this.#json
    json.reset()
    const document = parseJson(request)
    if (document === null) throw json.fault('', 'an object')
    const { resourceMetrics } = json.object(document) as { readonly resourceMetrics?: unknown }
    const list = json.enter(resourceMetrics, 'resourceMetrics')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      this.#resourceMetrics(json.object(list[i]))
    }
    json.leave()
  }

  #resourceMetrics({ resource, scopeMetrics }: JsonResourceMetrics): void {
    const json = this.#json
    const firstRow = this.#points.n
    readResourceJson(json, resource, this.#sender)
    const list = json.enter(scopeMetrics, 'scopeMetrics')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { metrics } = json.object(list[i]) as { readonly metrics?: unknown }
      const metricList = json.enter(metrics, 'metrics')
      for (let j = 0; j < metricList.length; j++) {
        json.at(j)
        this.#metric(json.object(metricList[j]))
      }
      json.leave()
    }
    json.leave()
    if (this.#points.n > firstRow) this.#writer.endResource(firstRow, this.#sender.row())
  }

  #metric(metric: JsonMetric): void {
    const json = this.#json
    const known = this.#writer.metrics.findText(json.text(metric.name, 'name'))
    if (known !== UNKNOWN_KEY) this.#writer.beginMetric(known, json.text(metric.unit, 'unit'))
    for (const [field, shape] of dataFields) {
      const data = json.object(metric[field], field) as JsonData
      this.#data(data, field, known === UNKNOWN_KEY ? UNREAD : shape)
    }
  }

  #data(data: JsonData, field: string, shape: number): void {
    const json = this.#json
    const firstRow = this.#points.n
    const list = json.enter(data.dataPoints, `${field}.dataPoints`)
    if (shape === UNREAD) this.#points.ignored += list.length
    else {
      for (let i = 0; i < list.length; i++) {
        json.at(i)
        this.#point(json.object(list[i]), shape)
      }
    }
    json.leave()
    if (shape !== PointShape.sum && shape !== PointShape.histogram) return
    const temporality = json.integer(data.aggregationTemporality, `${field}.aggregationTemporality`)
    this.#writer.endData(firstRow, temporality, json.boolean(data.isMonotonic, `${field}.isMonotonic`))
  }

  #point(point: JsonPoint, shape: number): void {
    const json = this.#json
    const points = this.#points
    json.scratch.clear()
    const row = this.#writer.begin(shape)
    json.uint64(point.startTimeUnixNano, 'startTimeUnixNano')
    points.startHi[row] = json.hi
    points.startLo[row] = json.lo
    json.uint64(point.timeUnixNano, 'timeUnixNano')
    points.timeHi[row] = json.hi
    points.timeLo[row] = json.lo
    this.#writer.flags = json.integer(point.flags, 'flags')
    this.#attributes(point.attributes)
    if (shape === PointShape.gauge || shape === PointShape.sum) {
      if (isGiven(point.asDouble)) points.value[row] = json.double(point.asDouble, 'asDouble')
      else if (isGiven(point.asInt)) points.value[row] = json.int64(point.asInt, 'asInt')
    } else {
      points.count[row] = this.#count(point.count, 'count')
      points.value[row] = this.#double(point.sum, 'sum')
      if (shape === PointShape.histogram) this.#histogram(point, row)
    }
    this.#writer.finish()
  }

  #histogram(point: JsonPoint, row: number): void {
    const json = this.#json
    this.#points.min[row] = this.#double(point.min, 'min')
    this.#points.max[row] = this.#double(point.max, 'max')
    const counts = json.enter(point.bucketCounts, 'bucketCounts')
    for (let i = 0; i < counts.length; i++) {
      json.at(i)
      this.#writer.bucket(this.#count(counts[i], ''))
    }
    json.leave()
    const bounds = json.enter(point.explicitBounds, 'explicitBounds')
    for (let i = 0; i < bounds.length; i++) {
      json.at(i)
      this.#writer.bound(json.double(bounds[i], ''))
    }
    json.leave()
  }

  #attributes(attributes: unknown): void {
    const json = this.#json
    const list = json.enter(attributes, 'attributes')
    for (let i = 0; i < list.length; i++) {
      json.at(i)
      const { key, value } = json.object(list[i]) as JsonKeyValue
      const known = this.#writer.attributeKeys.findText(json.text(key, 'key'))
      if (known === UNKNOWN_KEY) continue
      json.anyValue(value)
      this.#writer.attribute(known, json.value, json.scratch)
    }
    json.leave()
  }

  #count(value: unknown, name: string): number {
    this.#json.uint64(value, name)
    return this.#json.hi * HIGH_WORD + this.#json.lo
  }

  #double(value: unknown, name: string): number {
    return isGiven(value) ? this.#json.double(value, name) : NaN
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}
