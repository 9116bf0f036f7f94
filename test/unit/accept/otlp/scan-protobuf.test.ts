import { expect, test } from '@jest/globals'
import { createProtobufScan, shardOf } from '../../../../src/accept/otlp/scan-protobuf.ts'
import { onlyShardOf } from '../../../../src/accept/otlp/scanned-body.ts'
import { addWhole, type Cargo, createSplitter, groupBytes } from '../../../../src/accept/otlp/split-protobuf.ts'
import { entry, join, scope, span } from '../../../builders/otlp-wire.ts'
import { bytesField, numberField, textField } from '../../../builders/protobuf-bytes.ts'
import { encodeTraces, text, type TraceMessage } from './otlp-messages.ts'
import { randomTraces, seeded, type Random } from './random-traces.ts'
import { createBench, rowsOf, type SpanRow, wantedTextCodes, wants } from './span-rows.ts'
import { writtenWildly } from './wild-protobuf.ts'

const BODIES = 10_000
const SHARDS = 3
const SEED = 99
const limits = { futureMaxMs: 600_000, spanAgeMaxMs: 3_600_000 }

const spoken = text('telemetry.sdk.language', 'go')

const emptyCargo = (bytes: number): Cargo => ({
  bytes: new Uint8Array(bytes),
  length: 0,
  order: new Uint32Array(4096),
  spans: 0
})

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const at = Math.floor(random() * bytes.length)
  if (random() < 0.3) return bytes.subarray(0, at)
  const mutant = Uint8Array.from(bytes)
  mutant[at] = Math.floor(random() * 256)
  return mutant
}

/** Traces that lie side by side in a scope, from senders that mostly say their language. */
function mixed(message: TraceMessage, random: Random): TraceMessage {
  return {
    resourceSpans: message.resourceSpans.map(({ resource, scopeSpans }) => ({
      resource: { attributes: [...(random() < 0.8 ? [spoken] : []), ...(resource?.attributes ?? [])] },
      scopeSpans: scopeSpans.map(({ spans, ...scope }) => ({
        ...scope,
        spans: spans.map((span) => ({
          ...span,
          traceId: Uint8Array.from(span.traceId ?? [], () => 1 + random() * 255)
        }))
      }))
    }))
  }
}

const bench = createBench(wants, limits)

/** What the decoder makes of a body: its rows, or undefined where it refuses any of it. */
function decoded(body: Uint8Array, nowMs: number): SpanRow[] | undefined {
  try {
    const { rejected } = bench.decoder.decodeProtobuf(body, nowMs)
    return rejected === 0 ? rowsOf(bench, wantedTextCodes) : undefined
  } catch {
    return undefined
  }
}

// Scenario: 10,000 bodies as generous writers and bad networks send them.
// Guarantees: what is plain to the scan, the decoder takes whole, and the parts for the shards decode to the same spans.
test(`of ${BODIES} random bodies each is refused by the decoder, left to it, or split without a difference`, () => {
  const random = seeded(20_261_126)
  const scan = createProtobufScan({ shards: SHARDS, seed: SEED, limits })
  const splitter = createSplitter(SHARDS)
  const tally = { plain: 0, leftToDecoder: 0, refused: 0, several: 0 }
  for (let i = 0; i < BODIES; i++) {
    const written = encodeTraces(mixed(randomTraces(random), random))
    const wild = random() < 0.7 ? writtenWildly(written, random) : Uint8Array.from(written)
    const body = random() < 0.3 ? damaged(wild, random) : wild
    // Some clocks make some spans too new or too old.
    const nowMs = random() < 0.8 ? NaN : 1_760_000_500_000 + random() * 4e6
    const rows = decoded(body, nowMs)
    if (!scan.isPlain(body, nowMs)) {
      tally[rows === undefined ? 'refused' : 'leftToDecoder'] += 1
      continue
    }
    tally.plain += 1
    if (rows?.length !== scan.found.spans) throw new Error(`body ${i}: plain, but the decoder refuses some of it`)
    const cargos = Array.from({ length: SHARDS }, (_, shard) =>
      emptyCargo((scan.found.shardBytes[shard] as number) + groupBytes(scan.found))
    )
    splitter.split(body, scan.found, cargos, 0)
    if (cargos.filter(({ spans }) => spans > 0).length > 1) tally.several += 1
    expect(inOrder(cargos)).toEqual(rows)
  }
  expect(tally.plain).toBeGreaterThan(2500)
  expect(tally.several).toBeGreaterThan(300)
  expect(tally.refused).toBeGreaterThan(1500)
  expect(tally.leftToDecoder).toBeLessThan(BODIES / 4)
})

/** The rows of all cargos, as their spans came. */
function inOrder(cargos: readonly Cargo[]): SpanRow[] {
  const rows: SpanRow[] = []
  for (const { bytes, length, order, spans } of cargos) {
    const own = decoded(bytes.subarray(0, length), NaN) ?? []
    expect(own).toHaveLength(spans)
    own.forEach((row, i) => {
      rows[order[i] as number] = row
    })
  }
  return rows
}

