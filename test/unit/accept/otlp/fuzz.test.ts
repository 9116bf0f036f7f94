import { isDeepStrictEqual } from 'node:util'
import { expect, jest, test } from '@jest/globals'
import { Fault } from '../../../../src/runtime/fault.ts'
import { decodeSpans, encodeTraces, toJson } from './otlp-messages.ts'
import { isAcceptable } from './oracle.ts'
import { randomTraces, seeded, type Random } from './random-traces.ts'
import { type Bench, createBench, rowsOf, wantedTextCodes, wants } from './span-rows.ts'

const MUTANTS = 24_000

/** Damages bytes as networks and bugs do: flips, overwrites, cuts, doubles. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const mutant = new Uint8Array(bytes)
  const at = (): number => Math.floor(random() * mutant.length)
  const changes = 1 + Math.floor(random() * 3)
  for (let i = 0; i < changes && mutant.length > 0; i++) {
    const kind = random()
    const place = at()
    if (kind < 0.4) mutant[place] = (mutant[place] as number) ^ (1 << Math.floor(random() * 8))
    else if (kind < 0.7) mutant[place] = Math.floor(random() * 256)
    else if (kind < 0.8) mutant.copyWithin(place, at(), at())
    else if (kind < 0.9) mutant[place] = 0xff
    else return mutant.subarray(0, place)
  }
  return mutant
}

/** Spans that the oracle finds acceptable, undefined when it refuses the bytes. */
function spansByOracle(bytes: Uint8Array): { accepted: number; all: number } | undefined {
  try {
    const spans = decodeSpans(bytes)
    return { accepted: spans.filter(isAcceptable).length, all: spans.length }
  } catch {
    return undefined
  }
}

test(`of ${MUTANTS} damaged protobuf requests every one is a Fault or decoded, with the oracle's spans`, () => {
  const { decoder } = createBench(wants)
  const random = seeded(20_261_121)
  let both = 0
  let faults = 0
  let body = new Uint8Array(0)
  for (let i = 0; i < MUTANTS; i++) {
    if (i % 40 === 0) body = new Uint8Array(encodeTraces(randomTraces(random)))
    const mutant = mutate(body, random)
    try {
      const { rejected } = decoder.decodeProtobuf(mutant, NaN)
      const expected = spansByOracle(mutant)
      if (expected === undefined) continue
      both += 1
      if (decoder.batch.n !== expected.accepted || decoder.batch.n + rejected !== expected.all) {
        throw new Error(`mutant ${i}: ${decoder.batch.n} + ${rejected} spans, not ${JSON.stringify(expected)}`)
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      if (error.code !== 'BAD_PAYLOAD' || decoder.batch.n !== 0)
        throw new Error(`mutant ${i}: half a Fault`, { cause: error })
      faults += 1
    }
  }
  expect(faults).toBeGreaterThan(1000)
  expect(both).toBeGreaterThan(1000)
})

test('of 4,000 damaged JSON requests every one is a Fault or decoded', () => {
  const { decoder } = createBench(wants)
  const random = seeded(7)
  let body = new Uint8Array(0)
  let faults = 0
  for (let i = 0; i < 4000; i++) {
    if (i % 40 === 0) body = new Uint8Array(toJson(randomTraces(random)))
    try {
      decoder.decodeJson(mutate(body, random), NaN)
    } catch (error) {
      if (!(error instanceof Fault)) throw new Error(`mutant ${i}`, { cause: error })
      if (error.message.includes('NaN')) throw new Error(`mutant ${i}: no offset`, { cause: error })
      faults += 1
    }
  }
  expect(faults).toBeGreaterThan(500)
})

function jsonOutcome(bench: Bench, body: Uint8Array): unknown {
  try {
    const { rejected, message } = bench.decoder.decodeJson(body, NaN)
    return { rejected, message, rows: rowsOf(bench, wantedTextCodes) }
  } catch (error) {
    return (error as Error).message
  }
}

test('JSON read in place and JSON read by JSON.parse say the same of 3,000 requests, most of them damaged', () => {
  const bench = createBench(wants)
  const random = seeded(8)
  const parse = jest.spyOn(JSON, 'parse')
  const byteOrderMark = Uint8Array.of(0xef, 0xbb, 0xbf)
  let inPlace = 0
  let whole = new Uint8Array(0)
  for (let i = 0; i < 3000; i++) {
    if (i % 20 === 0) whole = new Uint8Array(toJson(randomTraces(random)))
    const body = i % 20 === 0 ? whole : mutate(whole, random)
    parse.mockClear()
    const outcome = jsonOutcome(bench, body)
    if (parse.mock.calls.length === 0) inPlace += 1
    // A byte order mark is legal and rare: it sends a request the long way.
    const theLongWay = jsonOutcome(bench, Buffer.concat([byteOrderMark, body]))
    if (!isDeepStrictEqual(outcome, theLongWay)) expect([i, outcome]).toEqual([i, theLongWay])
  }
  parse.mockRestore()
  expect(inPlace).toBeGreaterThan(300)
})
