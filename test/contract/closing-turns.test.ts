import { expect, test } from '@jest/globals'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { requestProtobuf, shopRequests } from '../builders/shop-requests.ts'

const START_MS = 1_700_000_000_000
const TRACES = 300
const BOTH_QUIET_MS = 60_000
const settings = loadSettings('assemble: {slice_spans: 20}', 'test', {})

/** Traces of many slices that are due together. */
function dueTraces(nowMs: () => number): Pipeline {
  const pipeline = buildPipeline(settings, { log: { error: fail }, nowMs, seed: 1 })
  pipeline.tick(nowMs())
  for (const request of shopRequests({ traces: TRACES, seed: 7 })) {
    pipeline.accept.traces(requestProtobuf(request), 'protobuf')
  }
  return pipeline
}

function fail(fields: object): never {
  throw new Error(JSON.stringify(fields))
}

test('what is due closes in one turn where there is time, however many slices that is', () => {
  let nowMs = START_MS
  const pipeline = dueTraces(() => nowMs)
  expect(pipeline.closeDue((nowMs += BOTH_QUIET_MS))).toBe(TRACES)
})

test('a turn ends when its time is used, and the next ones do the rest', () => {
  let nowMs = START_MS
  // Each look at the clock finds it ten milliseconds on.
  const pipeline = dueTraces(() => (nowMs += 10))
  nowMs += BOTH_QUIET_MS
  const turns: number[] = []
  for (let left = TRACES; left > 0; left -= turns.at(-1) ?? 0) turns.push(pipeline.closeDue((nowMs += 10)))
  expect(turns.length).toBeGreaterThan(10)
  expect(Math.min(...turns)).toBeGreaterThan(0)
})
