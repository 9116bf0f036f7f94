import { expect, test } from '@jest/globals'
import { createStrings, OTHER, OTHER_ID } from '../../../src/runtime/strings.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

const limits = { stringsMax: 1000, bytesMax: 1 << 16, stringBytesMax: 64, seed: 7 }

test('a string has one id, and its id gives it back', () => {
  const strings = createStrings(limits)
  const texts = ['', 'a', 'GET /buy', '__proto__', 'constructor', '\u0000', 'ünïcödé', OTHER]
  const ids = texts.map((text) => strings.internText(text))
  expect(new Set(ids).size).toBe(texts.length)
  expect(texts.map((text) => strings.internText(text))).toEqual(ids)
  expect(ids.map((id) => strings.text(id))).toEqual(texts)
  expect(ids[0]).toBe(0)
  expect(ids.at(-1)).toBe(OTHER_ID)
})

test('a text is found without being kept', () => {
  const strings = createStrings(limits)
  const ids = ['', 'a', 'GET /buy', OTHER].map((text) => strings.internText(text))
  const before = strings.bytes()
  expect(['', 'a', 'GET /buy', OTHER].map((text) => strings.find(text))).toEqual(ids)
  for (let i = 0; i < 1_000; i++) expect(strings.find(`stranger ${i}`)).toBeUndefined()
  expect([strings.bytes(), strings.capacity()]).toEqual([before, Math.max(...ids) + 1])
})

test('long strings are shortened with a mark, and two that differ only past the cut stay two', () => {
  const strings = createStrings(limits)
  const one = strings.internText('x'.repeat(1_000_000) + 'one')
  const two = strings.internText('x'.repeat(1_000_000) + 'two')
  expect(one).not.toBe(two)
  expect(strings.text(one)).toMatch(/^x+\u2026[g-v]{12}$/)
  expect(Buffer.byteLength(strings.text(one))).toBeLessThanOrEqual(limits.stringBytesMax)
  const wide = strings.text(strings.internText('\u20ac'.repeat(100)))
  expect(wide).not.toContain('\ufffd')
})

test('broken bytes are mended and marked; two broken names stay two, in every process alike', () => {
  const bytes = (...codes: number[]) => Uint8Array.from(codes)
  const texts = [1, 2].map((seed) => {
    const strings = createStrings({ ...limits, seed })
    return [bytes(65, 0xff), bytes(65, 0xfe), bytes(65, 0xff)].map((raw) => strings.text(strings.intern(raw, 0, 2)))
  })
  expect(texts[0]).toEqual(texts[1])
  expect(texts[0]?.[0]).toMatch(/^A\ufffd\u2026[g-v]{12}$/)
  expect(texts[0]?.[0]).toBe(texts[0]?.[2])
  expect(texts[0]?.[0]).not.toBe(texts[0]?.[1])
})

test('what does not fit becomes __other__ and is counted; a sweep makes room and keeps what is marked', () => {
  const strings = createStrings(limits)
  const kept = strings.internText('kept')
  for (let i = 0; i < 1200; i++) strings.internText(`name ${i}`)
  expect(strings.overflowed()).toBeGreaterThan(200)
  expect(strings.internText('one more')).toBe(OTHER_ID)
  expect(strings.fullness()).toBe(1)
  const marked = new Uint8Array(strings.capacity())
  marked[kept] = 1
  const before = strings.generation()
  strings.sweep(marked)
  expect(strings.generation()).toBe(before + 1)
  expect(strings.text(kept)).toBe('kept')
  expect(strings.internText('kept')).toBe(kept)
  const fresh = strings.internText('one more')
  expect(strings.text(fresh)).toBe('one more')
  expect(strings.text(OTHER_ID)).toBe(OTHER)
})

test('1,000 rounds of interning and sweeping agree with a plain map', () => {
  const below = wholeNumbers(11)
  const strings = createStrings({ ...limits, stringsMax: 300 })
  const known = new Map<string, number>()
  for (let round = 0; round < 1000; round++) {
    const text = `name ${below(400)}`
    const id = strings.internText(text)
    if (id === OTHER_ID) continue
    if (known.has(text)) expect(id).toBe(known.get(text))
    known.set(text, id)
    if (strings.fullness() < 0.9) continue
    const marked = new Uint8Array(strings.capacity())
    for (const [name, kept] of known) {
      if (below(3) === 0) marked[kept] = 1
      else known.delete(name)
    }
    strings.sweep(marked)
    for (const [name, kept] of known) expect(strings.text(kept)).toBe(name)
  }
})
