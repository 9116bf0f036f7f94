import { expect, test } from '@jest/globals'
import { type BlameSlots, createBlameSlots } from '../../../src/explain/blame-slots.ts'
import { BlameBand, type BlameSums } from '../../../src/explain/blame-table.ts'
import { type BlameColumns } from '../../../src/model/decomposition.ts'
import { PHASES, phases } from '../../../src/model/phases.ts'
import { exactToBigInt } from '../../../src/runtime/exact-sums.ts'
import { OTHER_ID } from '../../../src/runtime/strings.ts'
import { type BlameSketch, decompositionOf } from '../../builders/decompositions.ts'
import { MINUTE_MS, random, START_MS } from './explainers.ts'

const GATHER_MS = 30_000
const ROW = 3

function slots(given: { blameRootsMax?: number; culpritsMax?: number } = {}): BlameSlots {
  return createBlameSlots({
    blameRootsMax: 100,
    culpritsMax: 16,
    blameGatherMs: GATHER_MS,
    rowIdleMs: 60 * MINUTE_MS,
    ...given
  })
}

function blameOf(culprits: readonly BlameSketch[]): BlameColumns {
  return decompositionOf({ requests: [{}], blame: culprits }).blame
}

function culprit(operation: number, ns: number): BlameSketch {
  return { service: 50, operation, phase: 'queue_wait', ns }
}

interface Shown {
  readonly operation: number
  readonly band: number
  readonly phase: string
  readonly ns: bigint
  readonly requests: number
}

function shown(table: BlameSums): Shown[] {
  const found: Shown[] = []
  for (let slot = 0; slot < table.slots; slot++) {
    if (table.live[slot] === 0) continue
    for (let i = 0; i < 2 * PHASES; i++) {
      const cell = slot * 2 * PHASES + i
      const requests = table.requests[cell] as number
      if (requests === 0) continue
      found.push({
        operation: table.culpritOperation[slot] as number,
        band: Math.floor(i / PHASES),
        phase: phases[i % PHASES] as string,
        ns: exactToBigInt(table.ns, cell),
        requests
      })
    }
  }
  return found
}

const sumNs = (table: BlameSums): bigint => shown(table).reduce((sum, { ns }) => sum + ns, 0n)
const named = (table: BlameSums): number[] =>
  [...new Set(shown(table).map(({ operation }) => operation))].filter((id) => id !== OTHER_ID).sort((a, b) => a - b)

test('a culprit met twice in one request is one request with the sum of its time', () => {
  const blame = slots()
  const spent = blameOf([culprit(60, 5), culprit(61, 1), culprit(60, 7)])
  blame.charge(ROW, BlameBand.tail, spent, 10, START_MS)
  blame.charge(ROW, BlameBand.body, spent, 1, START_MS)
  blame.settleAll(START_MS)
  expect(shown(blame.table)).toEqual([
    { operation: 60, band: BlameBand.body, phase: 'queue_wait', ns: 12n, requests: 1 },
    { operation: 60, band: BlameBand.tail, phase: 'queue_wait', ns: 120n, requests: 10 },
    { operation: 61, band: BlameBand.body, phase: 'queue_wait', ns: 1n, requests: 1 },
    { operation: 61, band: BlameBand.tail, phase: 'queue_wait', ns: 10n, requests: 10 }
  ])
  expect([BlameBand.body, BlameBand.tail].map((band) => blame.table.rootRequests(ROW, band))).toEqual([1, 10])
})

test('a new root is shown once it has gathered, with all it gathered', () => {
  const blame = slots()
  blame.charge(ROW, BlameBand.tail, blameOf([culprit(60, 5)]), 1, START_MS)
  expect(shown(blame.table)).toEqual([])
  blame.tick(START_MS + GATHER_MS)
  expect(sumNs(blame.table)).toBe(5n)
  expect(blame.table.createdMs[1]).toBe(START_MS + GATHER_MS)
})

