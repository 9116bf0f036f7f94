import { expect, jest, test } from '@jest/globals'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { createRandom } from '../builders/random.ts'
import { type Said, said } from '../builders/said.ts'
import { inBunches, requestProtobuf, sendShop, type ShopRequest, shopRequests } from '../builders/shop-requests.ts'
import { spanBytes, traceBody } from '../torture/senders/bodies.ts'

// Starts threads, on machines that may be busy.
jest.setTimeout(120_000)
const START_MS = 1_700_000_000_000
const settings = (workers: number): string => `
workers: ${workers}
assemble: {late_window: 1m}
budgets: [{service: gateway, p99: 30ms}]
`

/** What goes on beside the traffic, once before each bunch of bodies and, when there are none any more, once a second. */
type Meanwhile = (pipeline: Pipeline, turn: number) => void

/** What a service with so many workers says after the same traffic, by a clock of its own. */
async function played(workers: number, seed: number, meanwhile: Meanwhile = () => undefined): Promise<Said> {
  let nowMs = START_MS
  const failures: unknown[] = []
  const log = { error: (fields: object) => failures.push(fields) }
  const pipeline = buildPipeline(loadSettings(settings(workers), 'test', {}), { log, nowMs: () => nowMs, seed: 1 })
  await pipeline.ready()
  const tick = async (ms: number): Promise<void> => {
    pipeline.tick((nowMs += ms))
    await pipeline.settled()
  }
  await tick(0)
  const random = createRandom(seed)
  let turn = 0
  for (const bodies of inBunches([...shopRequests({ traces: 900, seed })], random)) {
    meanwhile(pipeline, turn++)
    for (const body of bodies) sendShop(pipeline.accept, body, random)
    await tick(500)
  }
  for (let second = 0; second < 90; second++) {
    meanwhile(pipeline, turn++)
    await tick(1_000)
  }
  await pipeline.shutdown(nowMs)
  expect(failures).toEqual([])
  return said(pipeline)
}

// Scenario: the same bodies, protobuf and JSON, some twice and some after their trace had closed, by the same clock.
// Guarantees: whatever the number of workers, every counter, summary, point of history and kept trace is the same.
test.each([1, 2])('one, two and three workers say the same (seed %i)', async (seed) => {
  const one = await played(1, seed)
  expect(await played(2, seed)).toEqual(one)
  expect(await played(3, seed)).toEqual(one)
})

const PASSING = 20
/** Turns between one change and the next. */
const TURNS = 6

// Scenario: in the middle of the traffic the settings are read again, with other rules and budgets; later with the first ones again.
// Guarantees: what changes, changes for the same spans whatever the number of workers.
test('one, two and three workers are told of new rules and budgets alike', async () => {
  const reload = ({ setRules, setBudgets }: Pipeline, text: string): void => {
    const { decompose, explain } = loadSettings(text, 'test', {})
    setRules(decompose.rules)
    setBudgets(explain.budgets)
  }
  const changed = `
rules: [{name: pool, span: pool.acquire, phase: allocator}]
budgets: [{service: pricing, p99: 20ms}]
`
  const meanwhile: Meanwhile = (pipeline, turn) => {
    if (turn === TURNS) reload(pipeline, changed)
    if (turn === 10 * TURNS) reload(pipeline, settings(1))
  }
  const one = await played(1, 1, meanwhile)
  expect(one).not.toEqual(await played(1, 1))
  expect(await played(2, 1, meanwhile)).toEqual(one)
  expect(await played(3, 1, meanwhile)).toEqual(one)
})

// Scenario: traces with names that never come again pass by, and names are swept several times while traces are open.
// Guarantees: what is still needed keeps its name in every thread, the rest is given back, and all workers say the same.
test('one, two and three workers keep the names they need when the others are swept', async () => {
  const swept = async (workers: number, sweeps: boolean): Promise<{ said: Said; bytes: number }> => {
    let bytes = NaN
    const said = await played(workers, 1, (pipeline, turn) => {
      if (turn < PASSING) pipeline.accept.traces(requestProtobuf(passing(turn)), 'protobuf')
      if (sweeps && turn % TURNS === 0) pipeline.trim()
      bytes = pipeline.sources.memory()['strings'] ?? NaN
    })
    return { said, bytes }
  }
  const unswept = await swept(1, false)
  const one = await swept(1, true)
  expect(one.said).toEqual(unswept.said)
  expect(one.bytes).toBeLessThan(0.6 * unswept.bytes)
  for (const workers of [2, 3]) {
    const several = await swept(workers, true)
    expect(several.said).toEqual(one.said)
    expect(several.bytes).toBeLessThan(0.6 * unswept.bytes)
  }
})

/** One trace of many names, all of this turn alone. */
function passing(turn: number): ShopRequest {
  const id = (digits: number, number: number): string => (turn * 10_000 + number + 1).toString(16).padStart(digits, '0')
  const startNs = BigInt(START_MS) * 1_000_000n
  const spans = Array.from({ length: 1_500 }, (_, i) => ({
    traceId: id(32, 0),
    spanId: id(16, i),
    ...(i > 0 && { parentSpanId: id(16, 0) }),
    name: i === 0 ? 'passing' : `step ${letters(turn)} ${letters(i)} that never comes again`,
    kind: i === 0 ? 2 : 1,
    startTimeUnixNano: String(startNs),
    endTimeUnixNano: String(startNs + (i === 0 ? 5_000_000n : 1_000n))
  }))
  return { service: 'passing', spans }
}

const letters = (number: number): string =>
  number.toString(26).replace(/[0-9]/g, (digit) => 'qrstuvwxyz'.charAt(Number(digit)))

// Scenario: bodies that only the decoder can share out come faster than the workers take them.
// Guarantees: when a worker has too much before it, the sender is told to come back, and nothing of that body is taken.
test('bodies that were decoded here wait for no worker without end', async () => {
  const log = { error: () => undefined }
  const tools = { log, nowMs: () => Date.now(), seed: 1 }
  const pipeline = buildPipeline(loadSettings(settings(2), 'test', {}), tools)
  await pipeline.ready()
  // The same spans again and again: workers are soon done with what they have.
  const spans = Array.from({ length: 4_000 }, () => spanBytes())
  const body = traceBody('says no language', spans)
  const counted = (name: string): number =>
    pipeline.sources.counters
      .flatMap((of) => of.samples())
      .reduce((sum, sample) => sum + (sample.name === name ? sample.value : 0), 0)
  // No worker is heard before this thread rests.
  const takeUntilBusy = (): number => {
    for (let taken = 0; taken < 200; taken++) {
      try {
        pipeline.accept.traces(body, 'protobuf')
      } catch (reason) {
        expect(reason).toMatchObject({ code: 'BUSY', retryable: true })
        return taken
      }
    }
    return Infinity
  }
  const taken = takeUntilBusy()
  expect(taken).toBeLessThan(200)
  expect(taken).toBe(counted('tail_shard_decoded_requests_total'))
  expect(counted('tail_shard_refused_total')).toBe(1)
  await pipeline.shutdown(Date.now())
  expect(counted('tail_traces_closed_total')).toBe(spans.length)
})
