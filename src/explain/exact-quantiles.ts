import { type RequestColumns } from '../model/decomposition.ts'
import { QUANTILES, quantiles } from '../model/requests.ts'
import { SKETCH_BINS, sketchBin } from '../runtime/sketch.ts'
import { type Strings } from '../runtime/strings.ts'
import { grown } from './columns.ts'
import { type Learned } from './learned.ts'
import { createPairIndex } from './pair-index.ts'
import { writeQuantiles } from './sketch-store.ts'

const FIRST_DURATIONS = 16

/** All durations of one operation, or their sketch once there were too many. */
interface Durations {
  readonly service: number
  readonly operation: number
  requests: number
  long: number
  ns: Float64Array
  /** Only once a weight other than 1 came: real requests per duration. */
  weights: Float64Array | undefined
  sketch: Float64Array | undefined
}

/** Thresholds for a file that is read twice: every duration of the first pass, in exact order. */
export interface DurationStore {
  readonly add: (requests: RequestColumns) => void
  /** False once some operation's quantiles come from a sketch (at most 2.2 % off) or are missing. */
  readonly exact: () => boolean
  /** Thresholds by nearest rank (the value at ceil(q * n)) and streams, for `Explainer.load`. */
  readonly learned: () => Learned
  readonly bytes: () => number
}

export interface DurationStoreOptions {
  readonly strings: Strings
  /** An operation most of whose requests outlive this is a stream. */
  readonly streamAfterMs: number
  /** Room for durations over all operations. When it is full the operation with most of them goes on as a sketch. */
  readonly durationsMax?: number
  readonly operationsMax?: number
}

export function createDurationStore(options: DurationStoreOptions): DurationStore {
  const { strings, durationsMax = 16_000_000, operationsMax = 100_000 } = options
  const streamAfterNs = options.streamAfterMs * 1e6
  const index = createPairIndex()
  const operations: Durations[] = []
  let room = durationsMax
  let exact = true

  function entry(service: number, operation: number): Durations | undefined {
    const at = index.get(service, operation)
    if (at >= 0) return operations[at]
    if (operations.length >= operationsMax) {
      exact = false
      return undefined
    }
    const created: Durations = {
      service,
      operation,
      requests: 0,
      long: 0,
      ns: new Float64Array(0),
      weights: undefined,
      sketch: undefined
    }
    index.set(service, operation, operations.length)
    operations.push(created)
    return created
  }

  function toSketch(of: Durations): void {
    const sketch = new Float64Array(SKETCH_BINS)
    for (let i = 0; i < of.requests; i++) countIn(sketch, of.ns[i] as number, of.weights?.[i] ?? 1)
    room += of.ns.length
    of.ns = new Float64Array(0)
    of.weights = undefined
    of.sketch = sketch
    exact = false
  }

  /** Room for one more duration; turns the largest operations into sketches until there is. */
  function grow(of: Durations): void {
    const more = Math.max(FIRST_DURATIONS, of.ns.length)
    while (room < more && of.sketch === undefined) {
      toSketch(operations.reduce((most, other) => (other.ns.length > most.ns.length ? other : most), of))
    }
    if (of.sketch !== undefined) return
    room -= more
    of.ns = grown(of.ns, of.ns.length + more)
    if (of.weights !== undefined) of.weights = grown(of.weights, of.ns.length)
  }

  function add(of: Durations, ns: number, weight: number): void {
    if (ns > streamAfterNs) of.long += 1
    if (of.sketch === undefined && of.requests >= of.ns.length) grow(of)
    if (of.sketch !== undefined) countIn(of.sketch, ns, weight)
    else {
      if (weight !== 1) of.weights ??= new Float64Array(of.ns.length).fill(1)
      of.ns[of.requests] = ns
      if (of.weights !== undefined) of.weights[of.requests] = weight
    }
    of.requests += 1
  }

  return {
    add(requests) {
      for (let i = 0; i < requests.n; i++) {
        const of = entry(requests.service[i] as number, requests.operation[i] as number)
        if (of !== undefined) add(of, requests.durationNs[i] as number, requests.weight[i] as number)
      }
    },
    exact: () => exact,
    learned() {
      const named = operations.map((of) => ({
        of,
        name: { service: strings.text(of.service), operation: strings.text(of.operation) }
      }))
      return {
        thresholds: named.map(({ of, name }) => ({ ...name, requests: of.requests, ns: quantilesOf(of) })),
        streams: named.filter(({ of }) => of.long * 2 > of.requests).map(({ name }) => name)
      }
    },
    bytes: () => (durationsMax - room) * 8 + index.bytes()
  }
}

function countIn(sketch: Float64Array, ns: number, weight: number): void {
  const bin = sketchBin(ns)
  sketch[bin] = (sketch[bin] as number) + weight
}

function quantilesOf(of: Durations): number[] {
  if (of.sketch !== undefined) {
    const out = new Float64Array(QUANTILES)
    writeQuantiles(of.sketch, quantiles, out, 0)
    return [...out]
  }
  const ns = of.ns.subarray(0, of.requests)
  if (of.weights !== undefined) return weightedQuantiles(ns, of.weights)
  const sorted = ns.slice().sort()
  return quantiles.map((q) => sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number)
}

function weightedQuantiles(ns: Float64Array, weights: Float64Array): number[] {
  const order = Uint32Array.from(ns, (_, i) => i).sort((a, b) => (ns[a] as number) - (ns[b] as number))
  let total = 0
  for (const i of order) total += weights[i] as number
  let at = -1
  let seen = 0
  return quantiles.map((q) => {
    const rank = Math.max(1, Math.ceil(q * total))
    while (seen < rank) seen += weights[order[++at] as number] as number
    return ns[order[at] as number] as number
  })
}
