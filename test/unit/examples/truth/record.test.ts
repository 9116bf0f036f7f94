import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as grpc from '@grpc/grpc-js'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { record, type RecordOptions, type RunShop } from '../../../../examples/shop/truth/record.ts'
import { openRecording } from '../../../../examples/shop/truth/recording.ts'
import { readSpans } from '../../../../examples/shop/truth/spans.ts'
import { readTruth } from '../../../../examples/shop/truth/truth-files.ts'
import { requestProtobuf, shopRequests } from '../../../builders/shop-requests.ts'

let folder = ''
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'tailspan-')), 'recording')
})
afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true })
})

const [first, second] = shopRequests({ traces: 3 }).map((request) => Buffer.from(requestProtobuf(request))) as [
  Buffer,
  Buffer
]
const options = (): RecordOptions => ({ cause: 'queue', level: 'waits', seed: 7, seconds: 3, rate: 10, folder })

async function post(
  address: string,
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {}
): Promise<number> {
  const answer = await fetch(`http://${address}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', ...headers },
    body: new Uint8Array(body)
  })
  await answer.arrayBuffer()
  return answer.status
}

function call(address: string, service: string, body: Buffer): Promise<Buffer> {
  const client = new grpc.Client(address, grpc.credentials.createInsecure())
  const asItIs = (bytes: Buffer): Buffer => bytes
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/opentelemetry.proto.collector.${service}/Export`,
      asItIs,
      asItIs,
      body,
      (reason, answer) => {
        client.close()
        if (answer === undefined) reject(reason ?? new Error('no answer'))
        else resolve(answer)
      }
    )
  })
}

function tellTruth(truthDir: string): void {
  const line = { trace_id: '0a'.repeat(16), span_id: '0b'.repeat(8), self: { gc: 5, processing: 0 } }
  writeFileSync(join(truthDir, 'gateway.truth.jsonl'), `${JSON.stringify(line)}\n`)
}

test('keeps what came over HTTP and gRPC as it came, the truth without its zeros, and what was asked for', async () => {
  const episodes = [{ cause: 'queue', fromUnixNano: '1', toUnixNano: '2' }] as const
  const shop: RunShop = async ({ endpoints, truthDir }) => {
    expect(await post(endpoints.http, '/v1/traces', gzipSync(first), { 'content-encoding': 'gzip' })).toBe(200)
    expect(await call(endpoints.grpc, 'trace.v1.TraceService', second)).toHaveLength(0)
    await call(endpoints.grpc, 'metrics.v1.MetricsService', Buffer.alloc(0))
    expect(await post(endpoints.http, '/v1/logs', second)).toBe(404)
    expect(await post(endpoints.http, '/v1/traces', second, { 'content-type': 'application/json' })).toBe(415)
    tellTruth(truthDir)
    return { episodes, cpuDelayMs: { gateway: 5 } }
  }
  expect(await record(options(), shop)).toEqual({ traceBodies: 2, metricBodies: 1, truthFiles: 1 })
  const recording = openRecording(folder)
  expect(recording.meta).toMatchObject({
    cause: 'queue',
    level: 'waits',
    seed: 7,
    seconds: 3,
    rate: 10,
    episodes,
    cpuDelayMs: { gateway: 5 }
  })
  const { byId } = await readSpans(recording.traceFiles)
  expect(byId.size).toBe(12)
  const truth = gunzipSync(readFileSync(join(folder, 'gateway.truth.jsonl.gz'))).toString()
  expect(JSON.parse(truth)).toMatchObject({ self: { gc: 5 } })
  expect(truth).not.toContain('processing')
  expect(readTruth(recording.truthFiles, 0n).get(`${'0a'.repeat(16)}/${'0b'.repeat(8)}`)?.self.gc).toBe(5)
})

test.each([
  ['no traces came', () => Promise.resolve(), 'no traces'],
  ['the shop failed', () => Promise.reject(new Error('cargo is missing')), 'cargo is missing'],
  [
    'a body was too large',
    async (http: string) => {
      await post(http, '/v1/traces', first)
      expect(await post(http, '/v1/traces', Buffer.alloc(17 * 1024 ** 2))).toBe(413)
    },
    'refused'
  ],
  ['no truth was told', (http: string) => post(http, '/v1/traces', first), 'no truth']
] as const)('throws the recording away when %s', async (_name, send, message) => {
  const shop: RunShop = async ({ endpoints }) => {
    await send(endpoints.http)
    return { episodes: [], cpuDelayMs: {} }
  }
  await expect(record(options(), shop)).rejects.toThrow(message)
  expect(existsSync(folder)).toBe(false)
})

test('a recording that is there is not written over', async () => {
  const shop: RunShop = async ({ endpoints, truthDir }) => {
    await post(endpoints.http, '/v1/traces', first)
    tellTruth(truthDir)
    return { episodes: [], cpuDelayMs: {} }
  }
  await record(options(), shop)
  await expect(record(options(), shop)).rejects.toThrow('is there already')
  expect(existsSync(folder)).toBe(true)
})
