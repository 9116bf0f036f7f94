import { expect, test } from '@jest/globals'
import { createPairIndex } from '../../../src/explain/pair-index.ts'
import { random } from './explainers.ts'

test('it answers like a map through any mixture of setting and deleting', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = random(seed)
    const index = createPairIndex()
    const map = new Map<string, number>()
    for (let step = 0; step < 2_000; step++) {
      const [a, b] = [Math.floor(draw() * 12), Math.floor(draw() * 12) * 4096]
      if (draw() < 0.5) {
        index.set(a, b, step)
        map.set(`${a} ${b}`, step)
      } else {
        index.delete(a, b)
        map.delete(`${a} ${b}`)
      }
    }
    const found = new Map<string, number>()
    index.forEach((a, b, value) => found.set(`${a} ${b}`, value))
    expect({ seed, size: index.size(), found }).toEqual({ seed, size: map.size, found: map })
    for (const [key, value] of map) {
      const [a = 0, b = 0] = key.split(' ').map(Number)
      expect({ seed, key, value: index.get(a, b) }).toEqual({ seed, key, value })
    }
  }
})

test('an absent pair is -1, and a value may be 0', () => {
  const index = createPairIndex()
  index.set(0, 0, 0)
  expect(index.get(0, 0)).toBe(0)
  expect(index.get(0, 1)).toBe(-1)
})
