import { expect, test } from '@jest/globals'
import { answerOf } from '../../../src/accept/answers.ts'
import { readResponse } from './status-oracle.ts'

test('success leaves partial_success unset', () => {
  const verdict = { rejected: 0, message: '' }
  expect(answerOf('traces', verdict, 'protobuf')).toHaveLength(0)
  expect(answerOf('metrics', verdict, 'json').toString()).toBe('{}')
})

test('a message without refusals is a warning, and is sent', () => {
  const verdict = { rejected: 0, message: 'the clock of this host is 5 minutes ahead' }
  expect(readResponse(answerOf('traces', verdict, 'protobuf'))).toEqual(verdict)
})

test('counts beyond 32 bits survive, as a number in protobuf and as digits in JSON', () => {
  const verdict = { rejected: 2 ** 40 + 1, message: 'x' }
  expect(readResponse(answerOf('traces', verdict, 'protobuf'))).toEqual(verdict)
  const json = answerOf('metrics', verdict, 'json').toString()
  expect(json).toBe('{"partialSuccess":{"rejectedDataPoints":"1099511627777","errorMessage":"x"}}')
})

test('a message of any length leaves an answer of a few kilobytes', () => {
  const verdict = { rejected: 9, message: '\u{1f980}'.repeat(1e5) }
  expect(answerOf('traces', verdict, 'protobuf').length).toBeLessThan(4200)
  expect(answerOf('traces', verdict, 'json').length).toBeLessThan(4200)
})
