import { expect, test } from '@jest/globals'
import { createSketchStore, writeQuantiles } from '../../../src/explain/sketch-store.ts'
import { SKETCH_BINS, sketchBin, sketchBound, sketchQuantile } from '../../../src/runtime/sketch.ts'
import { random } from './explainers.ts'

test('many sketches in one arena hold what separate ones would', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const draw = random(seed)
    const store = createSketchStore(Float64Array, 1 << 22)
    store.ensure(8)
    const plain = Array.from({ length: 8 }, () => new Float64Array(SKETCH_BINS))
    for (let i = 0; i < 5_000; i++) {
      const sketch = Math.floor(draw() * 8)
      const bin = Math.floor(draw() * SKETCH_BINS)
      store.add(sketch, bin, i)
      const cells = plain[sketch] as Float64Array
      cells[bin] = (cells[bin] as number) + i
      if (draw() > 0.01) continue
      store.clear(sketch)
      cells.fill(0)
    }
    for (const [sketch, cells] of plain.entries()) {
      const dense = new Float64Array(SKETCH_BINS)
      store.addTo(sketch, dense)
      expect({ seed, sketch, dense }).toEqual({ seed, sketch, dense: cells })
    }
  }
})

test('cleared memory is used again', () => {
  const store = createSketchStore(Uint32Array, 1 << 16)
  store.ensure(1)
  for (let round = 0; round < 10_000; round++) {
    expect(store.add(0, round % SKETCH_BINS, 1)).toBe(true)
    store.clear(0)
  }
  expect(store.bytes()).toBeLessThan(4_096)
})

test('a window cell saturates instead of wrapping', () => {
  const store = createSketchStore(Uint32Array, 1 << 16)
  store.ensure(1)
  store.add(0, 5, 2 ** 32)
  store.add(0, 5, 2 ** 32)
  const dense = new Float64Array(SKETCH_BINS)
  store.addTo(0, dense)
  expect(dense[5]).toBe(2 ** 32 - 1)
})

test('quantiles of one pass are those asked for one by one', () => {
  const draw = random(3)
  const cells = new Float64Array(SKETCH_BINS)
  for (let i = 0; i < 1_000; i++) {
    const bin = sketchBin(1e6 * Math.exp(draw() * 5))
    cells[bin] = (cells[bin] as number) + 1
  }
  const out = new Float64Array(3)
  writeQuantiles(cells, [0.5, 0.99, 1], out, 0)
  expect([...out]).toEqual([0.5, 0.99, 1].map((q) => sketchQuantile(cells, 0, q)))
  expect(out[0]).toBe(sketchBound(sketchBin(out[0] as number)))
})

test('quantiles of nothing are unknown', () => {
  const out = new Float64Array(1)
  writeQuantiles(new Float64Array(SKETCH_BINS), [0.5], out, 0)
  expect(out[0]).toBeNaN()
})
