import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { buildPipeline, type Pipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { pause, startService, type LiveService } from '../builders/live-service.ts'
import { requestJson, requestProtobuf, shopRequests } from '../builders/shop-requests.ts'

// Starts processes, on machines that may be busy.
jest.setTimeout(60_000)

const START_MS = 1_700_000_000_000

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

interface Run {
  readonly pipeline: Pipeline
  readonly nowMs: () => number
  readonly send: (traces: number, seed: number) => void
}

/** A pipeline with a clock of its own: half a second from one request to the next. */
function run(startMs: number): Run {
  let nowMs = startMs
  const failed = (fields: object): never => {
    throw new Error(JSON.stringify(fields))
  }
  const pipeline = buildPipeline(loadSettings('', 'none', {}), { log: { error: failed }, nowMs: () => nowMs, seed: 1 })
  pipeline.tick(nowMs)
  return {
    pipeline,
    nowMs: () => nowMs,
    send(traces, seed) {
      for (const request of shopRequests({ traces, seed })) {
        pipeline.accept.traces(Buffer.from(JSON.stringify(requestJson(request))), 'json')
        pipeline.tick((nowMs += 500))
      }
      for (let second = 0; second < 90; second++) pipeline.tick((nowMs += 1_000))
    }
  }
}

const answers = ({ pipeline }: Run): unknown =>
  pipeline.sources.history('gateway', 'GET /buy', { fromMs: 0, toMs: 2 * START_MS, pointsMax: 400 })

test('a process that begins with the state of another has its history, what it learned, and bands from the first request on', async () => {
  const before = run(START_MS)
  before.send(1_200, 1)
  await before.pipeline.shutdown(before.nowMs())
  const learned = JSON.parse(JSON.stringify(before.pipeline.state.learned())) as Record<string, Record<string, unknown>>
  const history = [...before.pipeline.state.history()]

  const after = run(before.nowMs() + 30_000)
  after.pipeline.state.restore({ learned, history }, after.nowMs())
  expect(answers(after)).toEqual(answers(before))
  const relearned = after.pipeline.state.learned() as typeof learned
  // That two clocks agree is only known of calls seen.
  expect({ ...relearned['decompose'], clocks: [] }).toEqual({ ...learned['decompose'], clocks: [] })

  const bandsOf = ({ pipeline }: Run) => {
    const { operations } = pipeline.sources.tables
    const none = Array.from({ length: operations.rows }, (_, row) =>
      operations.requests.slice(row * 15 + 12, row * 15 + 15)
    )
    return none.flatMap((cells) => [...cells]).reduce((sum, count) => sum + count, 0)
  }
  after.send(100, 2)
  // 100 requests each of two operations: too few for thresholds of their own.
  expect(bandsOf(after)).toBe(0)
  const fresh = run(after.nowMs())
  fresh.send(100, 2)
  expect(bandsOf(fresh)).toBe(200)
})

async function waitFor(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what}: not in 20 s`)
    await pause(100)
  }
}

const settings = () => ({
  data_directory: join(directory, 'data'),
  assemble: { quiet_time: '300ms' },
  decompose: { inference: { wait: '0s' } },
  expose: { zero_first: '0s' },
  shutdown: { last_scrape_wait: '0s' }
})

async function history(service: LiveService): Promise<{ status: number; requests: number }> {
  const answer = await fetch(`http://${service.metrics}/api/v1/history?service=gateway&operation=GET+%2Fbuy&points=1`)
  const { points = [] } = (await answer.json()) as { points?: { requests: number }[] }
  return { status: answer.status, requests: points[0]?.requests ?? 0 }
}

test('after SIGTERM the next process shows what the last one saw; a damaged file is refused and put aside', async () => {
  const first = await startService(settings())
  try {
    for (const request of shopRequests({ traces: 300 })) {
      await fetch(`http://${first.http}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: requestProtobuf(request)
      })
    }
    await waitFor('300 traces closed', async () => (await first.scrape()).sum('tail_traces_closed_total') >= 300)
  } finally {
    expect(await first.stop()).toBe(0)
  }
  const second = await startService(settings())
  try {
    expect(await history(second)).toEqual({ status: 200, requests: 300 })
    const exposition = await second.scrape()
    expect(exposition.sum('tail_state_restores_total', { result: 'restored' })).toBe(1)
    // Counters begin anew, as Prometheus expects of a process that did.
    expect(exposition.sum('tail_requests_total')).toBe(0)
  } finally {
    await second.stop()
  }
  const file = join(directory, 'data', 'tailspan.state')
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
  writeFileSync(file, bytes)
  const third = await startService(settings())
  try {
    expect((await history(third)).status).toBe(404)
    expect((await third.scrape()).sum('tail_state_restores_total', { result: 'refused' })).toBe(1)
    expect(third.output()).toContain('damaged: its checksum is wrong')
    expect(readFileSync(`${file}.refused`)).toEqual(bytes)
  } finally {
    await third.stop()
  }
})
