import { type RequestColumns } from '../model/decomposition.ts'
import { Band, QUANTILES, RequestClass, Sampling } from '../model/requests.ts'
import { type SharedMemory } from '../runtime/shared-memory.ts'
import { BY_STRUCTURE } from './classes.ts'
import { bandOf } from './request-sums.ts'
import { type ExplainSettings } from './settings.ts'

/** What of a row decides about its requests' bands, in a byte. */
export const BandFlag = {
  /** The lowest bits: the class that overrides structure, or BY_STRUCTURE. */
  classBits: 7,
  /** Its service's traces were chosen by how they went. */
  tailSampled: 8,
  /** The settings say how they were chosen, so what requests say does not count. */
  samplingFixed: 16,
  /** An example of the body, of p50_p95 or of p95_p99 is due; shifted by the band. */
  dueFirst: 32
} as const

/** Rows beyond operationsMax that budgets may pin, by name and by pattern. */
const NAMED_ROWS_MAX = 256

/** How the requests of one trace stand, by what was published last. Reused by the next trace. */
export interface JudgedRequests {
  /** By request. */
  readonly bands: Uint8Array
  /** One of them may be worth an example; else nobody will want to keep the trace. */
  readonly mayBeKept: boolean
}

/** Bit b: an example of band b is due. Without bands, of what is longer than `floorNs`. */
export interface WantedExamples {
  due: number
  floorNs: number
}

/** What is said of one operation. */
export interface PublishedOperation {
  /** QUANTILES cells. */
  readonly thresholdNs: Float64Array
  readonly flags: number
  /** Without bands: a shorter request is no example. */
  readonly floorNs: number
}

/**
 * Thresholds, classes and wanted examples of all operations as of the last tick, where every thread sees them: whoever decomposes a
 * request gives it its band, and it gets the same one whichever thread that is. Read without a lock: a request that is judged
 * while a row is written may get the band of a moment before or after.
 */
export interface PublishedBands {
  readonly judge: (requests: RequestColumns) => JudgedRequests
  /** The main thread's alone, as what follows. What there is no room for stays unknown. */
  readonly set: (service: number, operation: number, said: PublishedOperation) => void
  readonly delete: (service: number, operation: number) => void
  /** While no new operation gets a row, their requests are nobody's examples. */
  readonly setFull: (full: boolean) => void
  readonly bytes: () => number
}

export function createPublishedBands(settings: ExplainSettings, memory: SharedMemory): PublishedBands {
  const rowsMax = settings.operationsMax + settings.budgetRowsMax + NAMED_ROWS_MAX
  const mask = 2 ** Math.ceil(Math.log2(rowsMax * 2)) - 1
  const isFull = memory.take(Uint8Array, 1)
  /** Row + 1; 0 is an empty place. */
  const slots = memory.take(Uint32Array, mask + 1)
  const service = memory.take(Uint32Array, rowsMax)
  const operation = memory.take(Uint32Array, rowsMax)
  const thresholds = memory.take(Float64Array, rowsMax * QUANTILES)
  const floors = memory.take(Float64Array, rowsMax)
  const flags = memory.take(Uint8Array, rowsMax)
  const free = Array.from({ length: rowsMax }, (_, i) => rowsMax - 1 - i)
  const judged = { bands: new Uint8Array(64), mayBeKept: false }

  const homeOf = (a: number, b: number): number => {
    let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
    return (h ^ (h >>> 13)) & mask
  }

  /** The place of a row, or the empty one where it belongs. */
  function placeOf(a: number, b: number): number {
    let place = homeOf(a, b)
    for (;;) {
      const row = (slots[place] as number) - 1
      if (row < 0 || (service[row] === a && operation[row] === b)) return place
      place = (place + 1) & mask
    }
  }

  /** Backward shift: whatever follows and may sit nearer to its own place moves up. */
  function leave(place: number): void {
    let hole = place
    for (let next = (hole + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const moved = (slots[next] as number) - 1
      const home = homeOf(service[moved] as number, operation[moved] as number)
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      slots[hole] = slots[next] as number
      hole = next
    }
    slots[hole] = 0
  }

  /** The band of request i; notes when it may be an example. */
  function judgeRequest(requests: RequestColumns, i: number): number {
    const row = (slots[placeOf(requests.service[i] as number, requests.operation[i] as number)] as number) - 1
    if (row < 0) {
      if (isFull[0] === 0 && isBanded(requests, i, BY_STRUCTURE)) judged.mayBeKept = true
      return Band.none
    }
    const said = flags[row] as number
    if (!isBanded(requests, i, said)) return Band.none
    const ns = requests.durationNs[i] as number
    const band = bandOf(thresholds, row, ns)
    if (band === Band.gtP99) judged.mayBeKept = true
    else if (band === Band.none) judged.mayBeKept ||= ns > (floors[row] as number)
    else if ((said & (BandFlag.dueFirst << band)) !== 0) judged.mayBeKept = true
    return band
  }

  return {
    judge(requests) {
      const { n } = requests
      if (n > judged.bands.length) judged.bands = new Uint8Array(2 * n)
      judged.mayBeKept = false
      for (let i = 0; i < n; i++) judged.bands[i] = judgeRequest(requests, i)
      return judged
    },
    set(ofService, ofOperation, said) {
      const place = placeOf(ofService, ofOperation)
      const row = slots[place] === 0 ? free.pop() : (slots[place] as number) - 1
      if (row === undefined) return
      service[row] = ofService
      operation[row] = ofOperation
      thresholds.set(said.thresholdNs, row * QUANTILES)
      floors[row] = said.floorNs
      flags[row] = said.flags
      slots[place] = row + 1
    },
    delete(ofService, ofOperation) {
      const place = placeOf(ofService, ofOperation)
      if (slots[place] === 0) return
      free.push((slots[place] as number) - 1)
      leave(place)
    },
    setFull(full) {
      isFull[0] = full ? 1 : 0
    },
    bytes: () => slots.byteLength + rowsMax * (9 + QUANTILES * 8 + 8)
  }
}

/** Only these have bands. Of tail-sampled traces the band says nothing. */
function isBanded(requests: RequestColumns, i: number, said: number): boolean {
  if ((said & BandFlag.tailSampled) !== 0) return false
  if ((said & BandFlag.samplingFixed) === 0 && requests.sampling[i] === Sampling.tail) return false
  const override = said & BandFlag.classBits
  return (override === BY_STRUCTURE ? (requests.class[i] as number) : override) <= RequestClass.message
}
