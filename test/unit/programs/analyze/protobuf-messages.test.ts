import { expect, test } from '@jest/globals'
import { createByteSource, type ByteSource } from '../../../../src/programs/analyze/byte-source.ts'
import {
  looksLikeMessage,
  readMessage,
  readPrefixedMessages,
  signalOf
} from '../../../../src/programs/analyze/protobuf-messages.ts'
import { wholeNumbers } from '../../../builders/whole-numbers.ts'
import { entry, gauge, join, logRecord, prefixed, resource, scope, span } from '../../../builders/otlp-wire.ts'
import { bytesField, fixed64Field, textField, varint } from '../../../builders/protobuf-bytes.ts'

function sourceOf(bytes: Uint8Array, chunkBytes = bytes.length): ByteSource {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes)
      yield await Promise.resolve(bytes.subarray(at, at + chunkBytes))
  }
  return createByteSource(chunks())
}

function collect(): { messages: string[]; offsets: number[]; take: (bytes: Uint8Array, offset: number) => void } {
  const messages: string[] = []
  const offsets: number[] = []
  return {
    messages,
    offsets,
    take(bytes, offset) {
      messages.push(Buffer.from(bytes).toString('latin1'))
      offsets.push(offset)
    }
  }
}
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

test('one message is handed on entry by entry, whatever the chunks', async () => {
  const entries = ['a', 'b', 'c'].map((service) => entry(service, [scope('lib', [span('s')])]))
  for (const chunkBytes of [1, 2, 3, 7, 64, 10_000]) {
    const found = collect()
    await readMessage(sourceOf(join(entries), chunkBytes), Infinity, found.take)
    expect(found.messages).toEqual(entries.map(text))
    expect(found.offsets).toEqual([0, entries[0]?.length, (entries[0]?.length ?? 0) * 2])
  }
})

test('an entry too large to hold is cut between its spans, under its own resource and scope', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const next = wholeNumbers(seed)
    const scopes = Array.from({ length: 1 + next(3) }, (_, s) => ({
      name: `lib${s}`,
      spans: Array.from({ length: next(20) }, (_, i) => span(`${s}.${i}`, 1 + next(200)))
    }))
    const whole = entry(
      'shop',
      scopes.map(({ name, spans }) => scope(name, spans))
    )
    const found = collect()
    await readMessage(sourceOf(whole, 1 + next(50)), Infinity, found.take, { partBytes: 150, uncutBytesMax: 1000 })
    const rebuilt = found.messages.flatMap((message) => spansOf(Buffer.from(message, 'latin1')))
    const expected = scopes.flatMap(({ name, spans }) =>
      spans.map((one) => text(join([resource('shop'), bytesField(1, textField(1, name)), one])))
    )
    expect({ seed, rebuilt }).toEqual({ seed, rebuilt: expected })
    for (const message of found.messages) expect(message.length).toBeLessThan(400)
  }
})

/** Resource, scope and span of each span, as they stand in the message. */
function spansOf(message: Uint8Array): string[] {
  const result: string[] = []
  for (const [, value] of fieldsOf(message)) {
    const [first, ...scopes] = fieldsOf(value)
    for (const [, scopeValue] of scopes) {
      const [name, ...items] = fieldsOf(scopeValue)
      for (const [item] of items) result.push(text(join([first?.[0], name?.[0], item] as Uint8Array[])))
    }
  }
  return result
}

/** Each field: all of it, and its value. */
function fieldsOf(bytes: Uint8Array): [Uint8Array, Uint8Array][] {
  const result: [Uint8Array, Uint8Array][] = []
  for (let at = 0; at < bytes.length;) {
    let size = 0
    let head = 1
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at + head++] as number
      size += (byte & 127) * 2 ** shift
      if (byte < 128) break
    }
    result.push([bytes.subarray(at, at + head + size), bytes.subarray(at + head, at + head + size)])
    at += head + size
  }
  return result
}

