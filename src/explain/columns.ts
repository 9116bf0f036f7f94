import { type ExactSums, addExact, createExactSums } from '../runtime/exact-sums.ts'

type Column = Float64Array | Int32Array | Uint32Array | Uint8Array

/** A copy of a column with room for `length` cells; new cells are 0. */
export function grown<T extends Column>(from: T, length: number): T {
  const to = new (from.constructor as new (length: number) => T)(length)
  to.set(from)
  return to
}

export function grownSums(from: ExactSums, cells: number): ExactSums {
  return { low: grown(from.low, cells), high: grown(from.high, cells) }
}

export function emptySums(): ExactSums {
  return createExactSums(0)
}

/** The unit of ExactSums.high. */
const CARRY_BITS = 52n
const EXACT_BELOW = 2 ** 52

/** Adds ns * weight. The product of a long request and a thin sample passes 2^53, so that rare case goes by bigint. */
export function addWeighted(sums: ExactSums, cell: number, ns: number, weight: number): void {
  const value = ns * weight
  if (value < EXACT_BELOW) {
    addExact(sums, cell, value)
    return
  }
  const exact = BigInt(ns) * BigInt(weight)
  const high = exact >> CARRY_BITS
  sums.high[cell] = (sums.high[cell] as number) + Number(high)
  addExact(sums, cell, Number(exact - (high << CARRY_BITS)))
}

/** Adds one cell of another set of sums. */
export function addCell(into: ExactSums, cell: number, from: ExactSums, fromCell: number): void {
  addExact(into, cell, from.low[fromCell] as number)
  into.high[cell] = (into.high[cell] as number) + (from.high[fromCell] as number)
}
