import { expect, test } from '@jest/globals'
import { addOperation, createIntervalWriter, type Interval } from '../../../../src/explain/history/interval.ts'
import { createOperationSums } from '../../../../src/explain/history/record.ts'
import { loadInterval, saveInterval } from '../../../../src/explain/history/saved-intervals.ts'
import { type Strings } from '../../../../src/runtime/strings.ts'
import { testStrings } from '../explainers.ts'

function interval(strings: Strings): Interval {
  const writer = createIntervalWriter()
  const sums = createOperationSums()
  for (const [i, operation] of ['GET /buy', 'GET /\u00fc', 'GET /buy', '__other__'].entries()) {
    sums.requests[i] = 2 ** 40 + i
    sums.phaseNs.high[3] = 5
    sums.phaseNs.low[3] = 2 ** 51 + 7
    sums.sketch[100 + i] = 3
    writer.add(strings.internText('shop'), strings.internText(operation), sums)
  }
  const versions = ['shop', '1.0', 'shop', '1.1'].map((name) => strings.internText(name))
  return writer.take({ fromMs: 60_000, toMs: 120_000.5, versions: Uint32Array.from(versions) })
}

test('an interval is the same in a process that numbers names otherwise', () => {
  const [here, there] = [testStrings(), testStrings()]
  const before = interval(here)
  for (const name of ['other', 'names', 'came', '1.1']) there.internText(name)
  // As a file gives it: a view, at an odd address.
  const file = Buffer.concat([Buffer.from('x'), saveInterval(before, here)])
  const after = loadInterval(file.subarray(1), there)
  file.fill(0)
  expect({ from: after.fromMs, to: after.toMs }).toEqual({ from: 60_000, to: 120_000.5 })
  const names = (ids: Uint32Array, strings: Strings) => [...ids].map((id) => strings.text(id))
  for (const column of ['service', 'operation', 'versions'] as const) {
    expect(names(after[column], there)).toEqual(names(before[column], here))
  }
  const [was, is] = [createOperationSums(), createOperationSums()]
  addOperation(before, here.internText('shop'), here.internText('GET /buy'), was)
  addOperation(after, there.internText('shop'), there.internText('GET /buy'), is)
  expect(is).toEqual(was)
  expect(was.requests[0]).toBe(2 * 2 ** 40)
})

test('another version, a part, and records that do not fit are refused', () => {
  const strings = testStrings()
  const saved = saveInterval(interval(strings), strings)
  const changed = (at: number, value: number): Uint8Array => {
    const copy = saved.slice()
    new DataView(copy.buffer).setUint32(at, value, true)
    return copy
  }
  expect(() => loadInterval(changed(0, 2), strings)).toThrow('history: version 2; this one reads 1')
  expect(() => loadInterval(saved.subarray(0, 20), strings)).toThrow('cut short')
  expect(() => loadInterval(saved.subarray(0, saved.length - 1), strings)).toThrow('do not fit')
  expect(() => loadInterval(changed(4, 1_000_000), strings)).toThrow('cut short')
})
