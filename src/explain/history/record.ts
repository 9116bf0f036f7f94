import { PHASES } from '../../model/phases.ts'
import { BANDS, OUTCOMES } from '../../model/requests.ts'
import { addExact, clearExact, createExactSums, type ExactSums } from '../../runtime/exact-sums.ts'
import { SKETCH_BINS } from '../../runtime/sketch.ts'

const REQUEST_CELLS = BANDS * OUTCOMES
/** Phases of the body, then of the tail. */
const PHASE_CELLS = 2 * PHASES
export const TAIL_CELL = PHASES

/** What history knows of one operation in one stretch of time. Two of them add up cell by cell. */
export interface OperationSums {
  /** Weighted: band * OUTCOMES + outcome. */
  readonly requests: Float64Array
  /** Weighted ns: phase of `le_p50`, TAIL_CELL + phase of `gt_p99`. */
  readonly phaseNs: ExactSums
  /** Weighted counts by sketch bin. */
  readonly sketch: Float64Array
}

export function createOperationSums(): OperationSums {
  return {
    requests: new Float64Array(REQUEST_CELLS),
    phaseNs: createExactSums(PHASE_CELLS),
    sketch: new Float64Array(SKETCH_BINS)
  }
}

export function clearOperationSums({ requests, phaseNs, sketch }: OperationSums): void {
  requests.fill(0)
  clearExact(phaseNs, 0, PHASE_CELLS)
  sketch.fill(0)
}

/** No record is longer: every cell in use, each with the longest number. */
export const RECORD_BYTES_MAX = 8 * (REQUEST_CELLS + 2 * PHASE_CELLS + 1) + 10 * SKETCH_BINS

/**
 * Writes the sums as a record to bytes[at...] and returns where it ends: numbers of 7 bits a byte, lowest first. Requests and
 * phases in full, zeros being a byte; of the sketch only bins in use, each as the distance from the last one and its count.
 */
export function writeRecord({ requests, phaseNs, sketch }: OperationSums, bytes: Uint8Array, at: number): number {
  let end = at
  for (let cell = 0; cell < REQUEST_CELLS; cell++) end = writeNumber(requests[cell] as number, bytes, end)
  for (let cell = 0; cell < PHASE_CELLS; cell++) {
    end = writeNumber(phaseNs.high[cell] as number, bytes, end)
    end = writeNumber(phaseNs.low[cell] as number, bytes, end)
  }
  let last = -1
  for (let bin = 0; bin < SKETCH_BINS; bin++) {
    const count = sketch[bin] as number
    if (count === 0) continue
    end = writeNumber(bin - last, bytes, end)
    end = writeNumber(count, bytes, end)
    last = bin
  }
  return end
}

/** Adds the record at bytes[at, end) to the sums. */
export function addRecord(into: OperationSums, bytes: Uint8Array, at: number, end: number): void {
  cursor = at
  for (let cell = 0; cell < REQUEST_CELLS; cell++) {
    into.requests[cell] = (into.requests[cell] as number) + readNumber(bytes)
  }
  for (let cell = 0; cell < PHASE_CELLS; cell++) {
    into.phaseNs.high[cell] = (into.phaseNs.high[cell] as number) + readNumber(bytes)
    addExact(into.phaseNs, cell, readNumber(bytes))
  }
  let bin = -1
  while (cursor < end) {
    bin += readNumber(bytes)
    into.sketch[bin] = (into.sketch[bin] as number) + readNumber(bytes)
  }
}

function writeNumber(value: number, bytes: Uint8Array, at: number): number {
  let rest = value
  let end = at
  while (rest >= 128) {
    bytes[end++] = (rest % 128) + 128
    rest = Math.floor(rest / 128)
  }
  bytes[end++] = rest
  return end
}

/** Where readNumber reads next. */
let cursor = 0

function readNumber(bytes: Uint8Array): number {
  let value = 0
  let scale = 1
  for (;;) {
    const byte = bytes[cursor++] as number
    if (byte < 128) return value + byte * scale
    value += (byte - 128) * scale
    scale *= 128
  }
}
