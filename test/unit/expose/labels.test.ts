import { afterEach, expect, test } from '@jest/globals'
import { textLabels, visible } from '../../../src/expose/labels.ts'
import { OPENMETRICS, testExposer, type TestExposer } from './exposer.ts'
import { parseExposition } from './parse-exposition.ts'

let open: TestExposer | undefined
afterEach(() => open?.exposer.app.close())

const hostile = [
  'a"b',
  'a\\',
  'a\\n',
  'a\nb',
  'a\n# EOF\n',
  '"} 1\ntail_fake{x="',
  'NUL\u0000',
  'NUL\\u0000',
  'NUL\\\\u0000',
  '\r\n\t\u001b[31m',
  '\u202eevil',
  '__proto__',
  'constructor',
  '{id},le="0.5"',
  'a,b:c',
  'a:b,c',
  '日本語 🦀',
  ' ',
  '# HELP x'
]

test('a control character is shown by its code, and a name that already looks like that stays another name', () => {
  expect(visible('a\u0000b')).toBe('a\\u0000b')
  expect(visible('a\\u0000b')).toBe('a\\u005cu0000b')
  expect(visible('a\\unb')).toBe('a\\unb')
})

test('visible never makes one name of two', () => {
  const alphabet = ['\u0000', '\\', 'u', '0', '5', 'c', '\n', '"']
  const seen = new Map<string, string>()
  const seed = 42
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % below
  }
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + random(12) }, () => alphabet[random(alphabet.length)]).join('')
    const before = seen.get(visible(text))
    if (before !== undefined && before !== text) throw new Error(`seed ${seed}: ${JSON.stringify([before, text])}`)
    seen.set(visible(text), text)
  }
  expect(seen.size).toBeGreaterThan(1000)
})

test('the escapes are those of the text formats', () => {
  expect(textLabels([['a', 'x"y\\z\n']])).toBe('a="x\\"y\\\\z\\n"')
})

test.each(['text/plain', OPENMETRICS])('hostile names are label values and nothing else (%s)', async (accept) => {
  open = testExposer()
  for (const name of hostile) open.draft.addOperation(name === ' ' ? 'blank' : name, name)
  const text = await open.scrape(accept)
  const parsed = parseExposition(text)
  const partial = parsed.filter(({ name }) => name === 'tail_requests_partial_total')
  const operations = partial.map(({ labels }) => labels['operation'])
  expect(operations).toEqual(['__other__', ...hostile.map(visible)])
  expect(new Set(operations).size).toBe(hostile.length + 1)
  for (const { name, labels } of parsed) {
    expect(name).toMatch(/^(tail|process|nodejs)_/)
    if (name === 'tail_requests_total') {
      expect(Object.keys(labels)).toEqual(['service_name', 'operation', 'band', 'outcome'])
    }
  }
})

test('two names of different broken bytes are two series', async () => {
  open = testExposer()
  const { strings, operations, addOperation } = open.draft
  for (const byte of [0xff, 0xfe]) {
    const row = addOperation('shop', `placeholder ${byte}`)
    operations.operation[row] = strings.intern(Uint8Array.of(byte), 0, 1)
  }
  const names = parseExposition(await open.scrape())
    .filter(({ name }) => name === 'tail_requests_partial_total')
    .map(({ labels }) => labels['operation'])
  expect(names.slice(1).every((name) => name?.startsWith('\ufffd'))).toBe(true)
  expect(new Set(names).size).toBe(3)
  open.clock.nowMs += 1
  const again = parseExposition(await open.scrape(OPENMETRICS)).filter(
    ({ name }) => name === 'tail_requests_partial_total'
  )
  expect(again.map(({ labels }) => labels['operation'])).toEqual(names)
})

test('a row that is given out again loses the labels of its last owner', async () => {
  open = testExposer()
  const row = open.draft.addOperation('shop', 'old', 1)
  expect(await open.scrape()).toContain('operation="old"')
  open.draft.freeRow(row)
  expect(await open.scrape()).not.toContain('operation="old"')
  expect(open.draft.addOperation('shop', 'new', 2)).toBe(row)
  const text = await open.scrape()
  expect(text).toContain('operation="new"')
  expect(text).not.toContain('operation="old"')
})
