import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { analyze as analyzeFiles, type AnalyzeOptions } from '../../../src/programs/analyze.ts'
import { contractProblems, type Analysis } from '../../builders/analyze-contract.ts'
import { prefixed } from '../../builders/otlp-wire.ts'
import { requestJson, requestProtobuf, shopRequests } from '../../builders/shop-requests.ts'

const requests = shopRequests({ traces: 700 })
const lines = requests.map((request) => JSON.stringify(requestJson(request))).join('\n')

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

type Flags = Pick<AnalyzeOptions, 'json' | 'service' | 'operation' | 'learned'>

async function run(files: readonly string[], flags: Flags): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = new PassThrough({ encoding: 'utf8' })
  let stdout = ''
  const output = { write: (text: string) => (stdout += text), flush: () => undefined }
  const code = await analyzeFiles({ files, ...flags, env: {}, terminal, output })
  return { code, stdout, stderr: (terminal.read() as string | null) ?? '' }
}

async function analyze(files: readonly string[], flags: Flags = {}): Promise<Analysis> {
  const { code, stdout, stderr } = await run(files, { json: true, ...flags })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Analysis
}

test('the document is as the contract says, and finds what was made to happen', async () => {
  const analysis = await analyze([file('shop.jsonl', lines)])
  expect(contractProblems(analysis)).toEqual([])
  expect(analysis.traces).toHaveLength(700)
  expect(analysis.counts).toEqual({
    spans: 2800,
    duplicates: 0,
    late: 0,
    invalid: 0,
    incomplete_traces: 0,
    evidence_conflicts: 0
  })
  const pricing = analysis.operations.find(({ service }) => service === 'pricing')
  expect(pricing).toMatchObject({ operation: 'GET /price', requests: 700, dominant: 'queue_wait' })
  expect(analysis.blame[0]).toMatchObject({ culprit: { service: 'pricing', phase: 'queue_wait' } })
})

/** A request whose calls, from one ms to another of it, end with an error but the last. */
function retried(id: number, calls: readonly (readonly [fromMs: number, toMs: number])[]): string {
  const at = (ms: number): string => String(1_760_000_000_000_000_000n + BigInt(id) * 1_000_000_000n + BigInt(ms * 1e6))
  const traceId = id.toString(16).padStart(32, '0')
  const hex = (span: number): string => span.toString(16).padStart(16, '0')
  const endMs = (calls.at(-1)?.[1] ?? 0) + 1
  const spans = [
    { traceId, spanId: hex(1), name: 'GET /buy', kind: 2, startTimeUnixNano: at(0), endTimeUnixNano: at(endMs) },
    ...calls.map(([fromMs, toMs], i) => ({
      ...{ traceId, spanId: hex(2 + i), parentSpanId: hex(1), name: 'ask', kind: 3 },
      ...{ startTimeUnixNano: at(fromMs), endTimeUnixNano: at(toMs) },
      ...(i < calls.length - 1 && { status: { code: 2 } })
    }))
  ]
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'gateway' } }] }
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] })
}

test('retries are told in words, by request, and by operation', async () => {
  // Of 700 requests 7 are slow, and 3 of those tried again.
  const bodies = Array.from({ length: 700 }, (_, i) => {
    if (i % 100 !== 50) return retried(i + 1, [[1, 10]])
    return i < 300 ? retried(i + 1, [[1, 281], [301, 310]]) : retried(i + 1, [[1, 310]]) // prettier-ignore
  })
  const path = file('retried.jsonl', bodies.join('\n'))
  const { operations, traces } = await analyze([path])
  expect(operations[0]?.patterns).toEqual([
    {
      pattern: 'retry',
      body: { requests_share: 0, mean_ns: 0 },
      tail: { requests_share: 3 / 7, mean_ns: (3 * 300e6) / 7 },
      excess_mean_ns: (3 * 300e6) / 7
    }
  ])
  const shown = traces.flatMap(({ requests: [request] }) => Object.entries(request?.patterns ?? {}))
  expect(shown).toEqual(Array.from({ length: 3 }, () => ['retry', 300e6]))
  const { stdout } = await run([path], {})
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
    '43 % of the slow requests retried; the retries took 129 ms of the 300 ms.'
  )
})

