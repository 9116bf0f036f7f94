import { expect, test } from '@jest/globals'
import { createNeighbours, PieceFlag } from '../../../../src/decompose/judge/inference/neighbours.ts'
import { PieceKind } from '../../../../src/decompose/judge/inference/pieces.ts'
import type { Findings, RuleTools } from '../../../../src/decompose/judge/inference/rule.ts'
import { lateTurn } from '../../../../src/decompose/judge/inference/rules/late-turn.ts'
import { createSuspect } from '../../../../src/decompose/judge/inference/suspects.ts'
import { createSharedMemory } from '../../../../src/runtime/shared-memory.ts'

const PROCESS = 3
const MS = 1e6
const WAITED_NS = 80 * MS

type PieceMs = readonly [fromMs: number, toMs: number, flags: number]

/** How much of a wait from 100 to 180 ms is no longer certain, beside pieces of other requests of its process, all with a median of 1 ms. */
function doubtedNs(pieces: readonly PieceMs[], kind: number = PieceKind.wait): number {
  const neighbours = createNeighbours({ rowsMax: 1024, memory: createSharedMemory(), pushedOut: () => undefined })
  for (const [i, [fromMs, toMs, flags]] of pieces.entries()) {
    neighbours.next.set([fromMs * MS, toMs * MS, MS, 2 * MS])
    neighbours.add(PROCESS, 100 + i, flags)
  }
  const findings = { leftNs: WAITED_NS, doubtedNs: 0 } as Findings
  const tools = { around: () => neighbours.around(PROCESS, 1, 100 * MS, 180 * MS, true) } as unknown as RuleTools
  lateTurn.judge({ ...createSuspect(), kind }, findings, tools)
  return findings.doubtedNs
}

const slowCode = PieceKind.own | PieceFlag.stretched
const slowCall = PieceKind.call | PieceFlag.stretched
const stood: readonly PieceMs[] = [
  [95, 182, slowCode],
  [97, 181, slowCode]
]

test('a wait is in doubt when its process stood still meanwhile', () => {
  expect(doubtedNs(stood)).toBe(WAITED_NS)
})

test('a wait is certain when its process went on, or only its calls were slow, as they are for who holds what it waits for', () => {
  const begun = Array.from({ length: 8 }, (_, i): PieceMs => [105 + 10 * i, 106 + 10 * i, PieceKind.own])
  expect(doubtedNs([])).toBe(0)
  expect(doubtedNs([...stood, ...begun])).toBe(0)
  expect(doubtedNs(stood.map(([fromMs, toMs]) => [fromMs, toMs, slowCall]))).toBe(0)
})

test('what is no wait is not its business', () => {
  expect(doubtedNs(stood, PieceKind.own)).toBe(0)
})
