import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { buildPipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import type { Analysis } from '../builders/analyze-contract.ts'
import { tailspan } from '../builders/command.ts'
import { requestJson, shopRequests } from '../builders/shop-requests.ts'
import { readText } from '../builders/text-slices.ts'

type TraceDocument = Analysis['traces'][number]

const START_MS = 1_700_000_000_000
const requests = shopRequests({ traces: 1200 })
const recording = requests.map((request) => JSON.stringify(requestJson(request))).join('\n')
const live = new Map<string, TraceDocument>()
let folder = ''
let learned = ''
let file = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
  file = join(folder, 'recorded.jsonl')
  learned = join(folder, 'learned.json')
  writeFileSync(file, recording)
  let nowMs = START_MS
  const pipeline = buildPipeline(loadSettings('', 'none', {}), {
    log: {
      error(fields) {
        throw new Error(JSON.stringify(fields))
      }
    },
    nowMs: () => nowMs,
    seed: 1
  })
  for (const request of requests) {
    pipeline.accept.traces(Buffer.from(JSON.stringify(requestJson(request))), 'json')
    nowMs += 500
    pipeline.tick(nowMs)
  }
  for (let second = 0; second < 60; second++) pipeline.tick((nowMs += 1000))
  writeFileSync(learned, JSON.stringify(pipeline.sources.learned()))
  for (const id of new Set(requests.flatMap(({ spans }) => spans.map(({ traceId }) => traceId)))) {
    const document = readText(pipeline.sources.trace(id))
    if (document !== undefined) live.set(id, document as TraceDocument)
  }
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

async function analyzed(...flags: string[]): Promise<Map<string, TraceDocument>> {
  const { code, stdout, stderr } = await tailspan(['analyze', '--json', ...flags, file])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return new Map((JSON.parse(stdout) as Analysis).traces.map((trace) => [trace.trace_id, trace]))
}

test('with what the live service learned, analyze says of every trace it kept exactly what the service says', async () => {
  const offline = await analyzed('--learned', learned)
  expect(live.size).toBeGreaterThan(5)
  for (const [id, document] of live) {
    // The order of arrival differs: sort what is listed by it.
    expect(sorted(offline.get(id))).toEqual(sorted(document))
  }
  const phases = [...live.values()].flatMap(({ requests: all }) => all.map((request) => request.phases['processing']))
  expect(Math.max(...phases.map(Number))).toBeGreaterThan(0)
})

test('without it, every measured nanosecond agrees', async () => {
  const offline = await analyzed()
  for (const [id, document] of live) {
    const other = new Map(offline.get(id)?.requests.map((request) => [request.span_id, request.grades]))
    for (const { span_id, grades } of document.requests) {
      expect(measured(other.get(span_id))).toEqual(measured(grades))
    }
  }
})

function measured(grades: TraceDocument['requests'][number]['grades'] | undefined): Record<string, number> {
  return Object.fromEntries(
    Object.entries(grades ?? {}).flatMap(([phase, by]) => (by['measured'] ? [[phase, by['measured']]] : []))
  )
}

function sorted(document: TraceDocument | undefined): unknown {
  const bySpan = (a: { span_id: string }, b: { span_id: string }): number => (a.span_id < b.span_id ? -1 : 1)
  return (
    document && {
      ...document,
      blame: document.blame.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      spans: document.spans.toSorted(bySpan),
      requests: document.requests.toSorted(bySpan)
    }
  )
}
