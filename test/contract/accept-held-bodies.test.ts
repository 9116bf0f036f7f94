import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from '@jest/globals'
import { type Harness, sendHttp1, startAcceptor, type Taken } from '../unit/accept/acceptor-under-test.ts'

let harness: Harness
afterEach(async () => {
  await harness.acceptor.close(0)
})

const KIB = 1024
const headers = { 'content-type': 'application/x-protobuf' }
const inFlight = (): number => harness.acceptor.memory()['accept_in_flight'] ?? NaN
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise(setImmediate)
}

/** Sends a body whose verdict waits for `kept`. */
async function sendHeld(body: Buffer, kept: Promise<boolean>, more: Readonly<Record<string, string>> = {}) {
  harness.verdict = { rejected: 0, message: '', kept, holdsBody: true }
  const before = harness.taken.length
  const answer = sendHttp1({ port: harness.httpPort, headers: { ...headers, ...more }, body })
  await until(() => harness.taken.length > before)
  return { answer, taken: harness.taken.at(-1) as Taken }
}

test.each([true, false])(
  'a body that is held stays as it is until it is known whether it is kept: %s',
  async (isKept) => {
    harness = await startAcceptor()
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const first = await sendHeld(Buffer.alloc(64 * KIB, 'a'), promise)
    expect(first.taken.lasts).toBe(true)
    const second = await sendHeld(Buffer.alloc(64 * KIB, 'b'), promise)
    expect(inFlight()).toBe(128 * KIB)
    expect(first.taken.body.equals(first.taken.handed)).toBe(true)
    expect(second.taken.body.equals(second.taken.handed)).toBe(true)
    resolve(isKept)
    const answers = await Promise.all([first.answer, second.answer])
    expect(answers.map(({ status }) => status)).toEqual(isKept ? [200, 200] : [503, 503])
    expect(inFlight()).toBe(0)
  }
)

test('a body that was compressed does not last', async () => {
  harness = await startAcceptor()
  const body = gzipSync(Buffer.alloc(64 * KIB, 'a'))
  const { taken, answer } = await sendHeld(body, Promise.resolve(true), { 'content-encoding': 'gzip' })
  expect(taken.lasts).toBe(false)
  expect((await answer).status).toBe(200)
})

test('a body is free again as soon as it was taken when nobody holds it', async () => {
  harness = await startAcceptor()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  harness.verdict = { rejected: 0, message: '', kept: promise }
  const answer = sendHttp1({ port: harness.httpPort, headers, body: Buffer.alloc(64 * KIB) })
  await until(() => harness.taken.length > 0)
  await until(() => inFlight() === 0)
  resolve(true)
  expect((await answer).status).toBe(200)
})
