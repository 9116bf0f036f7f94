import { grown } from '../columns.ts'
import { addRecord, type OperationSums, RECORD_BYTES_MAX, writeRecord } from './record.ts'

/** Columns and object of an interval, beside its bytes. */
const OVERHEAD_BYTES = 400

/** All operations over one stretch of time, as it stays: nothing in it ever changes. */
export interface Interval {
  readonly fromMs: number
  readonly toMs: number
  /** Interned ids of each record's operation; several records of one operation add up. */
  readonly service: Uint32Array
  readonly operation: Uint32Array
  /** Where each record ends in `bytes`. */
  readonly end: Uint32Array
  readonly bytes: Uint8Array
  /** Pairs of interned ids: the service and a `service.version` that it answered requests with. */
  readonly versions: Uint32Array
}

export function intervalBytes({ end, bytes, versions }: Interval): number {
  return OVERHEAD_BYTES + bytes.byteLength + 3 * end.byteLength + versions.byteLength
}

/** Adds up what an interval has of an operation; false when it has nothing. */
export function addOperation(interval: Interval, service: number, operation: number, into: OperationSums): boolean {
  let found = false
  const { end, bytes } = interval
  for (let record = 0; record < end.length; record++) {
    if (interval.operation[record] !== operation || interval.service[record] !== service) continue
    addRecord(into, bytes, record === 0 ? 0 : (end[record - 1] as number), end[record] as number)
    found = true
  }
  return found
}

/** Makes one interval at a time. */
export interface IntervalWriter {
  readonly add: (service: number, operation: number, sums: OperationSums) => void
  readonly records: () => number
  /** The interval of what was added, and an empty start. */
  readonly take: (span: { readonly fromMs: number; readonly toMs: number; readonly versions: Uint32Array }) => Interval
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

export function createIntervalWriter(): IntervalWriter {
  let service = new Uint32Array(64)
  let operation = new Uint32Array(64)
  let end = new Uint32Array(64)
  let bytes = new Uint8Array(4 * RECORD_BYTES_MAX)
  let records = 0
  let top = 0

  return {
    add(serviceId, operationId, sums) {
      if (records === end.length) {
        service = grown(service, records * 2)
        operation = grown(operation, records * 2)
        end = grown(end, records * 2)
      }
      if (top + RECORD_BYTES_MAX > bytes.length) bytes = grown(bytes, bytes.length * 2)
      top = writeRecord(sums, bytes, top)
      service[records] = serviceId
      operation[records] = operationId
      end[records] = top
      records += 1
    },
    records: () => records,
    take(span) {
      const interval = {
        ...span,
        service: service.slice(0, records),
        operation: operation.slice(0, records),
        end: end.slice(0, records),
        bytes: bytes.slice(0, top)
      }
      records = 0
      top = 0
      return interval
    },
    mark(strings) {
      for (let record = 0; record < records; record++) {
        strings[service[record] as number] = 1
        strings[operation[record] as number] = 1
      }
    },
    bytes: () => bytes.byteLength + 3 * end.byteLength
  }
}

/**
 * Several intervals as one that is coarser, in slices of about `records` records. The parts stay as they are, so whoever
 * looks meanwhile sees them.
 */
export function* mergeIntervals(
  parts: readonly Interval[],
  tools: { readonly writer: IntervalWriter; readonly sums: OperationSums; readonly clear: () => void },
  records: number
): Generator<undefined, Interval> {
  const { writer, sums, clear } = tools
  const places = recordsByOperation(parts)
  let read = 0
  for (const [first, ...others] of places) {
    if (first === undefined) continue
    clear()
    for (const place of [first, ...others]) addPlace(sums, parts[place.part] as Interval, place.record)
    const from = parts[first.part] as Interval
    writer.add(from.service[first.record] as number, from.operation[first.record] as number, sums)
    read += 1 + others.length
    if (read < records) continue
    read = 0
    yield
  }
  return writer.take({
    fromMs: Math.min(...parts.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...parts.map(({ toMs }) => toMs)),
    versions: unionOfPairs(parts.map(({ versions }) => versions))
  })
}

interface Place {
  readonly part: number
  readonly record: number
}

function recordsByOperation(parts: readonly Interval[]): Iterable<readonly Place[]> {
  const places = new Map<number, Place[]>()
  for (const [part, { service, operation, end }] of parts.entries()) {
    for (let record = 0; record < end.length; record++) {
      // Ids are below 2^20: two of them are one exact number.
      const key = (service[record] as number) * 2 ** 26 + (operation[record] as number)
      const known = places.get(key)
      if (known === undefined) places.set(key, [{ part, record }])
      else known.push({ part, record })
    }
  }
  return places.values()
}

function addPlace(into: OperationSums, { end, bytes }: Interval, record: number): void {
  addRecord(into, bytes, record === 0 ? 0 : (end[record - 1] as number), end[record] as number)
}

function unionOfPairs(all: readonly Uint32Array[]): Uint32Array {
  const seen = new Map<string, readonly [number, number]>()
  for (const pairs of all) {
    for (let i = 0; i < pairs.length; i += 2) {
      const pair = [pairs[i] as number, pairs[i + 1] as number] as const
      seen.set(pair.join(), pair)
    }
  }
  return Uint32Array.from([...seen.values()].flat())
}
