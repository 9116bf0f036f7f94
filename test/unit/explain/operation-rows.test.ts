import { expect, test } from '@jest/globals'
import { Pin } from '../../../src/explain/budgets/index.ts'
import { createOperationRows, type OperationRows } from '../../../src/explain/operation-rows.ts'
import {
  clearOperationRow,
  createOperationTable,
  growOperationTable,
  type MutableOperationTable,
  OTHER_ROW
} from '../../../src/explain/operation-table.ts'
import { OTHER_ID } from '../../../src/runtime/strings.ts'
import { MINUTE_MS, random, START_MS } from './explainers.ts'

interface Rig {
  readonly rows: OperationRows
  readonly table: MutableOperationTable
  /** As a request does: takes a row and marks it as seen. */
  readonly see: (service: number, operation: number, nowMs?: number) => number
  readonly heldBy: (service: number) => number
}

function rig(operationsMax: number, pins: ReadonlyMap<number, number> = new Map()): Rig {
  const table = createOperationTable(() => undefined)
  const rows = createOperationRows({
    operationsMax,
    rowIdleMs: 60 * MINUTE_MS,
    rowIdleMinMs: 10 * MINUTE_MS,
    pinnedByPatternMax: 2,
    pinOf: (_service, operation) => pins.get(operation) ?? Pin.none,
    table,
    onGrow(count) {
      growOperationTable(table, count)
    },
    onTaken: () => undefined,
    onFree(row) {
      clearOperationRow(table, row)
    }
  })
  return {
    rows,
    table,
    see(service, operation, nowMs = START_MS) {
      const row = rows.take(service, operation, nowMs)
      table.lastSeenMs[row] = nowMs
      return row
    },
    heldBy: (service) =>
      [...table.live.keys()].filter((row) => table.live[row] === 1 && table.service[row] === service).length
  }
}

test('an operation keeps its row, and two never share one', () => {
  const { see } = rig(10_000)
  const seen = new Set<number>()
  for (let operation = 100; operation < 5_000; operation++) seen.add(see(2 + (operation % 40), operation))
  expect(seen.size).toBe(4_900)
  expect(see(2 + (100 % 40), 100)).toBe(1)
})

test('what was called __other__ before is __other__ here', () => {
  const { see } = rig(10)
  expect(see(5, OTHER_ID)).toBe(OTHER_ROW)
  expect(see(OTHER_ID, 5)).toBe(OTHER_ROW)
})

test('a service that floods 100,000 names leaves every other service its rows', () => {
  const { see, heldBy } = rig(500)
  const kept = Array.from({ length: 20 }, (_, operation) => see(7, 1_000 + operation))
  for (let name = 0; name < 100_000; name++) see(9, 10_000 + name)
  expect(heldBy(9)).toBe(400 - 20)
  expect(kept.map((row, operation) => see(7, 1_000 + operation) === row)).toEqual(kept.map(() => true))
  const more = Array.from({ length: 60 }, (_, operation) => see(7, 2_000 + operation))
  expect(more).not.toContain(OTHER_ROW)
})

test('a service that comes to a full table still gets its share of a flooding one', () => {
  const { see, heldBy } = rig(500)
  for (let name = 0; name < 1_000; name++) see(9, 10_000 + name)
  for (let service = 20; service < 30; service++) {
    for (let operation = 0; operation < 30; operation++) {
      expect(see(service, 1_000 + operation)).not.toBe(OTHER_ROW)
      // The flood goes on with names new and old.
      see(9, 10_000 + operation)
      see(9, 20_000 + operation)
    }
  }
  expect(heldBy(9)).toBe(200)
})

test('a row taken over is the least recently seen', () => {
  const { see, rows } = rig(10)
  for (let name = 0; name < 8; name++) see(9, 100 + name, START_MS + name)
  see(9, 100, START_MS + 50)
  for (let operation = 0; operation < 3; operation++) see(7, 200 + operation, START_MS + 100)
  expect(rows.find(9, 100)).not.toBe(-1)
  expect(rows.find(9, 101)).toBe(-1)
})

