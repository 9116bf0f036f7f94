import type { SharedMemory } from '../../runtime/shared-memory.ts'
import { createKeyTable } from './key-table.ts'

/** Calls remembered of each pair of clocks, newest over oldest. */
const RING = 64
/** Fewer say nothing. */
const CALLS_MIN = 16

/**
 * How far clocks are apart, from calls between them. A server span lies within its client span, so each call bounds the
 * offset of the server's clock from both sides: low = server end - client end, high = server start - client start.
 * When the clocks agree, 0 lies within nearly all bounds and nothing is corrected. Otherwise the offset is the median of the
 * middles of the tightest quarter (as NTP prefers the shortest round trips), rounded to the ns.
 */
export interface Clocks {
  readonly learn: (from: number, to: number, lowNs: number, highNs: number) => void
  /** Published: ns that `to` runs ahead of `from`, 0 while unknown or in agreement. */
  readonly offsetNs: (from: number, to: number) => number
  /** Whether enough calls have spoken for what `offsetNs` says, 0 included. */
  readonly settled: (from: number, to: number) => boolean
  readonly publish: () => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
  readonly each: (visit: (from: number, to: number, offsetNs: number) => void) => void
  readonly set: (from: number, to: number, offsetNs: number) => void
}

const CELL_BYTES = 16 * RING + 18

export function createClocks(pairsMax: number, memory: SharedMemory): Clocks {
  const table = createKeyTable({ rowsMax: pairsMax, memory, clear })
  const low = memory.take(Float64Array, pairsMax * RING)
  const high = memory.take(Float64Array, pairsMax * RING)
  const calls = memory.take(Float64Array, pairsMax)
  const offset = memory.take(Float64Array, pairsMax)
  const changed = memory.take(Uint8Array, pairsMax)
  const isSettled = memory.take(Uint8Array, pairsMax)
  // Well-kept clocks agree, and then no span pays for a look-up.
  const anyOffset = memory.take(Uint8Array, 1)

  function clear(row: number): void {
    calls[row] = offset[row] = changed[row] = isSettled[row] = 0
  }

  function estimate(row: number): number {
    const n = Math.min(RING, calls[row] as number)
    // Until then what was loaded stands.
    if (n < CALLS_MIN) return offset[row] as number
    const lows = low.slice(row * RING, row * RING + n)
    const highs = high.slice(row * RING, row * RING + n)
    let agree = 0
    for (let i = 0; i < n; i++) if ((lows[i] as number) <= 0 && (highs[i] as number) >= 0) agree += 1
    if (agree >= 0.9 * n) return 0
    const byWidth = Array.from({ length: n }, (_, i) => i).sort(
      (x, y) => (highs[x] as number) - (lows[x] as number) - ((highs[y] as number) - (lows[y] as number))
    )
    const middles = byWidth
      .slice(0, Math.max(4, n >> 2))
      .map((i) => ((lows[i] as number) + (highs[i] as number)) / 2)
      .sort((x, y) => x - y)
    const middle = middles[middles.length >> 1] as number
    // Several hosts behind one name disagree with any single offset: better none than a wrong one.
    let within = 0
    for (let i = 0; i < n; i++) if ((lows[i] as number) <= middle && middle <= (highs[i] as number)) within += 1
    return within >= 0.8 * n ? Math.round(middle) : 0
  }

  function settled(from: number, to: number): boolean {
    const row = table.find(from, to, 0, 0)
    return row >= 0 && isSettled[row] === 1
  }

  function known(from: number, to: number): number {
    const row = table.find(from, to, 0, 0)
    return row < 0 ? 0 : (offset[row] as number)
  }

  return {
    learn(from, to, lowNs, highNs) {
      if (highNs < lowNs) return
      const row = table.add(from, to, 0, 0)
      if (row < 0) return
      table.touch(row)
      const at = row * RING + ((calls[row] as number) % RING)
      low[at] = lowNs
      high[at] = highNs
      calls[row] = (calls[row] as number) + 1
      changed[row] = 1
    },
    offsetNs(from, to) {
      if (anyOffset[0] === 0) return 0
      const there = known(from, to)
      return there !== 0 ? there : -known(to, from)
    },
    settled: (from, to) => settled(from, to) || settled(to, from),
    publish() {
      for (let row = 0; row < table.rows(); row++) {
        if (changed[row] === 1) offset[row] = estimate(row)
        changed[row] = 0
        if ((calls[row] as number) >= CALLS_MIN) isSettled[row] = 1
      }
      anyOffset[0] = offset.subarray(0, table.rows()).some((ns) => ns !== 0) ? 1 : 0
      table.trim((from, to) => {
        low.copyWithin(to * RING, from * RING, (from + 1) * RING)
        high.copyWithin(to * RING, from * RING, (from + 1) * RING)
        calls[to] = calls[from] as number
        offset[to] = offset[from] as number
        isSettled[to] = isSettled[from] as number
      })
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++) {
        strings[table.key(row, 0)] = 1
        strings[table.key(row, 1)] = 1
      }
    },
    bytes: () => table.bytes() + CELL_BYTES * table.rows(),
    each(visit) {
      for (let row = 0; row < table.rows(); row++) {
        if ((calls[row] as number) >= CALLS_MIN || offset[row] !== 0) {
          visit(table.key(row, 0), table.key(row, 1), offset[row] as number)
        }
      }
    },
    set(from, to, offsetNs) {
      const row = table.add(from, to, 0, 0)
      if (row < 0) return
      offset[row] = offsetNs
      isSettled[row] = 1
      if (offsetNs !== 0) anyOffset[0] = 1
    }
  }
}
