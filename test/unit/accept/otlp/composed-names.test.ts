import { expect, test } from '@jest/globals'
import { createComposedNames } from '../../../../src/accept/otlp/composed-names.ts'
import { createStrings, type Strings } from '../../../../src/runtime/strings.ts'
import { seeded } from './random-traces.ts'

function stringsOf(): Strings {
  return createStrings({ stringsMax: 20_000, bytesMax: 1 << 20, stringBytesMax: 100, seed: 9 })
}

test('a pair is composed once, and every pair keeps its own name while the cache grows', () => {
  const strings = stringsOf()
  let composed = 0
  const join = (by: string) => (a: string, b: string) => {
    composed += 1
    return a + by + b
  }
  const names = createComposedNames(strings, [join('+'), join('-')], 10_000)
  const ids = Array.from({ length: 60 }, (_, i) => strings.internText(`s${i}`))
  for (let round = 0; round < 2; round++) {
    for (const a of ids) {
      for (const b of ids) {
        expect(strings.text(names.of(0, a, b))).toBe(`${strings.text(a)}+${strings.text(b)}`)
        expect(strings.text(names.of(1, a, b))).toBe(`${strings.text(a)}-${strings.text(b)}`)
      }
    }
  }
  expect(composed).toBe(2 * 60 * 60)
  expect(names.forgotten()).toBe(0)
})

test('names stay right when too many are forgotten and when ids change their meaning', () => {
  const seed = 77
  const random = seeded(seed)
  const strings = stringsOf()
  const names = createComposedNames(strings, [(a, b) => `${a}/${b}`], 50)
  for (let step = 0; step < 20_000; step++) {
    const a = strings.internText(`a${Math.floor(random() * 30)}`)
    const b = strings.internText(`b${Math.floor(random() * 30)}`)
    if (strings.text(names.of(0, a, b)) !== `${strings.text(a)}/${strings.text(b)}`)
      throw new Error(`seed ${seed}, step ${step}`)
    if (step % 997 === 0) strings.sweep(new Uint8Array(strings.capacity()))
  }
  expect(names.forgotten()).toBeGreaterThan(0)
  expect(names.bytes()).toBeLessThan(1 << 16)
})
