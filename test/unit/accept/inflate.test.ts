import { expect, test } from '@jest/globals'
import { gzipSync } from 'node:zlib'
import { createBudget } from '../../../src/accept/budget.ts'
import { inflated } from '../../../src/accept/inflate.ts'

const MIB = 1024 ** 2
const length = (bytes: Buffer): number => bytes.length

test('bytes of every size around the limits come out as they went in, and nothing stays reserved', async () => {
  const budget = createBudget(16 * MIB)
  const bytesMax = 2 * MIB
  for (const size of [0, 1, 63, 64, 65, 70_000, MIB - 1, MIB, MIB + 1, bytesMax - 1, bytesMax]) {
    const plain = Buffer.from(Buffer.alloc(size).map((_, i) => (i >> 8) & 255))
    const same = await inflated(gzipSync(plain), { budget, bytesMax }, (out) => out.equals(plain))
    expect({ size, same }).toEqual({ size, same: true })
    expect(budget.memory().inFlightBytes).toBe(0)
  }
  const over = await inflated(gzipSync(Buffer.alloc(bytesMax + 1)), { budget, bytesMax }, length)
  expect(over).toMatchObject({ reason: 'too_large' })
})

test('bodies that come together do not get into each other', async () => {
  const parts = { budget: createBudget(16 * MIB), bytesMax: MIB }
  const texts = Array.from({ length: 20 }, (_, i) => `${i} `.repeat(1000 + i))
  const texted = texts.map((text) => inflated(gzipSync(text), parts, (out) => out.toString()))
  expect(await Promise.all(texted)).toEqual(texts)
})

test('after broken gzip, and after too much of it, the next body comes out whole', async () => {
  const parts = { budget: createBudget(16 * MIB), bytesMax: 100 }
  const good = gzipSync('good')
  for (const bad of [
    good.subarray(0, 15),
    Buffer.from('bad'),
    gzipSync(Buffer.alloc(101)),
    gzipSync(Buffer.alloc(9999))
  ]) {
    expect(Buffer.isBuffer(bad) && (await inflated(bad, parts, length))).toHaveProperty('reason')
    expect(await inflated(good, parts, (out) => out.toString())).toBe('good')
  }
})

test('several gzip members are one body, and zeros after them are nothing', async () => {
  const parts = { budget: createBudget(MIB), bytesMax: MIB }
  const bytes = Buffer.concat([gzipSync('one '), gzipSync('two'), Buffer.alloc(7)])
  expect(await inflated(bytes, parts, (out) => out.toString())).toBe('one two')
})

test('a small trailer before a large body does not help: the limit holds, and so does the budget', async () => {
  const lying = Buffer.concat([gzipSync(Buffer.alloc(3 * MIB)), gzipSync(Buffer.from('x'))])
  const within = { budget: createBudget(4 * MIB), bytesMax: 4 * MIB }
  expect(await inflated(lying, within, length)).toBe(3 * MIB + 1)
  const over = { budget: createBudget(4 * MIB), bytesMax: 2 * MIB }
  expect(await inflated(lying, over, length)).toMatchObject({ reason: 'too_large' })
  const poor = { budget: createBudget(3 * MIB), bytesMax: 4 * MIB }
  expect(await inflated(lying, poor, length)).toMatchObject({ reason: 'busy' })
  expect(poor.budget.memory().inFlightBytes).toBe(0)
})

test('what is no gzip, or half of it, is a bad payload', async () => {
  const parts = { budget: createBudget(MIB), bytesMax: MIB }
  const good = gzipSync(Buffer.alloc(10_000, 'abc'))
  for (const bytes of [Buffer.alloc(0), Buffer.from('{}'), good.subarray(0, good.length - 9), good.subarray(1)]) {
    expect(await inflated(bytes, parts, length)).toMatchObject({ reason: 'bad_payload' })
  }
  expect(parts.budget.memory().inFlightBytes).toBe(0)
})
