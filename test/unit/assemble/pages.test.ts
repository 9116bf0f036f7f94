import { expect, test } from '@jest/globals'
import {
  allocatedBytes,
  createPages,
  giveRow,
  PAGE_MASK,
  PAGE_SHIFT,
  releasePage,
  takeRow,
  usedBytes
} from '../../../src/assemble/pages.ts'
import { createRandom } from './random.ts'

const ROW_BYTES = 8

test('a row is given to one user at a time, row 0 to nobody, and memory keeps to a third over the limit', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = createRandom(seed)
    const rowsMax = 1 + random(40_000)
    const pages = createPages(2, rowsMax)
    const taken: number[] = []
    const isTaken = new Set<number>([0])
    for (let step = 0; step < 40; step++) {
      const filling = random(2) === 0
      for (let left = random(rowsMax + 1); left > 0; left--) {
        if (filling && taken.length < rowsMax) {
          const row = takeRow(pages)
          if (isTaken.has(row)) throw new Error(`seed ${seed}: row ${row} was given twice`)
          isTaken.add(row)
          taken.push(row)
        } else if (!filling && taken.length > 0) {
          const at = random(taken.length)
          const row = taken[at] as number
          taken[at] = taken[taken.length - 1] as number
          taken.pop()
          isTaken.delete(row)
          giveRow(pages, row)
        }
      }
      expect([seed, pages.used, usedBytes(pages)]).toEqual([seed, taken.length, taken.length * ROW_BYTES])
    }
    expect(allocatedBytes(pages)).toBeLessThanOrEqual(((rowsMax + 1) * (4 / 3) + 256) * ROW_BYTES)
  }
})

test('rows given out together lie together, although they were given back in any order', () => {
  const random = createRandom(5)
  const pages = createPages(2, 100_000)
  const rows = Array.from({ length: 100_000 }, () => takeRow(pages))
  rows.sort(() => random(3) - 1)
  for (const row of rows) giveRow(pages, row)
  const blocks = new Set(Array.from({ length: 1_024 }, () => takeRow(pages) >>> 8))
  expect(blocks.size).toBeLessThanOrEqual(4 * (1_024 / 256) + 1)
})

test('pages that a burst took are given back when nothing is in them, and rows keep what was written', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = createRandom(seed)
    const pages = createPages(2, 400_000)
    const rows: number[] = []
    const write = (row: number): void => {
      const words = pages.words[row >>> PAGE_SHIFT] as Uint32Array
      words[(row & PAGE_MASK) * 2 + 1] = row
    }
    const take = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const row = takeRow(pages)
        write(row)
        rows.push(row)
      }
    }
    const settle = (): void => {
      for (let i = 0; i < 100; i++) releasePage(pages)
    }
    take(300_000)
    const peak = allocatedBytes(pages)
    // All but a few, somewhere.
    for (const row of rows.splice(0, 100_000 + random(190_000))) giveRow(pages, row)
    settle()
    expect(allocatedBytes(pages)).toBeLessThan(Math.max(0.95 * peak, 1.6 * usedBytes(pages) + 5 * 131_072))
    take(random(250_000))
    settle()
    expect(new Set(rows).size).toBe(rows.length)
    for (const row of rows) {
      if ((pages.words[row >>> PAGE_SHIFT] as Uint32Array)[(row & PAGE_MASK) * 2 + 1] !== row)
        throw new Error(`seed ${seed}: row ${row}`)
    }
    for (const row of rows.splice(0)) giveRow(pages, row)
    settle()
    // Nothing is in use: what stays is page 0 and what is spare.
    expect(allocatedBytes(pages)).toBeLessThanOrEqual(4 * 131_072)
  }
})