test('the largest of the tail get the slots, whoever came first', () => {
  const blame = slots({ culpritsMax: 3 })
  for (let operation = 100; operation < 140; operation++) {
    blame.charge(ROW, BlameBand.tail, blameOf([culprit(operation, operation)]), 1, START_MS)
  }
  for (let i = 0; i < 10; i++) blame.charge(ROW, BlameBand.body, blameOf([culprit(100, 100)]), 1, START_MS)
  blame.settleAll(START_MS)
  expect(named(blame.table)).toEqual([137, 138, 139])
})

test('among more culprits than are watched the large ones are still found, and nothing is lost', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const draw = random(seed)
    const blame = slots({ culpritsMax: 4 })
    let total = 0n
    for (let i = 0; i < 2_000; i++) {
      const large = draw() < 0.5
      const operation = large ? 100 + Math.floor(draw() * 4) : 1_000 + Math.floor(draw() * 500)
      const ns = large ? 1_000 : 10
      total += BigInt(ns)
      blame.charge(ROW, BlameBand.tail, blameOf([culprit(operation, ns)]), 1, START_MS + i * 20)
    }
    blame.settleAll(START_MS + MINUTE_MS)
    expect({ seed, sum: sumNs(blame.table) }).toEqual({ seed, sum: total })
    expect({ seed, named: named(blame.table) }).toEqual({ seed, named: [100, 101, 102, 103] })
  }
})

test('a large newcomer does not push out a culprit that is in use, but gets the place of an idle one', () => {
  const blame = slots({ culpritsMax: 1 })
  blame.charge(ROW, BlameBand.tail, blameOf([culprit(60, 1)]), 1, START_MS)
  blame.settleAll(START_MS)
  const laterMs = START_MS + 59 * MINUTE_MS
  expect(blame.charge(ROW, BlameBand.tail, blameOf([culprit(61, 1_000)]), 1, laterMs)).toBe(false)
  blame.tick(laterMs)
  expect(named(blame.table)).toEqual([60])
  expect(sumNs(blame.table)).toBe(1_001n)
  blame.tick(START_MS + 60 * MINUTE_MS)
  blame.charge(ROW, BlameBand.tail, blameOf([culprit(61, 7)]), 1, START_MS + 60 * MINUTE_MS)
  expect(shown(blame.table).filter(({ operation }) => operation === 61)).toMatchObject([{ ns: 7n, requests: 1 }])
  expect(named(blame.table)).toEqual([61])
})

test('a root beyond blame_roots_max is refused, and takes the place of one that left', () => {
  const blame = slots({ blameRootsMax: 2 })
  const spent = blameOf([culprit(60, 5)])
  expect([1, 2, 3].map((row) => blame.charge(row, BlameBand.tail, spent, 1, START_MS))).toEqual([true, true, false])
  blame.dropRoot(1)
  expect(blame.charge(3, BlameBand.tail, spent, 1, START_MS)).toBe(true)
  blame.settleAll(START_MS)
  expect([...blame.table.rootRow].filter((_, slot) => blame.table.live[slot] === 1)).toEqual([3, 2])
  expect(sumNs(blame.table)).toBe(10n)
})

test('an idle root leaves', () => {
  const blame = slots()
  blame.charge(ROW, BlameBand.tail, blameOf([culprit(60, 5)]), 1, START_MS)
  blame.tick(START_MS + 60 * MINUTE_MS)
  expect([...blame.table.live].every((live) => live === 0)).toBe(true)
  expect(blame.table.rootRequests(ROW, BlameBand.tail)).toBe(0)
})

test('time of an operation without a name goes to __other__ at once', () => {
  const blame = slots()
  const nameless = { service: OTHER_ID, operation: OTHER_ID, phase: 'gc' as const, ns: 9 }
  expect(blame.charge(ROW, BlameBand.tail, blameOf([nameless]), 1, START_MS)).toBe(false)
  blame.settleAll(START_MS)
  expect(shown(blame.table)).toEqual([{ operation: OTHER_ID, band: BlameBand.tail, phase: 'gc', ns: 9n, requests: 1 }])
})
