import { expect, test } from '@jest/globals'
import { PassThrough } from 'node:stream'
import { createBody, receive, type Body } from '../../../src/accept/body.ts'
import { createBudget, type Budget } from '../../../src/accept/budget.ts'
import { type Refusal } from '../../../src/accept/refusals.ts'
import { grpcMessage } from '../../builders/raw-http2.ts'

const KIB = 1024
const keep = (): void => undefined

function bodyOf(budget: Budget, options: { framed?: boolean; declaredBytes?: number; bytesMax?: number } = {}): Body {
  const { framed = false, declaredBytes, bytesMax = 1024 * KIB } = options
  return createBody({ budget, bytesMax, framed, declaredBytes })
}

/** Adds the bytes in pieces of random sizes; the first refusal ends it. */
function addInPieces(body: Body, bytes: Uint8Array, random: () => number): Refusal | undefined {
  for (let from = 0; from < bytes.length;) {
    const end = Math.min(bytes.length, from + 1 + Math.floor(random() ** 3 * 40_000))
    const refusal = body.add(bytes.subarray(from, end))
    if (refusal !== undefined) return refusal
    from = end
  }
  return undefined
}

function randomFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

test('whatever the pieces, the bytes are those that were sent and everything is given back', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomFrom(seed)
    const budget = createBudget(4096 * KIB)
    const framed = random() < 0.5
    const payload = Buffer.from(Buffer.alloc(Math.floor(random() * 400_000)).map((_, i) => (i * seed) & 255))
    const sent = framed ? grpcMessage(payload) : payload
    const declared = random() < 0.5 ? { declaredBytes: Math.floor(random() * 500_000) } : {}
    const body = bodyOf(budget, { framed, ...declared })
    expect({ seed, refusal: addInPieces(body, sent, random) }).toEqual({ seed, refusal: undefined })
    expect({ seed, same: body.bytes().equals(sent) }).toEqual({ seed, same: true })
    body.free()
    expect(budget.memory().inFlightBytes).toBe(0)
  }
})

test('exactly the limit is taken and one byte more is not, framed or not, declared or not', () => {
  for (const framed of [false, true]) {
    for (const declared of [{}, { declaredBytes: 1000 }]) {
      for (const [size, refused] of [
        [1000, undefined],
        [1001, 'too_large']
      ] as const) {
        const payload = Buffer.alloc(size)
        const body = bodyOf(createBudget(1024 * KIB), { framed, bytesMax: 1000, ...declared })
        expect(body.add(framed ? grpcMessage(payload) : payload)?.reason).toBe(refused)
        body.free()
      }
    }
  }
})

test('a length prefix over the limit is refused when its last byte comes, though split', () => {
  const body = bodyOf(createBudget(1024 * KIB), { framed: true, bytesMax: 1000 })
  expect(body.add(Buffer.from([0, 0, 0]))).toBeUndefined()
  expect(body.add(Buffer.from([0xff]))).toBeUndefined()
  expect(body.add(Buffer.from([0xff]))?.reason).toBe('too_large')
})

test('a declared megabyte holds a quarter until more has come', () => {
  const budget = createBudget(4096 * KIB)
  const body = bodyOf(budget, { declaredBytes: 1024 * KIB })
  body.add(Buffer.alloc(1))
  expect(budget.memory().inFlightBytes).toBe(256 * KIB)
  body.add(Buffer.alloc(300 * KIB))
  expect(budget.memory().inFlightBytes).toBe(512 * KIB)
})

test('a body that grows beyond the budget is busy, not too large', () => {
  const budget = createBudget(300 * KIB)
  const body = bodyOf(budget)
  expect(body.add(Buffer.alloc(100 * KIB))).toBeUndefined()
  expect(body.add(Buffer.alloc(200 * KIB))?.reason).toBe('busy')
  body.free()
  expect(budget.memory().inFlightBytes).toBe(0)
})

test('receiving ends with the end, the sender’s going, or a broken stream, and once only', async () => {
  const budget = createBudget(1024 * KIB)
  for (const [finish, reason] of [
    [(source: PassThrough) => source.end(), undefined],
    [(source: PassThrough) => source.destroy(), 'cancelled'],
    [(source: PassThrough) => source.destroy(new Error('reset')), 'cancelled']
  ] as const) {
    const source = new PassThrough()
    const body = bodyOf(budget)
    const received = receive({ source, body, timeoutMs: 10_000, release: keep })
    source.write('some')
    finish(source)
    expect((await received)?.reason).toBe(reason)
    body.free()
  }
  const gone = new PassThrough()
  gone.destroy()
  const refusal = await receive({ source: gone, body: bodyOf(budget), timeoutMs: 10_000, release: keep })
  expect(refusal?.reason).toBe('cancelled')
})

test('pieces that come after a refusal are read into nothing', async () => {
  const source = new PassThrough()
  const body = bodyOf(createBudget(1024 * KIB), { bytesMax: 4 })
  const received = receive({ source, body, timeoutMs: 10_000, release: keep })
  source.write('12345')
  expect((await received)?.reason).toBe('too_large')
  body.free()
  source.end('678')
  await new Promise((resolve) => source.once('end', resolve))
  expect(body.bytes()).toHaveLength(0)
})
