import { expect, test } from '@jest/globals'
import { compileGlob } from '../../../src/runtime/glob.ts'

test.each([
  ['shop/GET /cart', 'shop/GET /cart', true],
  ['shop/GET /cart', 'shop/GET /cart/1', false],
  ['shop/*', 'shop/GET /cart', true],
  ['*/events', 'shop/cart/events', true],
  ['*/events', 'shop/events/1', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['ab*ba', 'aba', false],
  ['*', '', true],
  ['a.c*', 'abc', false]
])('%s on %s is %s', (glob, text, matches) => {
  expect(compileGlob(glob)(text)).toBe(matches)
})

test('a glob of many stars on a long text that almost matches answers at once', () => {
  expect(compileGlob('*a'.repeat(200) + '*b')('a'.repeat(100_000))).toBe(false)
})
