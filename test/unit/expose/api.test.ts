import { Ajv } from 'ajv'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Band, Outcome, Sampling } from '../../../src/model/requests.ts'
import { Phase } from '../../../src/model/phases.ts'
import { traceDocument } from '../../../src/expose/index.ts'
import { operationsPage, tailAnswer, traceAnswer } from '../../../src/expose/api-schemas.ts'
import { type OperationSummary } from '../../../src/expose/sources.ts'
import { testExposer, type TestExposer } from './exposer.ts'
import { oneTrace } from './one-trace.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

/** As `operations` of analyze --json. */
function summary(operation: string, excessNs: number | null): OperationSummary & Readonly<Record<string, unknown>> {
  const few = excessNs === null
  return {
    service: 'shop',
    operation,
    class: 'request',
    requests: 5000,
    weight: 5000,
    quantiles_ns: { p50: 1, p95: 2, p99: few ? null : 3, p999: few ? null : 4 },
    body: few ? null : { phases_mean_ns: { processing: 1 } },
    tail: few ? null : { phases_mean_ns: { processing: 1, queue_wait: excessNs } },
    excess_mean_ns: few ? null : { processing: -1, queue_wait: excessNs },
    dominant: few ? null : 'queue_wait',
    attributed_share: few ? null : 0.97
  }
}

const culprit = { service: 'db', operation: 'SELECT', phase: 'queue_wait' }
const blame = ['GET /slow', 'GET /fast'].map((operation) => ({
  root: { service: 'shop', operation },
  culprit,
  excess_mean_ns: 5.5,
  share: 0.41
}))

let open: TestExposer
beforeEach(() => {
  open = testExposer({
    settings: { pageMax: 3, tracesMax: 2 },
    sources: {
      operations: () => [summary('GET /few', null), summary('GET /fast', 5), summary('GET /slow', 1e9)],
      blame: () => blame,
      learned: () => ({ processes: [1, 2] }),
      traceDocument: (id) => {
        const { decomposition, names } = oneTrace()
        return id === TRACE_ID ? traceDocument(decomposition, undefined, names) : undefined
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

/** The schemas as the OpenAPI document has them must describe what is really answered. */
function expectValid(schema: object, body: unknown): void {
  const ajv = new Ajv({ allowUnionTypes: true, strict: false, allErrors: true })
  ajv.validate(schema, body)
  expect(ajv.errors ?? []).toEqual([])
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
    at_unix_ms: 1_700_000_000_000
  }
  expect(body).toEqual({
    ...summary('GET /slow', 1e9),
    sampling: 'none',
    warnings: [],
    blame: blame.slice(0, 1),
    traces: [
      { ...trace, duration_ns: 9e9 },
      { ...trace, duration_ns: 8e9 }
    ]
  })
})

test('tail warns where the sampling is unknown', async () => {
  const { body } = await ask('/api/v1/tail?service=shop&operation=GET%20%2Ffew')
  expectValid(tailAnswer, body)
  expect(body['sampling']).toBe('unknown')
  expect(body['warnings']).toHaveLength(1)
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

test('learned is handed on as it is', async () => {
  expect((await ask('/api/v1/learned')).body).toEqual({ processes: [1, 2] })
})

test('the OpenAPI document names every route and describes its answers', async () => {
  const { body } = await ask('/api/v1/openapi.json')
  expect(body['openapi']).toBe('3.1.0')
  const paths = body['paths'] as Record<string, Record<string, { summary?: string; responses: object }>>
  expect(Object.keys(paths).sort()).toEqual([
    '/api/v1/learned',
    '/api/v1/openapi.json',
    '/api/v1/operations',
    '/api/v1/tail',
    '/api/v1/traces/{id}',
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
