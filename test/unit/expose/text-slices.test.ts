import { expect, test } from '@jest/globals'
import { createTextMaker, listText, objectText } from '../../../src/expose/text-slices.ts'
import { traceDocument, traceText } from '../../../src/expose/trace-document.ts'
import { textOf } from '../../builders/text-slices.ts'
import { oneTrace } from './one-trace.ts'

test('a trace as text says what the trace as an object says, in the same order', () => {
  const { decomposition, names } = oneTrace()
  const text = [...traceText(decomposition, undefined, names)].join('')
  expect(text).toBe(JSON.stringify(traceDocument(decomposition, undefined, names)))
})

test('a list is JSON however long it is, and no slice holds more than a thousand items', () => {
  for (const n of [0, 1, 999, 1_000, 1_001, 4_000]) {
    const slices = [...listText(n, (i) => ({ i }))]
    expect(JSON.parse(slices.join(''))).toEqual(Array.from({ length: n }, (_, i) => ({ i })))
    expect(slices.length).toBe(Math.ceil(n / 1_000) + 1)
  }
  expect(JSON.parse([...objectText([['a', () => 1]], [['b', () => listText(2, (i) => i)]])].join(''))).toEqual({
    a: 1,
    b: [0, 1]
  })
})

/** Turns that come when they are given. */
function turns() {
  let waiting: (() => void)[] = []
  return {
    turn: (next: () => void) => void waiting.push(next),
    /** Runs until nobody waits; returns how many turns that took. */
    all: async (): Promise<number> => {
      let taken = 0
      for (;;) {
        await new Promise(setImmediate)
        const ready = waiting
        waiting = []
        if (ready.length === 0) return taken
        taken += ready.length
        for (const next of ready) next()
      }
    }
  }
}

test('one text is made at a time, each slice in a turn of its own', async () => {
  const { turn, all } = turns()
  const make = createTextMaker(turn)
  const seen: string[] = []
  const slices = function* (name: string): Generator<string, boolean> {
    for (let i = 0; i < 3; i++) {
      seen.push(`${name}${i}`)
      yield i === 1 ? '' : `${i}`
    }
    return true
  }
  const [one, two] = [make(() => slices('a')), make(() => slices('b'))]
  expect(await all()).toBe(6)
  expect(seen).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2'])
  expect([String(await one), String(await two)]).toEqual(['02', '02'])
})

test('one that fails fails alone; nothing is nothing; beyond sixteen that wait it is busy', async () => {
  const { turn, all } = turns()
  const make = createTextMaker(turn)
  const failing = make(() => {
    throw new Error('no')
  })
  const others = Array.from({ length: 15 }, (_, i) => make(() => textOf(i === 0 ? undefined : { i })))
  expect(await make(() => textOf({}))).toBe('busy')
  await expect(failing).rejects.toThrow('no')
  await all()
  const texts = await Promise.all(others)
  expect(texts[0]).toBeUndefined()
  expect(String(texts[14])).toBe('{"i":14}')
  const after = make(() => textOf({}))
  await all()
  expect(String(await after)).toBe('{}')
})
