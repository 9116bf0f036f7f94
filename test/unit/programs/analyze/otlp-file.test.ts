import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readOtlpFile } from '../../../../src/programs/analyze/otlp-file.ts'
import { entry, gauge, join, logRecord, prefixed, scope, span } from '../../../builders/otlp-wire.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(joinPath(tmpdir(), 'tailspan-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

async function read(
  bytes: Uint8Array | string,
  name = 'file'
): Promise<{ payloads: string[]; problems: string[]; read: number }> {
  const path = joinPath(folder, name)
  writeFileSync(path, bytes)
  const found = { payloads: [] as string[], problems: [] as string[], read: 0 }
  await readOtlpFile(path, {
    payload: ({ signal, encoding, where, bytes }) =>
      found.payloads.push(`${signal} ${encoding} ${where} ${bytes.length}`),
    problem: ({ where, message }) => found.problems.push(`${where}: ${message}`),
    progress: (count) => (found.read += count)
  })
  return found
}

const traces = entry('a', [scope('x', [span('s'), span('t', 2)])])
const metrics = entry('a', [scope('x', [gauge('g')])])
const size = traces.length

const forms: readonly (readonly [string, Uint8Array, readonly string[]])[] = [
  ['one JSON document', Buffer.from('{"resourceSpans":[]}'), ['traces json line 1 20']],
  [
    'pretty JSON behind a mark and blanks',
    Buffer.from('\ufeff\n {\n"resourceMetrics": []}'),
    ['metrics json line 2 24']
  ],
  [
    'JSON lines, mixed',
    Buffer.from('{"resourceSpans":[]}\n{"resourceMetrics":[]}'),
    ['traces json line 1 20', 'metrics json line 2 22']
  ],
  [
    'one protobuf message',
    join([traces, traces]),
    [`traces protobuf byte 0 ${size}`, `traces protobuf byte ${size} ${size}`]
  ],
  ['protobuf metrics', metrics, [`metrics protobuf byte 0 ${metrics.length}`]],
  ['protobuf logs', entry('a', [scope('x', [logRecord()])]), ['logs protobuf byte 0 54']],
  [
    'length-prefixed protobuf, mixed',
    join([prefixed(metrics), prefixed(traces)]),
    [`metrics protobuf byte 4 ${metrics.length}`, `traces protobuf byte ${metrics.length + 8} ${size}`]
  ]
]

test.each(forms)('%s is read, gzipped or not', async (_, bytes, payloads) => {
  expect(await read(bytes)).toEqual({ payloads, problems: [], read: bytes.length })
  const zipped = gzipSync(bytes)
  expect(await read(zipped)).toEqual({ payloads, problems: [], read: zipped.length })
})

test('several gzip members are one file', async () => {
  const zipped = Buffer.concat([gzipSync('{"resourceSpans":[]}\n'), gzipSync('{"resourceMetrics":[]}\n')])
  expect((await read(zipped)).payloads).toEqual(['traces json line 1 20', 'metrics json line 2 22'])
})

test('what a damaged gzip file holds before the damage is read', async () => {
  const noise = Array.from({ length: 20_000 }, (_, i) => `{"resourceSpans":[],"x":"${Math.sin(i)}"}`).join('\n')
  const zipped = gzipSync(noise)
  const found = await read(zipped.subarray(0, zipped.length / 2))
  expect(found.payloads.length).toBeGreaterThan(5_000)
  expect(found.problems).toHaveLength(1)
  expect(found.problems[0]).toMatch(/^byte \d+: unexpected end of file$/)
})

test('a file that does not exist, a folder, and a file of something else are told of', async () => {
  const problems: string[] = []
  const sink = {
    payload: () => undefined,
    problem: ({ message }: { message: string }) => problems.push(message),
    progress: () => undefined
  }
  await readOtlpFile(joinPath(folder, 'missing'), sink)
  await readOtlpFile(folder, sink)
  expect(problems[0]).toMatch(/ENOENT/)
  expect(problems[1]).toMatch(/EISDIR/)
  expect((await read('hello, this is a text file')).problems).toHaveLength(1)
  expect((await read('{"hello": 1}')).problems).toEqual([
    'line 1: a JSON object without resourceSpans or resourceMetrics'
  ])
})

test('the name decides only where the content does not', async () => {
  const empty = entry('a', [])
  expect((await read(empty, 'metrics.pb')).payloads).toEqual([`metrics protobuf byte 0 ${empty.length}`])
  expect((await read(empty, 'spans.pb')).payloads).toEqual([`traces protobuf byte 0 ${empty.length}`])
  expect((await read(traces, 'metrics.pb')).payloads).toEqual([`traces protobuf byte 0 ${size}`])
})
