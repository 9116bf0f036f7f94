import { expect, test } from '@jest/globals'
import { createSweeper } from '../../../src/runtime/sweeper.ts'
import { createStrings, OTHER_ID } from '../../../src/runtime/strings.ts'

test('names that found no place are counted, once', () => {
  const strings = createStrings({ stringsMax: 3, bytesMax: 1_000, stringBytesMax: 100, seed: 1 })
  const resources = {
    fullness: () => 0,
    marks: new Uint8Array(1),
    beginMarking: () => undefined,
    sweep: () => undefined,
    mark: () => undefined
  }
  const sweeper = createSweeper({ strings, resources }, [{ mark: () => undefined }])
  const counted = (): number => {
    sweeper.tick()
    return sweeper.counters.samples()[0]?.value ?? NaN
  }
  for (const name of ['a', 'b']) strings.internText(name)
  expect(counted()).toBe(0)
  const ids = ['c', 'd', 'e', 'f'].map(strings.internText)
  expect(counted()).toBe(ids.filter((id) => id === OTHER_ID).length)
  expect(counted()).toBeGreaterThan(0)
})
