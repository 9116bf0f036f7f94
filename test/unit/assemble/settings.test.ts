import { expect, test } from '@jest/globals'
import { assembleSection, assembleSettings } from '../../../src/assemble/index.ts'

test('the defaults are those of the architecture', () => {
  expect(assembleSettings(assembleSection.parse({}))).toEqual({
    quietTimeMs: 8_000,
    rootWaitMs: 60_000,
    ageMaxMs: 900_000,
    lateWindowMs: 300_000,
    lateBytesMax: 67_108_864,
    spansMax: 4_000_000,
    tracesMax: 1_000_000,
    spansPerTraceMax: 1_000_000,
    sliceSpans: 128,
    holdUntilMemory: false
  })
})

test('durations and sizes are read with their units, and unknown keys refused', () => {
  const settings = assembleSettings(assembleSection.parse({ quiet_time: '250ms', late_bytes_max: '1MiB' }))
  expect(settings).toMatchObject({ quietTimeMs: 250, lateBytesMax: 1_048_576 })
  expect(assembleSection.safeParse({ quiet: '1s' }).success).toBe(false)
})