test('fields beside the spans go to every shard, before or after them as they were', () => {
  const ids = [1, 2, 3, 4, 5, 6, 7, 8]
  const spans = ids.map((id) => span('GET /', id))
  const unknown = numberField(99, 7)
  const body = bytesField(1, join([...bodyOf('shop', [...spans, unknown]), unknown]))
  const scan = createProtobufScan({ shards: 2, seed: 1, limits })
  expect(scan.isPlain(body, NaN)).toBe(true)
  const cargos = [emptyCargo(8192), emptyCargo(8192)] as const
  createSplitter(2).split(body, scan.found, cargos, 40)
  for (const { bytes, length, order, spans: count } of cargos) {
    const chosen = [...order.subarray(0, count)].map((number) => spans[number - 40] as Uint8Array)
    const expected = bytesField(1, join([...bodyOf('shop', [...chosen, unknown]), unknown]))
    expect(canonical(bytes.subarray(0, length))).toEqual(canonical(expected))
  }
})

const speaks = bytesField(
  1,
  bytesField(1, join([textField(1, 'telemetry.sdk.language'), bytesField(2, textField(1, 'go'))]))
)

function bodyOf(service: string, items: readonly Uint8Array[]): Uint8Array[] {
  const whole = entry(service, [speaks, scope('net/http', items)])
  // Without the tag and length of the ResourceSpans.
  return [whole.subarray(1 + lengthBytes(whole))]
}

const lengthBytes = (message: Uint8Array): number => message.subarray(1).findIndex((byte) => byte < 128) + 1

/** The decoder's view of it, and how many bytes of unknown fields it has. */
function canonical(bytes: Uint8Array): unknown {
  let unknowns = 0
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] === 0x98 && bytes[i + 1] === 0x06 && bytes[i + 2] === 7) unknowns += 1
  }
  return { rows: decoded(bytes, NaN), unknowns }
}

test('a body of one trace goes to its shard as it is', () => {
  const body = entry('shop', [scope('net/http', [span('a', 7), span('b', 7)])])
  const scan = createProtobufScan({ shards: 4, seed: 5, limits })
  expect(scan.isPlain(body, NaN)).toBe(true)
  expect(onlyShardOf(scan.found)).toBe(shardOf(0x07070707, 0x07070707, { shards: 4, seed: 5 }))
  const cargo = emptyCargo(4096)
  addWhole(cargo, body, scan.found.spans, 10)
  addWhole(cargo, body, scan.found.spans, 12)
  expect(cargo.bytes.subarray(0, cargo.length)).toEqual(join([body, body]))
  expect([...cargo.order.subarray(0, cargo.spans)]).toEqual([10, 11, 12, 13])
})

test('spans of a resource that does not say its language stay together', () => {
  const scan = createProtobufScan({ shards: 2, seed: 1, limits })
  const spans = [1, 2, 3, 4, 5, 6, 7, 8].map((id) => span('GET /', id))
  expect(scan.isPlain(entry('shop', [scope('net/http', spans)]), NaN)).toBe(false)
  expect(scan.isPlain(entry('shop', [speaks, scope('net/http', spans)]), NaN)).toBe(true)
  expect(scan.isPlain(entry('shop', [scope('net/http', spans.slice(0, 1))]), NaN)).toBe(true)
})

test('an empty body is plain and concerns nobody', () => {
  const scan = createProtobufScan({ shards: 4, seed: 5, limits })
  expect(scan.isPlain(new Uint8Array(0), NaN)).toBe(true)
  expect(scan.found.spans).toBe(0)
})

test('more groups than anybody writes are left to the decoder', () => {
  const scan = createProtobufScan({ shards: 2, seed: 5, limits })
  const one = entry('shop', [scope('', [span('a', 7)])])
  expect(scan.isPlain(join(Array.from({ length: 16_384 }, () => one)), NaN)).toBe(true)
  expect(scan.isPlain(join(Array.from({ length: 16_385 }, () => one)), NaN)).toBe(false)
})

test.each([2, 3, 8])('traces spread evenly over %i shards, also those of one moment or of a counter', (shards) => {
  const random = seeded(3)
  const chosen = { random: new Array<number>(shards).fill(0), counter: new Array<number>(shards).fill(0) }
  for (let i = 0; i < 8000; i++) {
    const anyWord = (): number => Math.floor(random() * 2 ** 32)
    const byRandom = shardOf(anyWord(), anyWord(), { shards, seed: 77 })
    const byCounter = shardOf(0, i, { shards, seed: 77 })
    chosen.random[byRandom] = (chosen.random[byRandom] ?? 0) + 1
    chosen.counter[byCounter] = (chosen.counter[byCounter] ?? 0) + 1
  }
  for (const counts of Object.values(chosen)) {
    expect(counts).toHaveLength(shards)
    for (const count of counts) expect(Math.abs(count / (8000 / shards) - 1)).toBeLessThan(0.12)
  }
})
