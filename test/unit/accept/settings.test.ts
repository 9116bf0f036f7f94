import { expect, test } from '@jest/globals'
import { acceptSection, acceptSettings } from '../../../src/accept/settings.ts'

test('an empty section is the defaults of the design', () => {
  expect(acceptSettings(acceptSection.parse({}))).toEqual({
    host: '127.0.0.1',
    grpcPort: 4317,
    httpPort: 4318,
    requestBytesMax: 64 * 1024 ** 2,
    inFlightBytesMax: 256 * 1024 ** 2,
    headersTimeoutMs: 10_000,
    tls: undefined,
    cors: { allowedOrigins: [], allowedHeaders: [], maxAgeMs: 7_200_000 },
    clientLimits: { requestsPerSecond: Infinity, bytesPerSecond: Infinity, burstMs: 10_000, clientsMax: 10_000 },
    bodyTimeoutMs: 30_000,
    idleTimeoutMs: 120_000,
    connectionAgeMaxMs: 3_600_000,
    connectionsMax: 4096,
    streamsMax: 128,
    spanAgeMaxMs: Infinity
  })
})

test('durations and sizes are written with units', () => {
  const parsed = acceptSection.parse({ body_timeout: '1m', request_bytes_max: '1MiB', span_age_max: '2h' })
  const settings = acceptSettings(parsed)
  expect([settings.bodyTimeoutMs, settings.requestBytesMax, settings.spanAgeMaxMs]).toEqual([
    60_000,
    1 << 20,
    7_200_000
  ])
})

test('what cannot work is refused', () => {
  for (const bad of [
    { port: 1 },
    { grpc_port: 65_536 },
    { host: '' },
    { streams_max: 0 },
    { body_timeout: '0s' },
    { connection_age_max: '9999999h' },
    { request_bytes_max: '512MiB' },
    { span_age_max: 'never' }
  ]) {
    expect({ bad, success: acceptSection.safeParse(bad).success }).toEqual({ bad, success: false })
  }
})
