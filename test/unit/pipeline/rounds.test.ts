import { expect, jest, test } from '@jest/globals'
import { createRounds } from '../../../src/pipeline/rounds.ts'
import { type FoundMessage } from '../../../src/pipeline/shard-thread.ts'
import { shardAnswer } from '../../builders/shard-answers.ts'

const found = (closed: number, due = true): FoundMessage => shardAnswer({ closed, due })

/** Two shards that answer when told, and what the rounds did. */
function rig() {
  const told: string[] = []
  const down = new Set<number>()
  const rounds = createRounds(2, {
    begin(shard, phase) {
      if (!down.has(shard)) told.push(`${shard} ${phase}`)
      return !down.has(shard)
    },
    count(messages) {
      told.push(`count ${messages.length}`)
    },
    over(nowMs) {
      told.push(`over ${nowMs}`)
    },
    onBehind(shard) {
      told.push(`behind ${shard}`)
    },
    onHung(shard) {
      told.push(`hung ${shard}`)
    }
  })
  const since = (): string[] => told.splice(0)
  return { rounds, since, down }
}

test('nobody judges before all have closed, and a round begins when the last one is over', async () => {
  const { rounds, since } = rig()
  rounds.start(5)
  rounds.start(6)
  expect(since()).toEqual(['0 close', '1 close'])
  const settled = rounds.settled()
  rounds.answered(1, found(2))
  expect(since()).toEqual([])
  rounds.answered(0, found(3))
  expect(since()).toEqual(['count 2', '0 judge', '1 judge'])
  expect(rounds.closed()).toBe(5)
  rounds.answered(0, found(0))
  rounds.answered(1, found(0))
  expect(since()).toEqual(['count 2', 'over 5'])
  await settled
})

test('nobody is asked to judge when nothing waits for it, but at the end all are', () => {
  const { rounds, since } = rig()
  rounds.start(5)
  rounds.answered(0, found(1, false))
  rounds.answered(1, found(2, false))
  expect(since()).toEqual(['0 close', '1 close', 'count 2', 'over 5'])
  expect(rounds.closed()).toBe(3)
  rounds.start(6)
  rounds.answered(0, found(1, true))
  rounds.answered(1, found(2, false))
  expect(since()).toEqual(['0 close', '1 close', 'count 2', '0 judge', '1 judge'])
  rounds.answered(0, found(0, false))
  rounds.answered(1, found(0, false))
  since()
  rounds.start(7, 'last')
  rounds.answered(0, found(0, false))
  rounds.answered(1, found(0, false))
  expect(since()).toEqual(['0 close', '1 close', 'count 2', '0 judge', '1 judge'])
})

test('a shard that takes too long is left behind, and takes part again once it has answered', () => {
  jest.useFakeTimers()
  try {
    const { rounds, since } = rig()
    rounds.start(5)
    rounds.answered(0, found(1))
    since()
    jest.advanceTimersByTime(2_000)
    expect(since()).toEqual(['behind 1', 'count 1', '0 judge'])
    rounds.answered(0, found(0))
    expect(since()).toEqual(['count 1', 'over 5'])
    rounds.start(6)
    expect(since()).toEqual(['0 close'])
    rounds.answered(1, found(7))
    expect(since()).toEqual(['count 1'])
    rounds.answered(0, found(0))
    expect(since()).toEqual(['count 1', '0 judge', '1 judge'])
    rounds.answered(0, found(0))
    rounds.answered(1, found(0))
    since()
    rounds.start(7)
    expect(since()).toEqual(['0 close', '1 close'])
  } finally {
    jest.useRealTimers()
  }
})

test('a shard that stays behind is given up once, and its next thread takes part again', () => {
  jest.useFakeTimers()
  try {
    const { rounds, since } = rig()
    rounds.start(0)
    rounds.answered(0, found(0))
    jest.advanceTimersByTime(2_000)
    rounds.answered(0, found(0))
    since()
    const told: string[] = []
    for (let round = 1; round <= 500; round++) {
      rounds.start(round)
      rounds.answered(0, found(0))
      rounds.answered(0, found(0))
      told.push(...since().flatMap((line) => (line.startsWith('hung') ? [`${line} in round ${round}`] : [])))
    }
    expect(told).toEqual(['hung 1 in round 400'])
    rounds.gone(1)
    rounds.start(501)
    expect(since()).toEqual(['0 close', '1 close'])
  } finally {
    jest.useRealTimers()
  }
})

test('at the end nobody waits for longer than those who stop the process do', async () => {
  jest.useFakeTimers()
  try {
    const { rounds, since } = rig()
    rounds.start(5, 'last')
    const settled = rounds.settled()
    rounds.answered(0, found(1))
    jest.advanceTimersByTime(8_000)
    rounds.answered(0, found(0))
    await settled
    expect(since()).toEqual(['0 close', '1 close', 'behind 1', 'count 1', '0 judge', 'count 1', 'over 5'])
  } finally {
    jest.useRealTimers()
  }
})

test('nobody waits for a shard whose thread has ended', () => {
  const { rounds, since, down } = rig()
  rounds.start(5)
  rounds.answered(1, found(1))
  down.add(0)
  rounds.gone(0)
  expect(since()).toEqual(['0 close', '1 close', 'count 1', '1 judge'])
  down.add(1)
  rounds.gone(1)
  rounds.start(6)
  expect(since()).toEqual(['count 0', 'over 5', 'count 0', 'over 6'])
})
