import { expect, test } from '@jest/globals'
import { createSeenVersions, VERSIONS_MAX } from '../../../../src/explain/history/seen-versions.ts'

const ROWS = VERSIONS_MAX + 50
const ids = (of: (row: number) => number): Uint32Array => Uint32Array.from({ length: ROWS }, (_, row) => of(row))
const resources = (version: (row: number) => number) => ({
  rows: ROWS,
  service: ids(() => 7),
  process: ids((row) => row),
  host: ids(() => 0),
  version: ids(version),
  language: new Uint8Array(ROWS)
})

test('instances of one version are one pair, those that say none are left out, and each take begins anew', () => {
  const versions = createSeenVersions(resources((row) => row % 3))
  for (let row = 0; row < 9; row++) versions.see(row)
  const marked = new Uint8Array(ROWS)
  versions.mark(marked)
  expect([...marked.subarray(0, 10)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
  const lost = (count: number): never => {
    throw new Error(`${count} lost`)
  }
  expect([...versions.take(lost)]).toEqual([7, 1, 7, 2])
  expect([...versions.take(lost)]).toEqual([])
})

test('a sender that makes up versions fills no more than its room, and what is left out is told', () => {
  const versions = createSeenVersions(resources((row) => row + 1))
  for (let row = 0; row < ROWS; row++) versions.see(row)
  let lost = 0
  expect(versions.take((count) => (lost += count)).length).toBe(2 * VERSIONS_MAX)
  expect(lost).toBe(50)
})
