import { expect, test } from '@jest/globals'
import { GRADES, Phase } from '../../../src/model/phases.ts'
import { type Judged, judgeInShards } from '../../builders/shards-in-turn.ts'

const INFERRED = 1

/** ns of a phase that inference said, over all requests. */
function inferredNs({ said }: Judged, phase: number): number {
  let sum = 0
  for (const phaseNs of said.values()) sum += phaseNs[phase * GRADES + INFERRED] ?? 0
  return sum
}

// Scenario: the traces of one process are spread over shards by their ids, and what tells of them lies in all of these.
// Guarantees: whatever their number, the same was learned and the same is said of every request, to the nanosecond. The traffic
// stays below the limits (4,096 of a kind, 2,000 lessons between two publications) beyond which it matters who came first.
test.each([
  ['queue', Phase.queueWait, 60],
  ['stall', Phase.scheduling, 40],
  ['late-caller', Phase.scheduling, 40]
] as const)('%s: 1, 2, 3 and 5 shards learn and say the same', (cause, phase, rate) => {
  const shop = { cause, seed: 17, seconds: 36, rate }
  const alone = judgeInShards(shop, 1)
  expect(alone.said.size).toBeGreaterThan(3_000)
  expect(inferredNs(alone, phase)).toBeGreaterThan(20e6)
  for (const shards of [2, 3, 5]) {
    const several = judgeInShards(shop, shards)
    expect(several.learned).toEqual(alone.learned)
    expect(new Map([...several.said].sort())).toEqual(new Map([...alone.said].sort()))
  }
})
