import { expect, test } from '@jest/globals'
import { fitToMemory } from '../../../src/settings/memory-fit.ts'
import { loadSettings, type Settings } from '../../../src/settings/settings.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

const MIB = 1024 ** 2
const settings = (text = ''): Settings => loadSettings(text, 'test.yaml', {})

/** What the tables come to when they are full, by what the settings' own comments say each thing takes. */
function fullBytes({ accept, assemble, decompose, explain }: Settings): number {
  return (
    accept.inFlightBytesMax +
    assemble.spansMax * 110 +
    assemble.lateBytesMax +
    decompose.inference.heldBytesMax +
    decompose.inference.piecesMax * 45 +
    decompose.inference.requestsMax * 100 +
    explain.retainedBytesMax +
    2 * explain.sketchBytesMax +
    explain.historyBytesMax
  )
}

test('where there is room enough the defaults stay as they are', () => {
  const defaults = settings()
  expect(fitToMemory(defaults, 4096 * MIB)).toEqual({ settings: defaults, warnings: [] })
})

test('for any limit the tables, full, are within what it leaves beside the program', () => {
  const next = wholeNumbers(1)
  for (let i = 0; i < 100; i++) {
    const limitBytes = (256 + next(4096)) * MIB
    const { settings: fitted, warnings } = fitToMemory(settings(), limitBytes)
    expect(warnings).toEqual([])
    expect(fullBytes(fitted) + 160 * MIB).toBeLessThanOrEqual(0.8 * limitBytes + 4 * MIB)
    expect(fitted.accept.inFlightBytesMax).toBeGreaterThanOrEqual(fitted.accept.requestBytesMax)
    expect(fitted.accept.requestBytesMax).toBeGreaterThanOrEqual(4 * MIB)
    expect(fitted.assemble.spansPerTraceMax).toBeLessThanOrEqual(fitted.assemble.spansMax)
  }
})

test('sizes that somebody chose stay, and are spoken of when they do not fit', () => {
  const chosen = settings('assemble:\n  spans_max: 5000000\naccept:\n  request_bytes_max: 100MiB\n')
  const { settings: fitted, warnings } = fitToMemory(chosen, 512 * MIB)
  expect(fitted.assemble.spansMax).toBe(5_000_000)
  expect(fitted.accept).toMatchObject({ requestBytesMax: 100 * MIB, inFlightBytesMax: 100 * MIB })
  expect(warnings).toEqual([
    'the tables, full, come to 909MiB, more than memory_limit 512MiB: before that requests are refused and traces closed early. The largest: assemble.spans_max 525MiB, accept.in_flight_bytes_max 100MiB, explain.sketch_bytes_max 31MiB'
  ])
})

test('what has no size is as it was', () => {
  const asked = settings('expose:\n  port: 1234\n')
  const { settings: fitted } = fitToMemory(asked, 256 * MIB)
  expect(fitted.expose).toEqual(asked.expose)
  expect(fitted.alerting).toEqual(asked.alerting)
})
