import { type MetricPoints, PointShape, Temporality } from '../../model/metric-points.ts'
import { runtimeMetrics, secondsPerUnit, type RuntimeMetric } from '../../model/runtime-metrics.ts'
import { type Strings } from '../../runtime/strings.ts'
import { type AttributeValue, type ByteSource, ValueKind } from './attribute-value.ts'
import { KeyTable, UNKNOWN_KEY } from './key-table.ts'
import { type DecoderLimits } from './limits.ts'
import { growBuckets, growPoints } from './metric-points.ts'
import { PointRefusal, type RefusalTally } from './refusals.ts'

const ACCEPTED = -1
const HIGH_WORD = 4294967296
const NS_PER_MS = 1e6
const NO_RECORDED_VALUE = 1

/** Keys of the attributes that points are told apart by. */
const attributeKeys = new KeyTable(runtimeMetrics.flatMap(({ attributes }) => attributes))
const primaryKeys = runtimeMetrics.map(({ attributes: [key] }) => keyOf(key))
const detailKeys = runtimeMetrics.map(({ attributes }) => keyOf(attributes[1]))

function keyOf(key: string | undefined): number {
  return key === undefined ? UNKNOWN_KEY : attributeKeys.findText(key)
}

/**
 * Writes one point after the other, whatever format it is read from. The row after the last is the point being read:
 * `begin`, then its fields in any order, then `finish`, which keeps or drops it.
 */
export class PointWriter {
  readonly metrics = new KeyTable(runtimeMetrics.map(({ name }) => name))
  readonly attributeKeys = attributeKeys
  flags = 0
  #metric = 0
  #secondsPerUnit = NaN
  #firstBucket = 0
  #bounds = 0
  #counts = 0
  #nowMs = NaN
  readonly #points: MetricPoints
  readonly #strings: Strings
  readonly #limits: DecoderLimits
  readonly #tally: RefusalTally

  constructor(points: MetricPoints, tools: { strings: Strings; limits: DecoderLimits; tally: RefusalTally }) {
    this.#points = points
    this.#strings = tools.strings
    this.#limits = tools.limits
    this.#tally = tools.tally
  }

  beginRequest(nowMs: number): void {
    this.#nowMs = nowMs
    this.#firstBucket = 0
  }

  /** The metric that the next points belong to. */
  beginMetric(metric: number, unit: string): void {
    this.#metric = metric
    this.#secondsPerUnit = secondsPerUnit(runtimeMetrics[metric] as RuntimeMetric, unit)
  }

  /** Starts a row and gives its number. */
  begin(shape: number): number {
    const points = this.#points
    const row = points.n
    if (row >= points.metric.length) growPoints(points)
    this.flags = 0
    this.#bounds = 0
    this.#counts = 0
    points.metric[row] = this.#metric
    points.shape[row] = shape
    points.secondsPerUnit[row] = this.#secondsPerUnit
    points.temporality[row] = points.monotonic[row] = 0
    points.startHi[row] = points.startLo[row] = points.timeHi[row] = points.timeLo[row] = 0
    points.value[row] = points.min[row] = points.max[row] = NaN
    points.count[row] = points.attribute[row] = points.detail[row] = 0
    return row
  }

  attribute(key: number, value: AttributeValue, source: ByteSource): void {
    const { attribute, detail, n: row } = this.#points
    if (key === primaryKeys[this.#metric]) attribute[row] = this.#intern(value, source)
    else if (key === detailKeys[this.#metric]) detail[row] = this.#intern(value, source)
  }

  #intern(value: AttributeValue, source: ByteSource): number {
    if (value.kind === ValueKind.text) return this.#strings.intern(source.bytes, value.start, value.end)
    return value.kind === ValueKind.number ? this.#strings.internText(String(value.number)) : 0
  }

  bound(bound: number): void {
    const at = this.#firstBucket + this.#bounds
    // One more than there are bounds is needed: the last bucket's is Infinity.
    if (at + 1 >= this.#points.bucketBound.length) growBuckets(this.#points)
    this.#points.bucketBound[at] = bound
    this.#bounds += 1
  }

  bucket(count: number): void {
    const at = this.#firstBucket + this.#counts
    if (at >= this.#points.bucketCount.length) growBuckets(this.#points)
    this.#points.bucketCount[at] = count
    this.#counts += 1
  }

  /** Keeps the row, or drops it and says so. */
  finish(): void {
    const points = this.#points
    const row = points.n
    if ((this.flags & NO_RECORDED_VALUE) !== 0) {
      points.ignored += 1
      return
    }
    const refusal = this.#refusal(row)
    if (refusal !== ACCEPTED) {
      this.#tally.add(refusal, row)
      return
    }
    if (this.#counts > 0) points.bucketBound[this.#firstBucket + this.#bounds] = Infinity
    this.#firstBucket += this.#counts
    points.bucketsEnd[row] = this.#firstBucket
    points.n = row + 1
  }

  /** What the metric says of all its points may come after them. */
  endData(firstRow: number, temporality: number, monotonic: boolean): void {
    const known = temporality === Temporality.delta || temporality === Temporality.cumulative
    this.#points.temporality.fill(known ? temporality : Temporality.unspecified, firstRow, this.#points.n)
    this.#points.monotonic.fill(monotonic ? 1 : 0, firstRow, this.#points.n)
  }

  endResource(firstRow: number, resource: number): void {
    this.#points.resource.fill(resource, firstRow, this.#points.n)
  }

  #refusal(row: number): number {
    const { shape, startHi, startLo, timeHi, timeLo, value } = this.#points
    const hi = timeHi[row] as number
    const lo = timeLo[row] as number
    const fromHi = startHi[row] as number
    if ((hi === 0 && lo === 0) || hi > 0x7fffffff) return PointRefusal.timestamp
    if (fromHi > hi || (fromHi === hi && (startLo[row] as number) > lo)) return PointRefusal.endBeforeStart
    if ((hi * HIGH_WORD + lo) / NS_PER_MS - this.#nowMs > this.#limits.futureMaxMs) return PointRefusal.inFuture
    const number = value[row] as number
    const isNumber = shape[row] === PointShape.gauge || shape[row] === PointShape.sum
    // A histogram may have no sum; whatever is neither a number nor missing is refused.
    if (isNumber ? !Number.isFinite(number) : Math.abs(number) === Infinity) return PointRefusal.value
    return this.#bucketsFit() ? ACCEPTED : PointRefusal.buckets
  }

  #bucketsFit(): boolean {
    if (this.#counts === 0) return this.#bounds === 0
    if (this.#counts !== this.#bounds + 1) return false
    const { bucketBound } = this.#points
    let before = -Infinity
    for (let i = 0; i < this.#bounds; i++) {
      const bound = bucketBound[this.#firstBucket + i] as number
      // Written so that NaN fails too.
      if (!(bound > before && bound < Infinity)) return false
      before = bound
    }
    return true
  }
}