test('services within twice their share lose only rows that were idle for a while', () => {
  const { see } = rig(12)
  for (let round = 0; round < 6; round++) for (const service of [7, 8]) see(service, 100 + round)
  // 12 rows: two services took what the reserve left them, a third takes from the reserve.
  for (let operation = 0; operation < 3; operation++) see(9, 100 + operation)
  expect(see(10, 100)).toBe(OTHER_ROW)
  for (const service of [7, 8]) see(service, 100, START_MS + 11 * MINUTE_MS)
  expect(see(10, 100, START_MS + 11 * MINUTE_MS)).not.toBe(OTHER_ROW)
})

test('idle rows leave and come back from zero with a fresh creation time', () => {
  const { rows, see, table } = rig(10)
  const row = see(7, 100)
  table.seen[row] = 5
  table.thresholdNs[row * 4] = 1
  rows.sweep(START_MS + 59 * MINUTE_MS, 100, () => undefined)
  expect(rows.find(7, 100)).toBe(row)
  rows.sweep(START_MS + 60 * MINUTE_MS, 100, () => undefined)
  expect(rows.find(7, 100)).toBe(-1)
  expect(table.live[row]).toBe(0)
  const again = see(7, 100, START_MS + 61 * MINUTE_MS)
  expect([again, table.seen[again], table.thresholdNs[again * 4], table.createdMs[again]]).toEqual([
    row,
    0,
    NaN,
    START_MS + 61 * MINUTE_MS
  ])
})

test('a sweep looks at no more rows than asked, and at all of them in turn', () => {
  const { rows, see } = rig(100)
  for (let operation = 0; operation < 50; operation++) see(7, 100 + operation)
  const visited: number[] = []
  for (let i = 0; i < 10; i++) rows.sweep(START_MS, 5, (row) => visited.push(row))
  expect(new Set(visited).size).toBe(50)
})

test('rows in use never pass operations_max, whatever comes', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = random(seed)
    const max = 1 + Math.floor(draw() * 40)
    const { rows, see, table } = rig(max)
    let nowMs = START_MS
    for (let step = 0; step < 3_000; step++) {
      nowMs += Math.floor(draw() * 5_000)
      const service = 2 + Math.floor(draw() ** 3 * 12)
      const row = see(service, 100 + Math.floor(draw() * 60), nowMs)
      if (row !== OTHER_ROW && table.service[row] !== service) throw new Error(`seed ${seed}: row ${row} is another's`)
      if (draw() < 0.1) rows.sweep(nowMs, 8, () => undefined)
    }
    const live = table.live.reduce((sum, one) => sum + one, 0) - 1
    expect({ seed, within: live <= max && table.rows <= max + 1 }).toEqual({ seed, within: true })
  }
})

test('pinned operations come on top of the rest and of every share: those a budget names always, of patterns a few', () => {
  const named = [100, 101, 102, 103, 104].map((operation) => [operation, Pin.name] as const)
  const byPattern = [200, 201, 202].map((operation) => [operation, Pin.pattern] as const)
  const { see, table } = rig(10, new Map([...named, ...byPattern]))
  for (let operation = 20; operation < 70; operation++) see(7, operation)
  const rows = [...named, ...byPattern].map(([operation]) => see(7, operation))
  expect(rows.map((row) => row !== OTHER_ROW)).toEqual([true, true, true, true, true, true, true, false])
  expect(see(8, 300)).not.toBe(OTHER_ROW)
  expect(table.live.filter((live) => live === 1)).toHaveLength(1 + 7 + 8 + 1)
})

test('a pinned row is taken over by nobody; idle, only one that a budget names stays', () => {
  const pins = new Map<number, number>([
    [100, Pin.name],
    [200, Pin.pattern]
  ])
  const { rows, see, table } = rig(10, pins)
  const [named, byPattern, plain] = [see(7, 100), see(7, 200), see(7, 20)]
  rows.sweep(START_MS + 61 * MINUTE_MS, 100, () => undefined)
  expect([named, byPattern, plain].map((row) => table.live[row])).toEqual([1, 0, 0])
})

test('rows that are no longer pinned count again', () => {
  const pins = new Map<number, number>([[100, Pin.name]])
  const { rows, see } = rig(1, pins)
  see(7, 100)
  pins.delete(100)
  rows.repin()
  expect(see(7, 20)).toBe(OTHER_ROW)
  pins.set(100, Pin.pattern)
  rows.repin()
  expect(see(7, 20)).not.toBe(OTHER_ROW)
})
