import { hostname } from 'node:os'
import { expect, test } from '@jest/globals'
import { createTelemetry, startTelemetry, type Sdk, telemetryOff } from '../../../src/runtime/telemetry.ts'

function recording(): { spans: { name: string; failed: boolean; ended: boolean; skipped: unknown }[]; sdk: Sdk } {
  const spans: { name: string; failed: boolean; ended: boolean; skipped: unknown }[] = []
  const tracer = {
    startSpan(name: string, { attributes }: { attributes: Record<string, unknown> }) {
      const span = { name, failed: false, ended: false, skipped: attributes['tailspan.spans_skipped_before'] }
      spans.push(span)
      return { setStatus: () => (span.failed = true), end: () => (span.ended = true) }
    }
  }
  return { spans, sdk: { tracer, error: 2, shutdown: () => Promise.resolve() } as unknown as Sdk }
}

async function start(env: Record<string, string>): Promise<{ on: boolean; told: string[] }> {
  const told: string[] = []
  const log = { info: (text: string) => told.push(text), warn: (text: string) => told.push(text) }
  const listening = [
    { host: '127.0.0.1', port: 4317 },
    { host: '0.0.0.0', port: 9999 }
  ]
  const telemetry = await startTelemetry({ env, listening, log })
  return { on: telemetry.on, told }
}

test('without an endpoint nothing is loaded, told or traced', async () => {
  expect(await start({})).toEqual({ on: false, told: [] })
  expect(await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://10.0.0.1:4317', OTEL_SDK_DISABLED: 'true' })).toEqual({
    on: false,
    told: []
  })
  expect(telemetryOff.trace('x', {}, () => 5)).toBe(5)
})

test.each([
  'http://127.0.0.1:4317',
  'http://localhost:4317/',
  'http://[::1]:4317',
  '127.0.0.1:4317',
  'http://127.0.0.1:9999',
  `http://${hostname()}:9999`,
  'http://0.0.0.0:9999'
])('an endpoint that is the process itself (%s) leaves it off and says so', async (endpoint) => {
  const { on, told } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })
  expect({ on, told }).toEqual({
    on: false,
    told: [expect.stringContaining(`own spans stay off: ${endpoint} is this process itself`)]
  })
})

test('work is inside a span, and its failure is the span’s', async () => {
  const { spans, sdk } = recording()
  const { trace } = createTelemetry(sdk)
  expect(trace('sync', {}, () => 1)).toBe(1)
  expect(await trace('async', {}, () => Promise.resolve(2))).toBe(2)
  expect(() => trace('throws', {}, () => JSON.parse('{') as unknown)).toThrow()
  await expect(trace('rejects', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(spans.map(({ name, failed, ended }) => `${name} ${failed} ${ended}`)).toEqual([
    'sync false true',
    'async false true',
    'throws true true',
    'rejects true true'
  ])
})

test('a busy second has a bounded number of spans', () => {
  const { spans, sdk } = recording()
  const { trace } = createTelemetry(sdk)
  for (let i = 0; i < 1000; i++) trace('x', {}, () => i)
  // Two seconds at most pass here.
  expect(spans.length).toBeLessThanOrEqual(100)
})
