import { type SegmentLogSettings } from '../../src/runtime/segments/index.ts'

/** A log whose segments hold four records of 600 bytes, that waits for nothing. */
export const smallLog: SegmentLogSettings = {
  segmentBytes: 2_000,
  bytesMax: 1e6,
  freeShareMin: 0,
  whenFull: 'fail',
  gatherMs: 0,
  syncEveryMs: 0,
  waitingBytesMax: 1e5
}
