import { expect, test } from '@jest/globals'
import { fitToMemory } from '../../../src/settings/memory-fit.ts'
import { loadSettings, type Settings } from '../../../src/settings/settings.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

const MIB = 1024 ** 2
const settings = (text = ''): Settings => loadSettings(text, 'test.yaml', {})
const forwarding = `
forward:
  destinations:
    - { name: near, endpoint: "http://near:4318" }
    - { name: far, endpoint: "http://far:4318", queue_bytes_max: 8MiB }
`
const durable = 'durability: batch\nsegment_log: { directory: somewhere }\n'

/** What the tables come to when they are full, by what the settings' own comments say each thing takes. */
function fullBytes(given: Settings): number {
  const { accept, assemble, decompose, explain, forward, durability, namesBytesMax } = given
  const isOnDisk = durability.mode !== 'off'
  const queues = forward.destinations.reduce(
    (sum, { queueBytesMax }) => sum + (isOnDisk ? durability.waitingBytesMax : queueBytesMax),
    0
  )
  return (
    accept.inFlightBytesMax +
    assemble.spansMax * 110 +
    assemble.lateBytesMax +
    assemble.spansPerTraceMax * 480 +
    decompose.bodiesMax * 300 +
    decompose.runtimeInstancesMax * 33_000 +
    decompose.inference.heldBytesMax +
    decompose.inference.piecesMax * 45 +
    decompose.inference.requestsMax * 90 +
    decompose.inference.spreadsMax * 400 +
    explain.retainedBytesMax +
    2 * explain.sketchBytesMax +
    explain.historyBytesMax +
    namesBytesMax +
    (isOnDisk ? durability.waitingBytesMax : 0) +
    (forward.destinations.length > 0 ? forward.heldBytesMax : 0) +
    queues
  )
}

test('where there is room enough the defaults stay as they are', () => {
  for (const text of ['', forwarding, durable]) {
    const asked = settings(text)
    expect(fitToMemory(asked, 8192 * MIB)).toEqual(asked)
  }
})

test.each([
  ['nothing else', ''],
  ['destinations', forwarding],
  ['a log', durable],
  ['both', durable + forwarding]
])('for any limit the tables, full, are within what it leaves beside the program: with %s', (_, text) => {
  const next = wholeNumbers(1)
  for (let i = 0; i < 100; i++) {
    const limitBytes = (256 + next(4096)) * MIB
    const fitted = fitToMemory(settings(text), limitBytes)
    expect(fullBytes(fitted) + 160 * MIB).toBeLessThanOrEqual(0.8 * limitBytes + 4 * MIB)
    expect(fitted.accept.inFlightBytesMax).toBeGreaterThanOrEqual(fitted.accept.requestBytesMax)
    expect(fitted.accept.requestBytesMax).toBeGreaterThanOrEqual(4 * MIB)
    expect(fitted.assemble.spansPerTraceMax).toBeLessThanOrEqual(fitted.assemble.spansMax)
  }
})

test('sizes that somebody chose stay, and the others give way to them', () => {
  const chosen = settings('assemble:\n  spans_max: 2000000\naccept:\n  request_bytes_max: 50MiB\n')
  const fitted = fitToMemory(chosen, 640 * MIB)
  expect(fitted.assemble.spansMax).toBe(2_000_000)
  expect(fitted.accept).toMatchObject({ requestBytesMax: 50 * MIB, inFlightBytesMax: 50 * MIB })
  expect(fullBytes(fitted) + 160 * MIB).toBeLessThanOrEqual(0.8 * 640 * MIB)
})

test('sizes that leave no room for the others are refused, the largest first', () => {
  const chosen = settings('assemble:\n  spans_max: 5000000\naccept:\n  in_flight_bytes_max: 100MiB\n')
  expect(() => fitToMemory(chosen, 512 * MIB)).toThrow(
    'memory_limit 512MiB leaves 236MiB for tables beside the process, 10MiB of it for those that have no size in the settings: raise it, or lower assemble.spans_max (525MiB when full), accept.in_flight_bytes_max (100MiB when full)'
  )
})

test('threads take room too', () => {
  const asked = settings('workers: 4\n')
  expect(() => fitToMemory(asked, 256 * MIB)).toThrow('leaves 0MiB for tables beside the process and 4 workers')
  expect(fitToMemory(asked, 768 * MIB).assemble.spansMax).toBeLessThan(
    fitToMemory(settings('workers: 1\n'), 768 * MIB).assemble.spansMax
  )
})

test('queues on disk are no memory', () => {
  const large = durable + forwarding.replace('8MiB', '100GiB')
  expect(fitToMemory(settings(large), 512 * MIB).forward.destinations[1]?.queueBytesMax).toBe(100 * 1024 * MIB)
  expect(() => fitToMemory(settings(forwarding.replace('8MiB', '100GiB')), 512 * MIB)).toThrow(
    'forward.destinations[1].queue_bytes_max (102400MiB when full)'
  )
})

test('what has no size is as it was', () => {
  const asked = settings('expose:\n  port: 1234\n')
  const fitted = fitToMemory(asked, 256 * MIB)
  expect(fitted.expose).toEqual(asked.expose)
  expect(fitted.alerting).toEqual(asked.alerting)
})
