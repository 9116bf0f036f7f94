import { gunzipSync } from 'node:zlib'
import { afterEach, expect, test } from '@jest/globals'
import { type BudgetState, type OperationSummary } from '../../../src/expose/sources.ts'
import { overviewAnswer } from '../../../src/expose/api-schemas.ts'
import { createCounters } from '../../../src/runtime/counters.ts'
import { testExposer, type ExposerOptions, type TestExposer } from './exposer.ts'
import { expectValid } from './valid.ts'

let open: TestExposer | undefined
afterEach(() => open?.exposer.app.close())

function summary(operation: string, excessNs: number | null, service = 'shop'): OperationSummary {
  const few = excessNs === null
  return {
    service,
    operation,
    class: 'request',
    requests: 5000,
    quantiles_ns: { p50: 1000.4, p99: few ? null : 3000.6 },
    body: few ? null : { phases_mean_ns: { processing: 900.2 } },
    tail: few ? null : { phases_mean_ns: { processing: 900.2, queue_wait: excessNs } },
    excess_mean_ns: few ? null : { processing: 0, queue_wait: excessNs },
    dominant: few ? null : 'queue_wait'
  }
}

const stateOf = (operation: string, state: Omit<BudgetState, 'service' | 'operation'>): BudgetState => ({
  service: 'shop',
  operation,
  ...state
})

const blameOf = (phase: string, share: number) => ({
  root: { service: 'shop', operation: 'slow' },
  culprit: { service: 'db', operation: 'SELECT', phase },
  share
})

interface Answer {
  total: number
  spans_received: number
  operations: unknown[][]
}

function start(options: ExposerOptions) {
  const running = (open = testExposer(options))
  return {
    running,
    ask: async (url = '/api/v1/overview', headers: Record<string, string> = {}) =>
      running.exposer.app.inject({ url, headers })
  }
}

test('operations are rows of whole numbers, the largest tail excess first', async () => {
  const counters = createCounters({ tail_spans_received_total: { help: '' } })
  counters.add('tail_spans_received_total', 42)
  const { ask } = start({
    sources: {
      budgets: () => ({
        window_seconds: 600,
        budgets: [],
        states: [
          stateOf('slow', { budget: 'p99', state: 'over', allowed_ratio: 0.01, recent: { over_ratio: 0.023_123 } }),
          stateOf('slow', { budget: 'p95', state: 'within', allowed_ratio: 0.05, recent: { over_ratio: 0.01 } }),
          stateOf('few', { budget: 'p95', state: 'too_few', allowed_ratio: 0.05, recent: { over_ratio: null } })
        ]
      }),
      blame: () => [blameOf('queue_wait', 0.813), blameOf('gc', 0.187)],
      counters: [counters],
      operations: () => [summary('few', null), summary('fast', 5), summary('slow', 1e9)]
    }
  })
  const answer = await ask()
  const body = answer.json<Answer>()
  expectValid(overviewAnswer, body)
  expect(body.spans_received).toBe(42)
  expect(body.operations).toEqual([
    [
      'shop',
      'slow',
      'request',
      5000,
      1000,
      3001,
      'queue_wait',
      [0, 0, 0, 0, 900, 0, 0, 0],
      [1e9, 0, 0, 0, 900, 0, 0, 0],
      ['db', 'SELECT', 'queue_wait', 0.813],
      ['p99', 'over', 0.0231, 0.01]
    ],
    [
      'shop',
      'fast',
      'request',
      5000,
      1000,
      3001,
      'queue_wait',
      [0, 0, 0, 0, 900, 0, 0, 0],
      [5, 0, 0, 0, 900, 0, 0, 0],
      null,
      null
    ],
    ['shop', 'few', 'request', 5000, 1000, null, null, null, null, null, ['p95', 'too_few', null, 0.05]]
  ])
})

test('page_max caps the rows; the total and a filter tell of the rest', async () => {
  const operations = () => Array.from({ length: 50 }, (_, i) => summary(`op ${i}`, 100 - i, i === 49 ? 'Cart' : 'shop'))
  const { ask } = start({ settings: { pageMax: 10 }, sources: { operations } })
  const first = (await ask()).json<Answer>()
  expect([first.operations.length, first.total]).toEqual([10, 50])
  const found = (await ask('/api/v1/overview?filter=cART')).json<Answer>()
  expect([found.operations.map(([, name]) => name), found.total]).toEqual([['op 49'], 1])
  expect((await ask(`/api/v1/overview?filter=${'x'.repeat(1_025)}`)).statusCode).toBe(400)
})

test('however many look, it is made once a second; whoever has it already gets 304', async () => {
  let made = 0
  let requests = 1
  const operations = () => {
    made += 1
    return [{ ...summary('op', 5), requests }]
  }
  const { ask, running } = start({ sources: { operations } })
  const [first, second] = [await ask(), await ask()]
  expect(made).toBe(1)
  expect(second.payload).toBe(first.payload)
  const etag = String(first.headers['etag'])
  expect((await ask('/api/v1/overview', { 'if-none-match': etag })).statusCode).toBe(304)
  running.clock.nowMs += 1_000
  expect((await ask('/api/v1/overview', { 'if-none-match': etag })).statusCode).toBe(304)
  expect(made).toBe(2)
  running.clock.nowMs += 1_000
  requests = 2
  expect((await ask('/api/v1/overview', { 'if-none-match': etag })).statusCode).toBe(200)
})

test('500 operations with long names fit into 60 KB', async () => {
  const operations = () =>
    Array.from({ length: 500 }, (_, i) => ({
      ...summary(`GET /api/v2/customers/{id}/orders/{order}/items/${i * 7919}`, 1e9 / (i + 1), `service-${i % 40}`),
      requests: i * 104_729,
      body: { phases_mean_ns: { processing: i * 15_485_863, downstream: i * 32_452_843, network: i * 6_700_417 } }
    }))
  const { ask } = start({ sources: { operations } })
  const { rawPayload, headers } = await ask('/api/v1/overview', { 'accept-encoding': 'gzip' })
  expect(headers['content-encoding']).toBe('gzip')
  const answer = JSON.parse(gunzipSync(rawPayload).toString()) as Answer
  expect(answer.operations).toHaveLength(500)
  expect(rawPayload.length).toBeLessThan(60_000)
})