test('every form of the same data gives the same document', async () => {
  const expected = await run([file('shop.jsonl', lines)], { json: true })
  const message = requestProtobuf(...requests)
  const forms: Record<string, string | Uint8Array> = {
    'whole.json': JSON.stringify(requestJson(...requests)),
    'pretty.json': requests.map((request) => JSON.stringify(requestJson(request), undefined, 2)).join('\n'),
    'shop.pb': message,
    'shop.bin': Buffer.concat(requests.map((request) => prefixed(requestProtobuf(request)))),
    'shop.jsonl.gz': gzipSync(lines),
    'shop.pb.gz': gzipSync(message)
  }
  for (const [name, content] of Object.entries(forms)) {
    const result = await run([file(name, content)], { json: true })
    expect({ name, same: result.stdout === expected.stdout, stderr: result.stderr }).toEqual({
      name,
      same: true,
      stderr: ''
    })
  }
})

test('files may be split anywhere between requests and come in any order, but for the order of traces', async () => {
  const even = file(
    'even.jsonl',
    requests
      .filter((_, i) => i % 2 === 0)
      .map((r) => JSON.stringify(requestJson(r)))
      .join('\n')
  )
  const odd = file('odd.pb', requestProtobuf(...requests.filter((_, i) => i % 2 === 1)))
  const one = await analyze([even, odd])
  const other = await analyze([odd, even])
  const byId = ({ traces }: Analysis): unknown =>
    new Map(traces.map((trace) => [trace.trace_id, trace.requests.map((r) => r.phases)]))
  expect(one.traces).toHaveLength(700)
  expect(other.operations).toEqual(one.operations)
  expect(other.counts).toEqual(one.counts)
  expect(byId(other)).not.toEqual(new Map())
})

test('--service and --operation leave only what concerns them', async () => {
  const path = file('shop.jsonl', lines)
  const analysis = await analyze([path], { service: 'pricing', operation: 'GET /price' })
  expect(analysis.operations.map(({ service }) => service)).toEqual(['pricing'])
  expect(analysis.traces).toHaveLength(700)
  const nothing = await analyze([path], { service: 'nobody' })
  expect([nothing.traces, nothing.operations, nothing.blame]).toEqual([[], [], []])
  expect(contractProblems(nothing)).toEqual([])
})

test('duplicates and invalid spans are counted, under 200 requests nothing is said of the tail', async () => {
  const few = shopRequests({ traces: 50 })
  const broken = {
    service: 'gateway',
    spans: (few[0]?.spans ?? []).slice(0, 1).map((span) => ({ ...span, traceId: '0'.repeat(32) }))
  }
  const content = [...few, ...few.slice(0, 1), broken].map((request) => JSON.stringify(requestJson(request))).join('\n')
  const { code, stdout, stderr } = await run([file('few.jsonl', content)], { json: true })
  expect({ code, stderr: stderr.replace(folder, '') }).toEqual({
    code: 0,
    stderr: 'tailspan: /few.jsonl: line 4: 1 span refused: 1 trace_id_invalid\n'
  })
  const analysis = JSON.parse(stdout) as Analysis
  expect(contractProblems(analysis)).toEqual([])
  expect(analysis.counts).toMatchObject({ spans: 300, duplicates: 100, invalid: 1 })
  expect(analysis.operations[0]).toMatchObject({
    tail: null,
    excess_mean_ns: null,
    dominant: null,
    quantiles_ns: { p99: null }
  })
  expect(analysis.traces[0]?.requests[0]?.band).toBeNull()
})

