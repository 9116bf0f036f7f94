import { expect, test } from '@jest/globals'
import { refusalCodes, refusalReasons } from '../../../src/accept/refusals.ts'
import { percentEncoded, shortened, statusOf } from '../../../src/accept/status.ts'
import { readStatus } from './status-oracle.ts'

const types = { protobuf: 'application/x-protobuf', json: 'application/json' } as const

for (const encoding of ['protobuf', 'json'] as const) {
  test(`every refusal reads back from ${encoding} as it was meant`, () => {
    for (const reason of refusalReasons) {
      const message = `it was ${reason}: “ü” \u{1f980}\0`
      const retry = reason === 'busy' ? { retryAfterMs: 12_345 } : {}
      const status = readStatus(statusOf({ reason, message, ...retry }, encoding), types[encoding])
      expect(status).toEqual({
        code: refusalCodes[reason].grpc,
        message,
        retryMs: reason === 'busy' ? 12_345 : undefined,
        violations: reason === 'bad_payload' ? [message] : []
      })
    }
  })

  test(`a message of a megabyte is shortened in ${encoding}`, () => {
    const status = statusOf({ reason: 'bad_payload', message: '\u00fc'.repeat(500_000) }, encoding)
    expect(status.length).toBeLessThan(4096)
    expect(readStatus(status, types[encoding]).message).toMatch(/^\u00fc+\u2026$/)
  })
}

test('fractions of a second survive in RetryInfo', () => {
  for (const retryAfterMs of [1, 999, 1000, 1001, 86_400_000]) {
    for (const encoding of ['protobuf', 'json'] as const) {
      const bytes = statusOf({ reason: 'busy', message: 'later', retryAfterMs }, encoding)
      expect(readStatus(bytes, types[encoding]).retryMs).toBeCloseTo(retryAfterMs, 6)
    }
  }
})

test('shortening never cuts a character and never exceeds the limit', () => {
  for (const text of ['abcdefgh', 'üüüüü', '\u{1f980}\u{1f980}\u{1f980}', '']) {
    for (let bytesMax = 3; bytesMax < 20; bytesMax++) {
      const short = shortened(text, bytesMax)
      expect(Buffer.byteLength(short)).toBeLessThanOrEqual(bytesMax)
      expect(short).not.toContain('\ufffd')
      expect(text.startsWith(short.replace('\u2026', ''))).toBe(true)
    }
  }
})

test('percent-encoding leaves printable ASCII alone and decodes to the message', () => {
  const message = 'at byte 7: 100 % “bad”\r\n\0\u{1f980} ~'
  const encoded = percentEncoded(message)
  expect(encoded).toMatch(/^[\x20-\x7e]*$/)
  expect(encoded).toContain('at byte 7: 100 %25 ')
  expect(decodeURIComponent(encoded)).toBe(message)
})
