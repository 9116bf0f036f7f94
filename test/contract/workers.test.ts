import { expect, jest, test } from '@jest/globals'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { createRandom } from '../builders/random.ts'
import { requestJson, requestProtobuf, type ShopRequest, shopRequests } from '../builders/shop-requests.ts'
import { readText } from '../builders/text-slices.ts'
import { spanBytes, traceBody } from '../torture/senders/bodies.ts'

// Starts threads, on machines that may be busy.
jest.setTimeout(120_000)
const START_MS = 1_700_000_000_000
const settings = (workers: number): string => `
workers: ${workers}
assemble: {late_window: 1m}
budgets: [{service: gateway, p99: 30ms}]
`

/** What a service with so many workers says after the same traffic, by a clock of its own. */
async function played(workers: number, seed: number): Promise<unknown> {
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
  for (const bodies of bunches([...shopRequests({ traces: 900, seed })], random)) {
    for (const body of bodies) send(pipeline, body, random)
    await tick(500)
  }
  for (let second = 0; second < 90; second++) await tick(1_000)
  await pipeline.shutdown(nowMs)
  expect(failures).toEqual([])
  return said(pipeline)
}

/** Some requests at once, some of them twice or late. */
function bunches(requests: readonly ShopRequest[], random: () => number): ShopRequest[][] {
  const bunched: ShopRequest[][] = []
  for (let at = 0; at < requests.length;) {
    const count = 1 + Math.floor(random() * 6)
    const again = random() < 0.1 && at > 40 ? [requests[at - 40] as ShopRequest] : []
    bunched.push([...requests.slice(at, at + count), ...again])
    at += count
  }
  return bunched
}

function send({ accept }: Pipeline, request: ShopRequest, random: () => number): void {
  if (random() < 0.2) accept.traces(Buffer.from(JSON.stringify(requestJson(request))), 'json')
  else accept.traces(requestProtobuf(request), 'protobuf')
}

function said({ sources, names }: Pipeline): unknown {
  const counted = new Map<string, number>()
  for (const { name, labelValue, value } of sources.counters.flatMap((of) => of.samples())) {
    if (name.startsWith('tail_shard_')) continue
    const key = `${name} ${labelValue ?? ''}`
    counted.set(key, (counted.get(key) ?? 0) + value)
  }
  const { operations } = sources.tables
  const kept = Array.from({ length: operations.rows }, (_, row) => {
    const [service, operation] = [operations.service[row] as number, operations.operation[row] as number]
    const text = `${names.strings.text(service)} ${names.strings.text(operation)}`
    return [text, sources.tables.retainedOf(service, operation)] as const
  })
  const ids = [...new Set(kept.flatMap(([, traces]) => traces.map(({ traceId }) => traceId)))].sort()
  expect(ids.length).toBeGreaterThan(5)
  return {
    counters: Object.fromEntries(counted),
    operations: sources.operations(),
    blame: sources.blame(),
    budgets: sources.budgets(),
    boundaries: sources.boundaries(),
    history: sources.history('gateway', 'GET /buy', { fromMs: 0, toMs: 2 * START_MS, pointsMax: 400 }),
    kept: Object.fromEntries(kept),
    traces: ids.map((id) => readText(sources.trace(id)))
  }
}

// Scenario: the same bodies, protobuf and JSON, some twice and some after their trace had closed, by the same clock.
// Guarantees: whatever the number of workers, every counter, summary, point of history and kept trace is the same.
test.each([1, 2])('one, two and three workers say the same (seed %i)', async (seed) => {
  const one = await played(1, seed)
  expect(await played(2, seed)).toEqual(one)
  expect(await played(3, seed)).toEqual(one)
})

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
