import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { historyAnswer } from '../../../src/expose/api-schemas.ts'
import { testExposer, type TestExposer } from './exposer.ts'
import { expectValid } from './valid.ts'

interface Asked {
  readonly operation: string
  readonly fromMs: number
  readonly toMs: number
  readonly pointsMax: number
}

const means = { requests: 3, phases_mean_ns: { processing: 1.5 } }
const point = {
  from_unix_ms: 0,
  to_unix_ms: 60_000,
  requests: 300,
  outcomes: { ok: 299, error: 1, timeout: 0 },
  quantiles_ns: { p50: 1, p95: 2, p99: null, p999: null },
  body: means,
  tail: null
}

let open: TestExposer
let asked: Asked[]
beforeEach(() => {
  asked = []
  open = testExposer({
    sources: {
      history(service, operation, range) {
        asked.push({ operation, ...range })
        if (service !== 'shop') return undefined
        return { points: [point], versions: [{ at_unix_ms: 5, version: '1.1' }], since_unix_ms: 0 }
      }
    }
  })
})
afterEach(() => open.exposer.app.close())

async function ask(query: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await open.exposer.app.inject({ url: `/api/v1/history?${query}` })
  return { status: answer.statusCode, body: answer.json() }
}

test('without a range it is the last hour, in sixty points', async () => {
  const { status, body } = await ask('service=shop&operation=GET+%2Fbuy')
  expect(status).toBe(200)
  expectValid(historyAnswer, body)
  expect(body).toMatchObject({ service: 'shop', operation: 'GET /buy', points: [point], since_unix_ms: 0 })
  // The clock stands one hour after 1970.
  expect(asked).toEqual([{ operation: 'GET /buy', fromMs: 0, toMs: 3_600_000, pointsMax: 60 }])
})

test.each([
  ['service=shop', 400],
  ['service=shop&operation=x&points=0', 400],
  ['service=shop&operation=x&points=401', 400],
  ['service=shop&operation=x&points=many', 400],
  ['service=shop&operation=x&from_unix_ms=-1', 400],
  ['service=shop&operation=x&from_unix_ms=9e15', 400],
  ['service=shop&operation=x&from_unix_ms=10&to_unix_ms=10', 400],
  ['service=shop&operation=x&from_unix_ms=3600000', 400],
  [`service=shop&operation=x&from_unix_ms=0&to_unix_ms=8640000000000000&points=400`, 200],
  ['service=other&operation=%3Cscript%3E', 404]
])('%s is answered with %i', async (query, expected) => {
  const { status, body } = await ask(query)
  expect(status).toBe(expected)
  if (status !== 200) expect(Object.keys(body)).toEqual(['error'])
})
