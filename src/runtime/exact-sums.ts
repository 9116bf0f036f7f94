// A busy operation passes 2^53 ns of summed time within minutes, so a sum is two doubles: `low` below CARRY, and carries.
const CARRY = 2 ** 52

/** Sums of non-negative integers below 2^52 that stay exact far past 2^53. Plain arrays: two of them add up cell by cell. */
export interface ExactSums {
  readonly low: Float64Array
  readonly high: Float64Array
}

export function createExactSums(cells: number): ExactSums {
  return { low: new Float64Array(cells), high: new Float64Array(cells) }
}

export function addExact(sums: ExactSums, cell: number, value: number): void {
  const low = (sums.low[cell] as number) + value
  if (low < CARRY) {
    sums.low[cell] = low
    return
  }
  const carries = Math.floor(low / CARRY)
  sums.low[cell] = low - carries * CARRY
  sums.high[cell] = (sums.high[cell] as number) + carries
}

/** The sum as a double: exact below 2^53, nearest above. */
export function exactToNumber(sums: ExactSums, cell: number): number {
  return (sums.high[cell] as number) * CARRY + (sums.low[cell] as number)
}

export function exactToBigInt(sums: ExactSums, cell: number): bigint {
  return BigInt(sums.high[cell] as number) * BigInt(CARRY) + BigInt(sums.low[cell] as number)
}

/** Adds `from`'s cells into `into`'s; both hold the same number of cells. */
export function mergeExact(into: ExactSums, from: ExactSums): void {
  for (let cell = 0; cell < from.low.length; cell++) {
    addExact(into, cell, from.low[cell] as number)
    into.high[cell] = (into.high[cell] as number) + (from.high[cell] as number)
  }
}

export function clearExact(sums: ExactSums, firstCell: number, cells: number): void {
  sums.low.fill(0, firstCell, firstCell + cells)
  sums.high.fill(0, firstCell, firstCell + cells)
}

/** ns as decimal seconds with every digit, for exposition. */
export function exactSeconds(sums: ExactSums, cell: number): string {
  const high = sums.high[cell] as number
  const low = sums.low[cell] as number
  if (high !== 0) {
    const ns = exactToBigInt(sums, cell)
    return decimalSeconds((ns / 1_000_000_000n).toString(), Number(ns % 1_000_000_000n))
  }
  const seconds = Math.floor(low / 1e9)
  return decimalSeconds(String(seconds), low - seconds * 1e9)
}

function decimalSeconds(seconds: string, ns: number): string {
  if (ns === 0) return seconds
  let digits = String(ns + 1e9).slice(1)
  let end = digits.length
  while (digits.charCodeAt(end - 1) === 48) end -= 1
  digits = digits.slice(0, end)
  return `${seconds}.${digits}`
}
