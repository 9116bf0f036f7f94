import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { figuresOf, type Tally } from '../../../../examples/shop/truth/figures.ts'
import { findRecordings, openRecording } from '../../../../examples/shop/truth/recording.ts'
import { scoreRecording } from '../../../../examples/shop/truth/score-recording.ts'
import { writeSimulatedRecording } from '../../../builders/simulated-recording.ts'
import { simulateShop, type SimulatedOptions } from '../../../builders/simulated-shop.ts'

jest.setTimeout(30_000)

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function scored(options: Omit<SimulatedOptions, 'seconds'>): Promise<Tally> {
  const path = join(folder, `${options.cause}-${options.seed}`)
  writeSimulatedRecording(path, simulateShop({ ...options, seconds: 3 }))
  return scoreRecording(openRecording(path))
}

test('a queue that a wait span shows is found in every slow trace, and the promise to have measured it holds', async () => {
  const tally = await scored({ cause: 'queue', seed: 21, waitSpans: true })
  expect(tally).toMatchObject({ leftOut: 0, leftOutTraces: 0, otherPaths: 0 })
  expect(tally.samePaths).toBeGreaterThan(550)
  expect(tally.requests).toBe(4 * tally.samePaths)
  expect(tally.causes.get('queue_wait>queue_wait')).toBeGreaterThan(5)
  const { traceCause, slowTraces, falseCertainty, attributed } = figuresOf(tally)
  expect(slowTraces).toBeGreaterThan(5)
  expect({ traceCause, falseCertainty }).toEqual({ traceCause: 1, falseCertainty: 0 })
  expect(attributed).toBeGreaterThan(0.95)
})

test('sleep that nobody can see counts as rightly unattributed, and is not missing of what has a cause', async () => {
  const { traceCause, attributed, attributedOfCaused } = figuresOf(await scored({ cause: 'rust-sleep', seed: 22 }))
  expect(traceCause).toBe(1)
  expect(attributed).toBeLessThan(0.7)
  expect(attributedOfCaused).toBeGreaterThan(0.8)
})

test('a folder of recordings is found as such, and a folder that is none is told of', async () => {
  await scored({ cause: 'none', seed: 23 })
  expect(findRecordings([folder]).map(({ meta }) => meta.cause)).toContain('none')
  expect(() => findRecordings([join(folder, 'nowhere')])).toThrow('there is no such folder')
  expect(() => openRecording(tmpdir())).toThrow('not a recording')
})