test('a bad file is told of and the others are read; 1 if nothing could be read', async () => {
  const good = file('shop.jsonl', lines)
  const bad = file('bad.json', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":5}]}]}]}\n{"resourceSpans":[')
  const { code, stdout, stderr } = await run([bad, join(folder, 'missing'), good], { json: true })
  expect(code).toBe(0)
  expect((JSON.parse(stdout) as Analysis).traces).toHaveLength(700)
  expect(stderr).toMatch(
    /bad\.json: line 1: .*\n.*bad\.json: line 2: the file ends inside this document\n.*missing: .*ENOENT/
  )
  const nothing = await run([bad], { json: true })
  expect([nothing.code, nothing.stdout]).toEqual([1, ''])
})

test('without --json people get a table and the verdict in words, at most 100 columns wide', async () => {
  const { code, stdout, stderr } = await run([file('shop.jsonl', lines)], {})
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('Tailspan: 1 file, 2,800 spans, 700 traces\n')
  expect(stdout).toMatch(/gateway {2}GET \/buy +700 /)
  const words = stdout.replace(/\s+/g, ' ')
  expect(words).toMatch(
    /the slowest 1\.0 % \(7 of 700 requests\) take 301 ms more than the body; >?\d+ % of that is queue_wait in pricing GET \/price \(measured\)\./
  )
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  expect(stdout).toMatch(/^gateway \(unknown\) > pricing \(unknown\) +queue +100 µs +300 ms +\+300 ms$/m)
})

test('a tail that nothing explains ends with what to switch on, and why, in both outputs', async () => {
  const spans = Array.from({ length: 700 }, (_, i) => {
    const startNs = 1_700_000_000_000_000_000n + BigInt(i) * 10_000_000n
    const endNs = startNs + BigInt(i % 100 === 0 ? 300_000_000 : 5_000_000 + i)
    return {
      traceId: (i + 1).toString(16).padStart(32, '0'),
      spanId: (i + 1).toString(16).padStart(16, '0'),
      name: 'GET /alone',
      kind: 2,
      startTimeUnixNano: String(startNs),
      endTimeUnixNano: String(endNs)
    }
  })
  const attributes = Object.entries({ 'service.name': 'shop', 'telemetry.sdk.language': 'rust', 'k8s.pod.uid': 'p' })
  const resource = { attributes: attributes.map(([key, stringValue]) => ({ key, value: { stringValue } })) }
  const files = [file('alone.json', JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }))]
  const { operations } = await analyze(files)
  expect(operations).toMatchObject([{ advice: [{ advice: 'enable_busy_ns' }] }])
  expect(operations[0]?.unattributed_tail_share).toBeGreaterThan(0.9)
  const { stdout } = await run(files, {})
  const said = operations[0]?.advice[0]
  expect(stdout.replace(/\s+/g, ' ')).toContain(`${said?.title}: ${said?.text}`)
})

test('--learned takes a dump of the service in place of the first reading; one that is none is refused', async () => {
  const path = file('shop.jsonl', lines)
  const thresholds = [{ service: 'pricing', operation: 'GET /price', requests: 700, ns: [1, 2, 3, 4] }]
  const decompose = { schema: 'tailspan.learned.decompose/1', bodies: [], edges: [], clocks: [] }
  const dump = JSON.stringify({ decompose, explain: { thresholds, streams: [] } })
  const analysis = await analyze([path], { learned: file('learned.json', dump) })
  expect(contractProblems(analysis)).toEqual([])
  const bands = analysis.traces.flatMap(({ requests: all }) => all.map(({ service, band }) => `${service} ${band}`))
  expect(new Set(bands)).toEqual(new Set(['pricing gt_p99', 'gateway null']))
  for (const bad of ['{"decompose": 5}', 'null', '{}', 'nonsense', '{"decompose":{},"explain":5}']) {
    const running = run([path], { learned: file('bad.json', bad) })
    await expect(running).rejects.toMatchObject({ code: 'BAD_FILE', message: expect.stringContaining('bad.json: ') })
  }
})
