import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { type ReplayTarget } from '../../../src/durability/index.ts'
import { createHeldBack } from '../../../src/pipeline/held-back.ts'
import { createLogReadings } from '../../../src/pipeline/log-readings.ts'
import { type RoundKind } from '../../../src/pipeline/messages.ts'
import { type ShardThread } from '../../../src/pipeline/shard-thread.ts'
import { shardAnswer } from '../../builders/shard-answers.ts'

const SHARD = 1
const found = shardAnswer({ shard: SHARD })
const { state } = found

/** A shard whose thread has ended, holding 5 spans, when everything before request 7 was counted; and a log of one moment, which has all of it or not. */
function rig(isWhole = true) {
  const told: string[] = []
  let running = true
  const heldBack = createHeldBack(2)
  heldBack.taken(6)
  for (const shard of [0, SHARD]) {
    heldBack.asked(shard)
    heldBack.answered(shard, Infinity)
  }
  heldBack.taken(9)
  const thread = {
    isRunning: () => running,
    begin(phase: string, nowMs: number, kind: RoundKind) {
      told.push(`${phase} ${kind} ${nowMs}`)
    },
    state: () => state
  }
  const readings = createLogReadings({
    threadOf: () => thread as unknown as ShardThread,
    findings: {
      count: () => undefined,
      isDone: () => true,
      oldest: () => Infinity,
      finish: () => undefined
    },
    heldBack,
    async readAgain(from: number, target: ReplayTarget) {
      told.push(`read from ${from}`)
      await target.goOn(100)
      while (!(await target.end(200)));
      return isWhole
    },
    targetFor: (_shard, round) => ({
      begin: () => undefined,
      take: () => undefined,
      recall: () => undefined,
      goOn: (atMs) => round(atMs, 'replay'),
      async end(nowMs) {
        await round(nowMs, 'replayed')
        return true
      }
    }),
    settled: () => Promise.resolve(),
    nowMs: () => 300,
    lose(why, spans) {
      told.push(`lost ${spans}: ${why}`)
    }
  })
  const setRunning = (is: boolean): void => {
    running = is
  }
  /** What was told since the last time. */
  const since = async (): Promise<string[]> => {
    await pause(1)
    return told.splice(0)
  }
  /** Answers both phases of the round under way. */
  const answerRound = async (): Promise<void> => {
    for (let phase = 0; phase < 2; phase++) {
      readings.answered(found)
      await pause(1)
    }
  }
  return { readings, heldBack, setRunning, since, answerRound }
}

test('what a thread held is read by the next one in rounds of its own; until then its requests are held back', async () => {
  const { readings, heldBack, since, answerRound } = rig()
  readings.ended(SHARD, 'failed', 5)
  expect(readings.answered({ ...found, shard: 0 })).toBe(false)
  readings.start(SHARD)
  readings.start(SHARD)
  expect(await since()).toEqual(['read from 7', 'close replay 100'])
  await answerRound()
  expect(await since()).toEqual(['judge replay 100', 'close replayed 200'])
  expect([readings.isReading(SHARD), heldBack.of(SHARD)]).toEqual([true, 7])
  await answerRound()
  await readings.over(SHARD)
  expect(await since()).toEqual(['judge replayed 200'])
  expect([readings.isReading(SHARD), heldBack.of(SHARD)]).toEqual([false, Infinity])
})

test('a thread that ends while it reads leaves all of it to the next, and nothing waits for the first any more', async () => {
  const { readings, since, answerRound, setRunning } = rig()
  readings.ended(SHARD, 'failed', 5)
  const over = readings.over(SHARD)
  readings.start(SHARD)
  await since()
  setRunning(false)
  readings.ended(SHARD, 'hung', 1)
  readings.start(SHARD)
  expect(await since()).toEqual([])
  setRunning(true)
  readings.start(SHARD)
  expect(await since()).toEqual(['read from 7', 'close replay 100'])
  await answerRound()
  await answerRound()
  await over
  expect(await since()).toEqual(['judge replay 100', 'close replayed 200', 'judge replayed 200'])
})

test('what a log does not have whole is lost, and the shard goes on', async () => {
  const { readings, since, answerRound } = rig(false)
  readings.ended(SHARD, 'heap_full', 5)
  readings.start(SHARD)
  await since()
  for (let round = 0; round < 3; round++) await answerRound()
  expect(await since()).toContain('lost 5: heap_full')
  expect(readings.isReading(SHARD)).toBe(false)
})
