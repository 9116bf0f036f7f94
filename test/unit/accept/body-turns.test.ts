import { expect, test } from '@jest/globals'
import { createBodyTurns } from '../../../src/accept/body-turns.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

/** A thread of which a test says how time passes, and when everything else has had its turn. */
function thread() {
  let nowMs = 0
  let pending: (() => void)[] = []
  const done: number[] = []
  const turns = createBodyTurns({ turnMs: () => nowMs, afterOthers: (turn) => pending.push(turn) })
  return {
    done,
    turns,
    wait: (ms: number): void => {
      nowMs += ms
    },
    work: (number: number, ms: number) =>
      turns.take(() => {
        nowMs += ms
        done.push(number)
        return number
      }),
    /** Everything else had its turn; gives the ms that bodies took of the next. */
    others: (): number => {
      const startMs = nowMs
      const now = pending
      pending = []
      for (const turn of now) turn()
      return nowMs - startMs
    }
  }
}

test('work is done at once while its turn lasts, and waits for the next beyond it', async () => {
  const { work, done, others } = thread()
  expect(work(1, 0.75)).toBe(1)
  expect(work(2, 0.75)).toBe(2)
  const third = work(3, 0.75)
  const fourth = work(4, 0.75)
  const fifth = work(5, 0.75)
  expect(done).toEqual([1, 2])
  expect(others()).toBe(1.5)
  expect(done).toEqual([1, 2, 3, 4])
  expect(others()).toBe(0.75)
  expect(await Promise.all([third, fourth, fifth])).toEqual([3, 4, 5])
})

test('a turn is longer once somebody has waited for long', () => {
  const { work, wait, others } = thread()
  for (let body = 0; body < 20; body++) void work(body, 0.5)
  wait(45)
  expect(others()).toBe(1)
  wait(10)
  expect(others()).toBe(4)
})

test('nobody overtakes who waits, and no turn is longer than what it may use and one piece of work', () => {
  const next = wholeNumbers(7)
  const { work, done, others } = thread()
  let sent = 0
  for (let round = 0; round < 300; round++) {
    for (let i = next(6); i > 0; i--) void work((sent += 1), next(12))
    expect(others()).toBeLessThan(4 + 12)
  }
  while (done.length < sent) others()
  expect(done).toEqual(Array.from({ length: sent }, (_, i) => i + 1))
})

test('what throws lets the next have its turn', async () => {
  const { work, turns, others } = thread()
  void work(1, 20)
  const broken = turns.take(() => {
    throw new Error('broken')
  })
  const after = work(2, 1)
  others()
  await expect(broken).rejects.toThrow('broken')
  expect(await after).toBe(2)
})

test('it is late while the first of those that wait has waited for a second', () => {
  const { work, turns, wait, others } = thread()
  void work(1, 20)
  void work(2, 20)
  void work(3, 1)
  expect(turns.late()).toBe(false)
  wait(1_001)
  expect(turns.late()).toBe(true)
  others()
  others()
  expect(turns.late()).toBe(false)
})

test('it is late while those that wait are more than a second of work, at the pace at which they were done', () => {
  const { work, turns, wait, others } = thread()
  const come = (bodies: number): void => {
    for (let body = 0; body < bodies; body++) void work(body, 0.5)
  }
  // Two always wait; of each four milliseconds two bodies take one, and others the rest.
  come(4)
  for (let turn = 0; turn < 200; turn++) {
    come(2)
    wait(3)
    others()
  }
  come(480)
  expect(turns.late()).toBe(false)
  come(30)
  expect(turns.late()).toBe(true)
  for (let turn = 0; turn < 20; turn++) others()
  expect(turns.late()).toBe(false)
})
