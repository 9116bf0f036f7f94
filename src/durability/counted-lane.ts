import { type Custody } from '../model/spans.ts'
import { type Oldest } from '../runtime/oldest.ts'
import { type SegmentLog } from '../runtime/segments/index.ts'
import { COUNTED_HEAD_BYTES, ENTRY_BYTES, RecordType, writeEntry } from './records.ts'

/** Traces that are counted, in that order, until they are settled. */
export interface CountedLane {
  readonly add: (trace: { readonly traceId: Uint32Array; readonly custody: Custody }) => void
  /** Writes down those that are not yet. */
  readonly write: () => void
  /** The first so many of all are settled; false when they were already. */
  readonly settle: (through: number) => boolean
  readonly counted: () => number
  readonly settled: () => number
  readonly bytes: () => number
}

const ENTRIES_A_RECORD = 2048
/** First sequences of settled traces are forgotten in bulk. */
const FORGOTTEN_MIN = 4096

export function createLane(
  lane: number,
  countedBefore: number,
  { log, unsettled }: { readonly log: SegmentLog; readonly unsettled: Oldest }
): CountedLane {
  const entries = Buffer.alloc(COUNTED_HEAD_BYTES + ENTRIES_A_RECORD * ENTRY_BYTES)
  /** First sequences of the traces that are not settled, from `firstsAt` on. */
  let firsts: number[] = []
  let firstsAt = 0
  let unwritten = 0
  let counted = countedBefore
  let settled = countedBefore

  function write(): void {
    if (unwritten === 0) return
    entries.writeDoubleLE(lane, 0)
    entries.writeDoubleLE(counted - unwritten, 8)
    void log.append(RecordType.counted, entries.subarray(0, COUNTED_HEAD_BYTES + unwritten * ENTRY_BYTES))
    unwritten = 0
  }

  return {
    add({ traceId, custody }) {
      writeEntry(entries, COUNTED_HEAD_BYTES + unwritten * ENTRY_BYTES, { traceId, ...custody })
      unwritten += 1
      counted += 1
      firsts.push(custody.first)
      unsettled.add(custody.first)
      if (unwritten === ENTRIES_A_RECORD) write()
    },
    write,
    settle(through) {
      if (through <= settled) return false
      for (; settled < through; settled++) unsettled.remove(firsts[firstsAt++] as number)
      if (firstsAt >= FORGOTTEN_MIN && firstsAt * 2 > firsts.length) {
        firsts = firsts.slice(firstsAt)
        firstsAt = 0
      }
      return true
    },
    counted: () => counted,
    settled: () => settled,
    bytes: () => entries.length + firsts.length * 8
  }
}
