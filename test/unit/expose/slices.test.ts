import { afterEach, expect, test } from '@jest/globals'
import { Band } from '../../../src/model/requests.ts'
import { DURATION_BUCKETS } from '../../../src/model/tail.ts'
import { sliceStream, type Turn } from '../../../src/expose/slice-stream.ts'
import { draftTables } from '../../builders/tail-tables.ts'
import { OPENMETRICS, PROTOBUF, testExposer, type TestExposer } from './exposer.ts'
import { parseExposition } from './parse-exposition.ts'

let open: TestExposer | undefined
afterEach(() => open?.exposer.app.close())

const OPERATIONS = 300

function manyOperations(turn: Turn): TestExposer {
  const draft = draftTables(OPERATIONS + 1)
  for (let i = 0; i < OPERATIONS; i++) draft.addOperation('shop', `operation number ${i}`)
  return (open = testExposer({ draft, turn }))
}

test.each(['text/plain', OPENMETRICS, PROTOBUF])(
  'a long exposition is made in slices of about 128 KiB, each in a turn of its own (%s)',
  async (accept) => {
    let turns = 0
    const { exposer } = manyOperations((next) => {
      turns += 1
      setImmediate(next)
    })
    const { rawPayload } = await exposer.app.inject({ url: '/metrics', headers: { accept } })
    expect(rawPayload.length).toBeGreaterThan(1e6)
    expect(turns).toBeGreaterThanOrEqual(Math.floor(rawPayload.length / (192 * 1024)))
    expect(turns).toBeLessThan(rawPayload.length / (64 * 1024) + 10)
  }
)

test('what is counted between two slices never tears a histogram', async () => {
  let turns = 0
  const { exposer, draft } = manyOperations((next) => {
    turns += 1
    for (let row = 1; row <= OPERATIONS; row++) draft.addRequest(row, { durationNs: 5_000_000, band: Band.leP50 })
    setImmediate(next)
  })
  const { payload } = await exposer.app.inject({ url: '/metrics' })
  expect(turns).toBeGreaterThan(5)
  const buckets = new Map<string, number[]>()
  const counts = new Map<string, number>()
  for (const { name, labels, value } of parseExposition(payload)) {
    const operation = labels['operation'] ?? ''
    if (name === 'tail_request_duration_seconds_bucket') {
      buckets.set(operation, [...(buckets.get(operation) ?? []), Number(value)])
    }
    if (name === 'tail_request_duration_seconds_count') counts.set(operation, Number(value))
  }
  expect(new Set(counts.values()).size).toBeGreaterThan(1)
  for (const [operation, values] of buckets) {
    expect(values).toHaveLength(DURATION_BUCKETS)
    expect(values).toEqual([...values].sort((a, b) => a - b))
    expect(values.at(-1)).toBe(counts.get(operation))
  }
})

test('nothing is made for a reader that does not read', async () => {
  let made = 0
  function* endless(): Generator<readonly Uint8Array[], void, undefined> {
    for (;;) {
      made += 1
      yield [new Uint8Array(128 * 1024)]
    }
  }
  const stream = sliceStream(endless(), (next) => setImmediate(next))
  stream.read(0)
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  expect(made).toBeLessThanOrEqual(2)
  stream.destroy()
})

test('a slice without bytes does not stop the stream, and a fault in one ends it with an error', async () => {
  function* slices(): Generator<readonly Uint8Array[], void, undefined> {
    yield []
    yield []
    yield [Buffer.from('a'), Buffer.from('b')]
    throw new Error('broken')
  }
  const stream = sliceStream(slices(), (next) => setImmediate(next))
  let text = ''
  await expect(
    (async () => {
      for await (const chunk of stream) text += String(chunk)
    })()
  ).rejects.toThrow('broken')
  expect(text).toBe('ab')
})
