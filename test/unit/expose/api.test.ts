import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Band, Outcome, Sampling } from '../../../src/model/requests.ts'
import { Phase } from '../../../src/model/phases.ts'
import { traceDocument } from '../../../src/expose/index.ts'
import {
  boundariesPage,
  budgetsPage,
  operationsPage,
  tailAnswer,
  traceAnswer
} from '../../../src/expose/api-schemas.ts'
import { type OperationSummary } from '../../../src/expose/sources.ts'
import { textOf } from '../../builders/text-slices.ts'
import { testExposer, type TestExposer } from './exposer.ts'
import { oneTrace } from './one-trace.ts'
import { expectValid } from './valid.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

/** As `operations` of analyze --json. */
function summary(operation: string, excessNs: number | null): OperationSummary & Readonly<Record<string, unknown>> {
  const few = excessNs === null
  const quantilesNs = { p50: 1, p95: 2, p99: few ? null : 3, p999: few ? null : 4 }
  return {
    service: 'shop',
    operation,
    class: 'request',
    requests: 5000,
    weight: 5000,
    quantiles_ns: quantilesNs,
    body: few ? null : { phases_mean_ns: { processing: 1 } },
    tail: few ? null : { phases_mean_ns: { processing: 1, queue_wait: excessNs } },
    excess_mean_ns: few ? null : { processing: -1, queue_wait: excessNs },
    dominant: few ? null : 'queue_wait',
    attributed_share: few ? null : 0.97,
    unattributed_tail_share: few ? null : 0.2,
    advice: few
      ? []
      : [{ advice: 'enable_busy_ns', title: 'Turn it on', text: 'Nothing says what it was.', share: 0.1 }],
    patterns: few
      ? []
      : [
          {
            pattern: 'retry',
            body: { requests_share: 0, mean_ns: 0 },
            tail: { requests_share: 0.4, mean_ns: 5 },
            excess_mean_ns: 5
          }
        ]
  }
}

const culprit = { service: 'db', operation: 'SELECT', phase: 'queue_wait' }
const blame = ['GET /slow', 'GET /fast'].map((operation) => ({
  root: { service: 'shop', operation },
  culprit,
  excess_mean_ns: 5.5,
  share: 0.41
}))

const states = ['GET /slow', 'GET /fast'].map((operation) => ({
  service: 'shop',
  operation,
  budget: 'p99:queue_wait',
  phase: 'queue_wait',
  threshold_ns: 20_000_000,
  allowed_ratio: 0.01,
  state: 'over',
  recent: { within: 98, over: 2, over_ratio: 0.02 },
  total: { within: 0, over: 0, over_ratio: null },
  dominant: null
}))
const budgets = [{ service: 'shop', operation: '*', operations: 2, targets: [] }]

let open: TestExposer
beforeEach(() => {
  open = testExposer({
    settings: { pageMax: 3, tracesMax: 2, waterfallSpansMax: 100 },
    sources: {
      operations: () => [summary('GET /few', null), summary('GET /fast', 5), summary('GET /slow', 1e9)],
      blame: () => blame,
      budgets: () => ({ window_seconds: 600, budgets, states }),
      otlp: (id) => textOf(id === TRACE_ID ? { resourceSpans: [] } : undefined),
      waterfall: (id, spansMax) => textOf(id === TRACE_ID ? { spansMax } : undefined),
      claims: (id, spanId) => textOf(id === TRACE_ID ? { span_id: spanId } : undefined),
      learned: () => ({ processes: [1, 2] }),
      trace: (id) => {
        const { decomposition, names } = oneTrace()
        return textOf(id === TRACE_ID ? traceDocument(decomposition, undefined, names) : undefined)
      }
    }
  })
})
afterEach(() => open.exposer.app.close())

async function ask(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await open.exposer.app.inject({ url })
  expect(answer.headers['content-type']).toContain('application/json')
  return { status: answer.statusCode, body: answer.json() }
}

test('operations come with the largest tail excess first and those without a tail last, all keys kept', async () => {
  const { status, body } = await ask('/api/v1/operations')
  expect(status).toBe(200)
  expectValid(operationsPage, body)
  expect(body).toEqual({
    operations: [summary('GET /slow', 1e9), summary('GET /fast', 5), summary('GET /few', null)],
    total: 3,
    limit: 3,
    offset: 0
  })
})

test('a page is what limit and offset say', async () => {
  const { body } = await ask('/api/v1/operations?limit=1&offset=1')
  expect(body).toEqual({ operations: [summary('GET /fast', 5)], total: 3, limit: 1, offset: 1 })
  expect((await ask('/api/v1/operations?offset=7')).body['operations']).toEqual([])
})

