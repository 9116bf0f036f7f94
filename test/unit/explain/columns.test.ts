import { expect, test } from '@jest/globals'
import { addCell, addWeighted } from '../../../src/explain/columns.ts'
import { createExactSums, exactToBigInt } from '../../../src/runtime/exact-sums.ts'
import { random } from './explainers.ts'

test('weighted sums are exact where the product passes 2^53', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const draw = random(seed)
    const sums = createExactSums(2)
    let exact = 0n
    for (let i = 0; i < 100; i++) {
      const ns = Math.floor(draw() * 2 ** (10 + Math.floor(draw() * 40)))
      const weight = Math.floor(draw() * 2 ** Math.floor(draw() * 30)) + 1
      addWeighted(sums, 1, ns, weight)
      exact += BigInt(ns) * BigInt(weight)
    }
    expect({ seed, sum: exactToBigInt(sums, 1) }).toEqual({ seed, sum: exact })
    const other = createExactSums(1)
    addCell(other, 0, sums, 1)
    addCell(other, 0, sums, 1)
    expect({ seed, sum: exactToBigInt(other, 0) }).toEqual({ seed, sum: exact * 2n })
  }
})
