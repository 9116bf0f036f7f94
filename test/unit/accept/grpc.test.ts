import { expect, test } from '@jest/globals'
import { grpcTimeoutMs } from '../../../src/accept/grpc.ts'

test('grpc-timeout is up to eight digits and a unit, and absent is for ever', () => {
  expect(grpcTimeoutMs(undefined)).toBe(Infinity)
  const good = { '1H': 3_600_000, '2M': 120_000, '10S': 10_000, '99999999m': 99_999_999, '500u': 0.5, '0n': 0 }
  for (const [header, ms] of Object.entries(good)) expect(grpcTimeoutMs(header)).toBe(ms)
  for (const bad of ['', '10', 'S', '10s', '-1S', '1.5S', '123456789S', '1S ', '1SS']) {
    expect({ bad, ms: grpcTimeoutMs(bad) }).toEqual({ bad, ms: undefined })
  }
})