test('budgets come as they are set, and a page of how operations keep them', async () => {
  const { status, body } = await ask('/api/v1/budgets?limit=1&offset=1')
  expect(status).toBe(200)
  expectValid(budgetsPage, body)
  expect(body).toEqual({ window_seconds: 600, budgets, states: states.slice(1), total: 2, limit: 1, offset: 1 })
  expect((await ask('/api/v1/budgets?limit=4')).status).toBe(400)
})

test.each(['limit=0', 'limit=4', 'limit=x', 'offset=-1', 'offset=1.5'])(
  '%s is refused with a reason',
  async (query) => {
    const { status, body } = await ask(`/api/v1/operations?${query}`)
    expect(status).toBe(400)
    expect(Object.keys(body)).toEqual(['error'])
    expect(body['error']).toContain(query.split('=')[0])
  }
)

test('tail says all of one operation: its summary, its own blame, its slow traces up to traces_max', async () => {
  const { draft } = open
  const row = draft.addOperation('shop', 'GET /slow')
  draft.samplings.push({ service: draft.operations.service[row] as number, sampling: Sampling.none })
  draft.retained.set(
    'shop GET /slow',
    [9e9, 8e9, 7e9].map((durationNs) => ({
      traceId: TRACE_ID,
      durationNs,
      band: Band.gtP99,
      outcome: Outcome.timeout,
      dominantPhase: Phase.queueWait,
      atMs: 1_700_000_000_000
    }))
  )
  const { status, body } = await ask('/api/v1/tail?service=shop&operation=GET%20%2Fslow')
  expect(status).toBe(200)
  expectValid(tailAnswer, body)
  const trace = {
    trace_id: TRACE_ID,
    band: 'gt_p99',
    outcome: 'timeout',
    dominant: 'queue_wait',
    version: null,
    at_unix_ms: 1_700_000_000_000
  }
  expect(body).toMatchObject({
    ...summary('GET /slow', 1e9),
    sampling: 'none',
    warnings: [],
    blame: blame.slice(0, 1),
    budgets: states.slice(0, 1),
    traces: [
      { ...trace, duration_ns: 9e9 },
      { ...trace, duration_ns: 8e9 }
    ]
  })
})

test('boundaries come in pages, as they are summed up', async () => {
  const all = [0, 1, 2].map((i) => ({
    caller: { service: 'gateway', language: 'go' },
    callee: { service: `shop-${i}`, language: 'rust' },
    component: 'network',
    body: { calls: 10, mean_ns: 5 },
    tail: i === 2 ? null : { calls: 1, mean_ns: 9 },
    excess_mean_ns: i === 2 ? null : 4
  }))
  await open.exposer.app.close()
  open = testExposer({ sources: { boundaries: () => all } })
  const { status, body } = await ask('/api/v1/boundaries?limit=2&offset=1')
  expectValid(boundariesPage, body)
  expect({ status, body }).toEqual({ status: 200, body: { boundaries: all.slice(1), total: 3, limit: 2, offset: 1 } })
  expect((await ask('/api/v1/boundaries?offset=-1')).status).toBe(400)
})

test('tail warns where the sampling is unknown', async () => {
  open.draft.addOperation('shop', 'GET /few')
  const { body } = await ask('/api/v1/tail?service=shop&operation=GET%20%2Ffew')
  expectValid(tailAnswer, body)
  expect(body['sampling']).toBe('unknown')
  expect(body['warnings']).toHaveLength(1)
})

test('tail has the distribution, the bands by outcome and how sure the tail is, since the operation was first seen', async () => {
  const { draft } = open
  const row = draft.addOperation('shop', 'GET /slow', 1_234)
  const usual = { durationNs: 1e6, band: Band.leP50, phases: [[Phase.processing, 1, 1e6]] as const }
  for (let i = 0; i < 3; i++) draft.addRequest(row, usual)
  draft.addRequest(row, {
    durationNs: 8e6,
    band: Band.gtP99,
    outcome: Outcome.error,
    phases: [
      [Phase.queueWait, 0, 6e6],
      [Phase.queueWait, 1, 1e6]
    ]
  })
  const { body } = await ask('/api/v1/tail?service=shop&operation=GET%20%2Fslow')
  expectValid(tailAnswer, body)
  expect(body).toMatchObject({
    first_seen_unix_ms: 1_234,
    partial: 0,
    bands: { le_p50: { ok: 3, error: 0, timeout: 0 }, gt_p99: { ok: 0, error: 1, timeout: 0 } },
    tail_grades_mean_ns: { queue_wait: { measured: 6e6, inferred: 1e6, estimated: 0 } }
  })
  const bars = body['distribution'] as [number, number][]
  expect(bars.length).toBe(25)
  expect(bars.filter(([, requests]) => requests > 0).map(([, requests]) => requests)).toEqual([3, 1])
  const upper = bars.map(([ns]) => ns)
  expect(upper[0]).toBeGreaterThanOrEqual(1e6)
  expect(upper.at(-1)).toBeGreaterThanOrEqual(8e6)
  expect(upper.at(-2)).toBeLessThan(8e6)
})