test('messages behind their length are read one by one', async () => {
  const messages = [entry('a', [scope('x', [span('s')])]), new Uint8Array(0), entry('b', [scope('x', [gauge('g')])])]
  for (const chunkBytes of [1, 5, 1000]) {
    const found = collect()
    await readPrefixedMessages(sourceOf(join(messages.map(prefixed)), chunkBytes), { take: found.take, problem: fail })
    expect(found.messages).toEqual([messages[0], messages[2]].map((m) => text(m as Uint8Array)))
  }
})

function fail(problem: unknown): never {
  throw new Error(JSON.stringify(problem))
}

test('a broken message behind its length costs that message alone', async () => {
  const good = entry('a', [scope('x', [span('s')])])
  const broken = Uint8Array.from([0x0a, 0x7f, 1, 2, 3])
  const found = collect()
  const problems: unknown[] = []
  const sink = { take: found.take, problem: (problem: unknown) => problems.push(problem) }
  await readPrefixedMessages(sourceOf(join([good, broken, good].map(prefixed))), sink)
  expect(found.messages).toEqual([text(good), text(good)])
  const at = good.length + 4
  expect(problems).toEqual([
    { where: `byte ${at}`, message: `the field at byte ${at + 4} is longer than what holds it` }
  ])
})

test('a message cut short is told of with the offset of the field that is cut', async () => {
  const good = entry('a', [scope('x', [span('s')])])
  const found = collect()
  const reading = readMessage(sourceOf(join([good, good.subarray(0, 20)])), Infinity, found.take)
  await expect(reading).rejects.toThrow(`the file ends inside the field at byte ${good.length}`)
  expect(found.messages).toEqual([text(good)])
})

test('a message and a length prefix are told apart by their first bytes', () => {
  const message = entry('a', [scope('x', [span('s')])])
  expect(looksLikeMessage(message)).toBe(true)
  expect(looksLikeMessage(prefixed(message))).toBe(false)
  // A prefix whose first byte is that of field 1: a message of 160 MiB and more.
  expect(looksLikeMessage(join([Uint8Array.from([0x0a, 0x00, 0x12, 0x34]), message]))).toBe(false)
})

test.each([
  ['a span', [span('s')], 'traces'],
  [
    'a span without times and kind',
    [bytesField(2, join([bytesField(1, new Uint8Array(16)), bytesField(2, new Uint8Array(8)), textField(5, 'x')]))],
    'traces'
  ],
  [
    'a span whose ids are too short',
    [bytesField(2, join([textField(1, 'x'), textField(5, 'name'), fixed64Field(7, 1n)]))],
    'traces'
  ],
  ['a gauge', [gauge('x')], 'metrics'],
  [
    'a sum whose name has 16 bytes and its description 8',
    [bytesField(2, join([textField(1, 'a'.repeat(16)), textField(2, 'b'.repeat(8)), textField(7, 'x')]))],
    'metrics'
  ],
  ['a log record', [logRecord()], 'logs'],
  ['nothing', [], undefined]
])('%s is known by its shape', (_, items, signal) => {
  expect(signalOf(entry('a', [scope('x', items)]))).toBe(signal)
  expect(signalOf(entry('a', [scope('x', []), scope('y', items)]))).toBe(signal)
})

test('random bytes never make the reader hang or throw anything but BAD_FILE', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = wholeNumbers(seed)
    const bytes = join([entry('a', [scope('x', [span('s')])]), Uint8Array.from(varint(next(1000)))])
    for (let i = 0; i < 5; i++) bytes[next(bytes.length)] = next(256)
    const outcome = await readMessage(sourceOf(bytes, 16), Infinity, (message) => signalOf(message)).then(
      () => 'BAD_FILE',
      (reason: unknown) => (reason as { code: string }).code
    )
    expect({ seed, outcome }).toEqual({ seed, outcome: 'BAD_FILE' })
  }
})
