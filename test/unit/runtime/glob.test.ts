import { expect, test } from '@jest/globals'
import { compileGlob, globCovers, globsMeet } from '../../../src/runtime/glob.ts'
import { createRandom } from '../../builders/random.ts'

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

test.each([
  ['*', 'GET /*', true],
  ['GET /*', '*', false],
  ['GET /*/items', 'GET /shop/*/items', true],
  ['GET /*', 'GET /*', true],
  ['G**', 'G*', true],
  ['G*', 'G**', true],
  ['GET /', 'GET /*', false],
  ['*a*b', 'xa*yb', true],
  ['*a*b', 'xa*y', false]
])('%s covers %s: %p', (wide, narrow, covers) => {
  expect(globCovers(wide, narrow)).toBe(covers)
})

test.each([
  ['*', '', true],
  ['a*', '*b', true],
  ['a*', 'b*', false],
  ['GET /*', 'GET /cart', true],
  ['*cart*', 'GET /*', true],
  ['*x', '*y', false],
  ['a*c', 'ab*', true],
  ['ab', 'a', false],
  ['', '', true]
])('%s and %s meet: %p', (a, b, meet) => {
  expect([globsMeet(a, b), globsMeet(b, a)]).toEqual([meet, meet])
})

test('covering and meeting are what trying out every short text says', () => {
  // Globs have no c: `a*` and `b*` together must not look like `*`.
  let longest = ['']
  const texts = ['']
  for (let length = 1; length <= 4; length++) {
    longest = longest.flatMap((text) => ['a', 'b', 'c'].map((letter) => text + letter))
    texts.push(...longest)
  }
  const draw = createRandom(5)
  const glob = (): string =>
    Array.from({ length: Math.floor(draw() * 4) }, () => 'ab*'[Math.floor(draw() * 3)] ?? '').join('')
  for (let i = 0; i < 2_000; i++) {
    const [a, b] = [glob(), glob()]
    const [isA, isB] = [compileGlob(a), compileGlob(b)]
    const [meet, covers] = [
      texts.some((text) => isA(text) && isB(text)),
      texts.every((text) => isA(text) || !isB(text))
    ]
    expect([a, b, globsMeet(a, b), globCovers(a, b)]).toEqual([a, b, meet, covers])
  }
})
