import { expect, test } from '@jest/globals'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { requestProtobuf, shopRequests } from '../builders/shop-requests.ts'

const START_MS = 1_700_000_000_000
const TRACES = 300
const BOTH_QUIET_MS = 60_000
const settings = loadSettings('assemble: {slice_spans: 20}', 'test', {})

/** Traces of many slices that are due together. */
function dueTraces(turnMs?: () => number): Pipeline {
  const tools = { log: { error: fail }, nowMs: () => START_MS, seed: 1 }
  const pipeline = buildPipeline(settings, turnMs === undefined ? tools : { ...tools, turnMs })
  pipeline.tick(START_MS)
  for (const request of shopRequests({ traces: TRACES, seed: 7 })) {
    pipeline.accept.traces(requestProtobuf(request), 'protobuf')
  }
  return pipeline
}

function fail(fields: object): never {
  throw new Error(JSON.stringify(fields))
}

test('what is due closes in one turn where there is time, however many slices that is', () => {
  expect(dueTraces().closeDue(START_MS + BOTH_QUIET_MS)).toBe(TRACES)
})

test('a turn ends when its time is used, the next ones do the rest, and are longer once it has waited for long', () => {
  let turnMs = 0
  // Each look at the clock finds it a millisecond on.
  const pipeline = dueTraces(() => (turnMs += 1))
  const close = (): number => pipeline.closeDue(START_MS + BOTH_QUIET_MS)
  const short = Array.from({ length: 10 }, close)
  turnMs += 1_000
  const long = [close(), close()]
  expect(Math.min(...short)).toBeGreaterThan(0)
  expect(Math.min(...long)).toBeGreaterThan(2 * Math.max(...short))
  let closed = [...short, ...long].reduce((sum, traces) => sum + traces)
  while (closed < TRACES) closed += close()
  expect(pipeline.due(START_MS + BOTH_QUIET_MS)).toBe(false)
})
