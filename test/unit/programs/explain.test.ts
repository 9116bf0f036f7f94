import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { analyze } from '../../../src/programs/analyze.ts'
import { traceRequests } from '../../builders/simulated-otlp.ts'
import { simulateShop } from '../../builders/simulated-shop.ts'
import { type Analysis } from '../../builders/analyze-contract.ts'

const BASE = 1_760_000_000_000_000_000n
const TRACE = '0123456789abcdef0123456789abcdef'

interface Span {
  readonly id: number
  readonly parent?: number
  readonly startNs: number
  readonly endNs: number
  readonly kind: number
  readonly name: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly events?: readonly object[]
}
const SERVER = 2
const CLIENT = 3
const INTERNAL = 1

const attributesOf = (attributes: Readonly<Record<string, string>> = {}): object[] =>
  Object.entries(attributes).map(([key, intValue]) => ({ key, value: { intValue } }))
const at = (ns: number): string => String(BASE + BigInt(ns))
const hex = (id: number): string => id.toString(16).padStart(16, '0')

function request(traceId: string, spans: readonly Span[]): string {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] }
  const list = spans.map(({ id, parent, startNs, endNs, kind, name, attributes, events }) => ({
    traceId,
    spanId: hex(id),
    ...(parent !== undefined && { parentSpanId: hex(parent) }),
    startTimeUnixNano: at(startNs),
    endTimeUnixNano: at(endNs),
    kind,
    name,
    attributes: attributesOf(attributes),
    events: events ?? []
  }))
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: list }] }] })
}

const spans: Span[] = [
  {
    id: 1,
    startNs: 0,
    endNs: 1_000_000,
    kind: SERVER,
    name: 'GET /a',
    attributes: { 'tailspan.gc_ns': '200000', 'tailspan.scheduling_ns': '900000', 'tailspan.allocator_ns': '-7' },
    events: [{ name: 'Delayed LB pick complete', timeUnixNano: at(350_000), attributes: [] }]
  },
  { id: 2, parent: 1, startNs: 100_000, endNs: 200_000, kind: CLIENT, name: 'SELECT' },
  { id: 3, parent: 1, startNs: 500_000, endNs: 600_000, kind: INTERNAL, name: 'pool.acquire' }
]

let folder = ''
let file = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
  file = join(folder, 'trace.jsonl')
  writeFileSync(file, `${request(TRACE, spans)}\n${request('f'.repeat(32), [spans[1] as Span])}\n`)
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

async function explain(
  traceId: string,
  json?: true,
  files = [file]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = new PassThrough({ encoding: 'utf8' })
  let stdout = ''
  const output = { write: (text: string) => (stdout += text), flush: () => undefined }
  const words = Uint32Array.from([0, 8, 16, 24], (from) => parseInt(traceId.slice(from, from + 8), 16))
  const code = await analyze({ files, explain: words, ...(json && { json }), env: {}, terminal, output })
  return { code, stdout, stderr: (terminal.read() as string | null) ?? '' }
}

interface Explained {
  readonly requests: readonly {
    readonly span_id: string
    readonly operation: string
    readonly duration_ns: number
    readonly claims: readonly Readonly<
      Record<'name' | 'source' | 'phase' | 'grade' | 'note', string | null> & { asked_ns: number; booked_ns: number }
    >[]
  }[]
}

test('each claim is told: what it asked for, what it got, and why not all', async () => {
  const { code, stdout } = await explain(TRACE, true)
  expect(code).toBe(0)
  const [first, ...others] = (JSON.parse(stdout) as Explained).requests
  expect(others).toEqual([])
  const rows = (first?.claims ?? []).map(({ name, source, phase, grade, asked_ns, booked_ns, note }) =>
    [name, source, phase, grade, asked_ns, booked_ns, note].join(' | ')
  )
  expect(rows).toEqual([
    'GET /a | tailspan_attributes | allocator | measured | -7 | 0 | implausible: negative',
    'GET /a | tailspan_attributes | gc | measured | 200000 | 200000 | ',
    'GET /a | wait_events | queue_wait | measured | 350000 | 225000 | children cover it, or it is not on the path',
    'GET /a | tailspan_attributes | scheduling | measured | 900000 | 375000 | no more own time is left',
    'SELECT | call_span | downstream | inferred | 100000 | 100000 | ',
    'pool.acquire | wait_span | queue_wait | measured | 100000 | 100000 | '
  ])
  const booked = (first?.claims ?? []).reduce((sum, { booked_ns }) => sum + booked_ns, 0)
  expect(booked).toBe(first?.duration_ns)
})

test('for people the same is a table', async () => {
  const { stdout } = await explain(TRACE)
  expect(stdout).toContain(`Trace ${TRACE}: 3 spans, 1 request\n`)
  expect(stdout).toContain(
    '1. shop GET /a, span 0000000000000001, 1.00 ms: queue_wait 325 µs (measured), scheduling 375 µs'
  )
  expect(stdout).toMatch(/GET \/a +tailspan_attributes +scheduling +measured +900 µs +375 µs +no more own time is left/)
})

test('a trace that is not there is said, with code 1', async () => {
  expect(await explain('a'.repeat(32))).toEqual({
    code: 1,
    stdout: '',
    stderr: 'tailspan: no such trace in the files\n'
  })
})

test('of a trace that was held until its neighbours were known, what they said is told too', async () => {
  const shop = simulateShop({ cause: 'queue', seed: 9, seconds: 12, rate: 100 })
  const queued = join(folder, 'queued.jsonl')
  writeFileSync(
    queued,
    traceRequests(shop)
      .map((request) => `${JSON.stringify(request)}\n`)
      .join('')
  )
  let stdout = ''
  const output = { write: (text: string) => (stdout += text), flush: () => undefined }
  await analyze({ files: [queued], json: true, env: {}, terminal: new PassThrough(), output })
  const waited = (JSON.parse(stdout) as Analysis).traces.flatMap(({ trace_id: id, requests }) =>
    requests.map(({ span_id: span, phases }) => ({ id, span, queueNs: phases['queue_wait'] ?? 0 }))
  )
  waited.sort((a, b) => b.queueNs - a.queueNs)
  const most = waited[0] as (typeof waited)[number]
  expect(most.queueNs).toBeGreaterThan(1e6)
  const { requests } = JSON.parse((await explain(most.id, true, [queued])).stdout) as Explained
  const claims = requests.find(({ span_id: span }) => span === most.span)?.claims ?? []
  const told = claims.filter(({ source, phase }) => source === 'inferred' && phase === 'queue_wait')
  expect(told.reduce((sum, { booked_ns: ns }) => sum + ns, 0)).toBe(most.queueNs)
}, 60_000)