test('a kept trace is answered as OTLP/JSON when asked for, and other formats are refused', async () => {
  const { status, body } = await ask(`/api/v1/traces/${TRACE_ID}?format=otlp`)
  expect([status, body]).toEqual([200, { resourceSpans: [] }])
  expect((await ask(`/api/v1/traces/${'f'.repeat(32)}?format=otlp`)).status).toBe(404)
  expect((await ask(`/api/v1/traces/${TRACE_ID}?format=zipkin`)).status).toBe(400)
})

test('a waterfall is asked for with the limit of the settings; claims need a span', async () => {
  expect(await ask(`/api/v1/traces/${TRACE_ID}/waterfall`)).toEqual({ status: 200, body: { spansMax: 100 } })
  expect((await ask(`/api/v1/traces/${'f'.repeat(32)}/waterfall`)).status).toBe(404)
  expect(await ask(`/api/v1/traces/${TRACE_ID}/claims?span_id=${'1'.repeat(16)}`)).toEqual({
    status: 200,
    body: { span_id: '1'.repeat(16) }
  })
  expect((await ask(`/api/v1/traces/${TRACE_ID}/claims`)).status).toBe(400)
  expect((await ask(`/api/v1/traces/${TRACE_ID}/claims?span_id=%3Cb%3E`)).status).toBe(400)
})

test('a question about an unknown operation is 404 and interns nothing', async () => {
  const before = open.draft.strings.capacity()
  const { status, body } = await ask('/api/v1/tail?service=__proto__&operation=constructor')
  expect(status).toBe(404)
  expect(body).toEqual({ error: 'no such operation' })
  expect(open.draft.strings.capacity()).toBe(before)
})

test('tail without an operation is 400', async () => {
  expect((await ask('/api/v1/tail?service=shop')).status).toBe(400)
})

test('a kept trace is answered as its document, in either case of its id', async () => {
  for (const id of [TRACE_ID, TRACE_ID.toUpperCase()]) {
    const { status, body } = await ask(`/api/v1/traces/${id}`)
    expect(status).toBe(200)
    expectValid(traceAnswer, body)
    expect(body['trace_id']).toBe(TRACE_ID)
  }
})

test.each([
  ['f'.repeat(32), 404],
  ['short', 400],
  ['g'.repeat(32), 400],
  ['..%2F..%2Fetc%2Fpasswd', 400],
  ['%ff', 400],
  ['f'.repeat(5000), 414]
])('a trace that is not kept or has no proper id is refused in JSON (%#)', async (id, expected) => {
  const { status, body } = await ask(`/api/v1/traces/${id}`)
  expect(status).toBe(expected)
  expect(Object.keys(body)).toEqual(['error'])
})

test('links lead where the settings say, by default nowhere', async () => {
  expect((await ask('/api/v1/links')).body).toEqual({ prometheus: null })
  const url = 'http://prometheus:9090'
  const linked = testExposer({ settings: { prometheusUrl: url } })
  expect((await linked.exposer.app.inject({ url: '/api/v1/links' })).json()).toEqual({ prometheus: url })
  await linked.exposer.app.close()
})

test('learned is handed on as it is', async () => {
  expect((await ask('/api/v1/learned')).body).toEqual({ processes: [1, 2] })
})

test('the OpenAPI document names every route and describes its answers', async () => {
  const { body } = await ask('/api/v1/openapi.json')
  expect(body['openapi']).toBe('3.1.0')
  const paths = body['paths'] as Record<string, Record<string, { summary?: string; responses: object }>>
  expect(Object.keys(paths).sort()).toEqual([
    '/api/v1/boundaries',
    '/api/v1/budgets',
    '/api/v1/history',
    '/api/v1/learned',
    '/api/v1/links',
    '/api/v1/openapi.json',
    '/api/v1/operations',
    '/api/v1/overview',
    '/api/v1/tail',
    '/api/v1/traces/{id}',
    '/api/v1/traces/{id}/claims',
    '/api/v1/traces/{id}/waterfall',
    '/healthz',
    '/metrics',
    '/readyz'
  ])
  for (const operations of Object.values(paths)) {
    expect(operations['get']?.summary).toBeTruthy()
    expect(Object.keys(operations['get']?.responses ?? {})).toContain('200')
  }
  expect(JSON.stringify(paths['/metrics'])).toContain('application/openmetrics-text')
})
