import { expect, test } from '@jest/globals'
import { createNeighbours, PieceFlag } from '../../../../src/decompose/judge/inference/neighbours.ts'
import { PieceKind } from '../../../../src/decompose/judge/inference/pieces.ts'
import { isStalled } from '../../../../src/decompose/judge/inference/stalled.ts'
import { createSharedMemory } from '../../../../src/runtime/shared-memory.ts'

const PROCESS = 3
const MS = 1e6

/** Pieces of other requests of one process, all with a median of 1 ms; times in ms. */
function around(pieces: readonly (readonly [fromMs: number, toMs: number, flags: number])[], knocks = true) {
  const neighbours = createNeighbours({ rowsMax: 1024, memory: createSharedMemory(), pushedOut: () => undefined })
  for (const [i, [fromMs, toMs, flags]] of pieces.entries()) {
    neighbours.next.set([fromMs * MS, toMs * MS, MS, 2 * MS])
    neighbours.add(PROCESS, 100 + i, flags)
  }
  return neighbours.around(PROCESS, 1, 100 * MS, 180 * MS, knocks)
}

const slowCall = PieceKind.call | PieceFlag.stretched
const knock = PieceKind.beforePeer | PieceFlag.stretched | PieceFlag.knock

test('slow calls alone are weak witnesses; who waits at the door meanwhile makes them strong', () => {
  const calls = [
    [95, 182, slowCall],
    [97, 181, slowCall]
  ] as const
  expect(around(calls)).toMatchObject({ witnesses: 2, strong: false })
  expect(around([...calls, [110, 181, knock]])).toMatchObject({ witnesses: 3, strong: true })
  expect(around([...calls, [110, 181, knock]], false)).toMatchObject({ witnesses: 2, strong: false })
})

test('a process that begins something every few milliseconds is not stalled, however many are slow', () => {
  const slow = Array.from({ length: 20 }, (_, i) => [95 + i / 10, 181, slowCall] as const)
  expect(around(slow).quietShare).toBeGreaterThan(0.9)
  expect(isStalled(around(slow))).toBe(true)
  const begun = Array.from({ length: 8 }, (_, i) => [105 + 10 * i, 106 + 10 * i, PieceKind.own] as const)
  expect(around([...slow, ...begun]).quietShare).toBeLessThan(0.2)
  expect(isStalled(around([...slow, ...begun]))).toBe(false)
})

const waiting = PieceKind.own | PieceFlag.stretched | PieceFlag.beforeCall

/** Who waited beside [100, 180) ms, each waiter [from, to) in ms. */
function released(waiters: readonly (readonly [fromMs: number, toMs: number])[]) {
  const neighbours = createNeighbours({ rowsMax: 1024, memory: createSharedMemory(), pushedOut: () => undefined })
  for (const [i, [fromMs, toMs]] of waiters.entries()) {
    neighbours.next.set([(fromMs - 1) * MS, toMs * MS, MS, 2 * MS])
    neighbours.add(PROCESS, 100 + i, waiting)
  }
  return neighbours.released(PROCESS, 1, 100 * MS, 180 * MS)
}

test('those who end together were released; who came first and who stayed is counted', () => {
  const together = [
    [80, 179.5],
    [120, 180.2],
    [150, 181]
  ] as const
  expect(released(together)).toEqual({ together: 3, stayed: 0, during: 2, waitedNs: 100 * MS, endedNs: 1.5 * MS })
  expect(released([...together, [130, 220], [90, 150], [190, 230]])).toMatchObject({ together: 3, stayed: 1 })
})
