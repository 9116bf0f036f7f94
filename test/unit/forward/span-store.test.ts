import { expect, test } from '@jest/globals'
import { createArrivals } from '../../../src/forward/arrivals.ts'
import { createChunkBuffers } from '../../../src/forward/chunk-buffers.ts'
import { createEnvelopes } from '../../../src/forward/envelopes.ts'
import { createOutbox } from '../../../src/forward/outbox.ts'
import { createSpanStore, type SpanStore } from '../../../src/forward/span-store.ts'
import { bytesField, numberField, textField } from '../../builders/protobuf-bytes.ts'
import { type Random, seeded } from '../accept/otlp/random-traces.ts'
import { readOutgoing } from './outgoing.ts'

const PAGE_BYTES = 262_144

/** A span that was put, and what is known of it. */
interface Held {
  readonly handle: number
  readonly id: readonly [number, number]
  readonly bytes: Buffer
  readonly envelope: string
}

interface Rig {
  readonly store: SpanStore
  readonly evicted: Set<number>
  readonly put: (request: Buffer) => Held[]
  /** A request of these spans, each with what is added to it. */
  readonly send: (spans: readonly Held[], addedTo: (span: Held) => Buffer) => Buffer
}

function rig(bytesMax = 64 * 1024 ** 2): Rig {
  const envelopes = createEnvelopes()
  const evicted = new Set<number>()
  const store = createSpanStore({
    bytesMax,
    envelopes,
    evict(handles) {
      for (const handle of handles) {
        evicted.add(handle)
        store.release(handle)
      }
    }
  })
  const outbox = createOutbox({ store, envelopes, buffers: createChunkBuffers(1024 ** 2) })
  const arrivals = createArrivals(envelopes)
  let ids = 0
  return {
    store,
    evicted,
    put(request) {
      const read = readOutgoing(request)
      const columns = { ids: new Uint32Array(2 * read.length), handles: new Uint32Array(read.length) }
      for (let i = 0; i < columns.ids.length; i++) columns.ids[i] = ids += 1
      let row = 0
      arrivals.walk(request, (spans) => {
        store.put(spans, 0, spans.count, { ...columns, row })
        row += spans.count
      })
      return read.map(({ bytes, envelope }, i) => {
        const [high = 0, low = 0] = columns.ids.subarray(2 * i)
        return { handle: columns.handles[i] as number, id: [high, low], bytes, envelope }
      })
    },
    send(spans, addedTo) {
      const pieces: Buffer[] = []
      let at = 0
      for (const span of spans) {
        const piece = addedTo(span)
        store.look(span.handle)
        store.handOn(span.handle, 1)
        outbox.add(span.handle, at, at + piece.length)
        at += piece.length
        pieces.push(piece)
      }
      const { bytes, spans: sent } = outbox.flush(Buffer.concat(pieces))
      expect(sent).toBe(spans.length)
      return bytes
    }
  }
}

/** A field whose length takes more bytes than it needs, as protobuf allows. */
function longHead(content: Buffer): Buffer {
  const head = [0x12, (content.length & 0x7f) | 0x80, ((content.length >>> 7) & 0x7f) | 0x80, content.length >>> 14]
  return Buffer.concat([Buffer.from(head), content])
}

function randomRequest(random: Random): Buffer {
  const upTo = (n: number): number => Math.floor(random() * n)
  const span = (): Buffer => {
    const length = random() < 0.01 ? PAGE_BYTES + upTo(1_000) : upTo(random() < 0.5 ? 40 : 400)
    const content = Buffer.concat([textField(5, 'x'.repeat(length)), numberField(6, upTo(4))])
    return random() < 0.1 && content.length < 2 ** 20 ? longHead(content) : bytesField(2, content)
  }
  const unknown = (): Buffer => (random() < 0.1 ? numberField(99, upTo(100)) : Buffer.alloc(0))
  const scope = (i: number): Buffer => {
    const spans = Array.from({ length: upTo(300) }, () => Buffer.concat([span(), unknown()]))
    return bytesField(2, Buffer.concat([bytesField(1, textField(1, `scope ${i}`)), ...spans]))
  }
  return Buffer.concat(Array.from({ length: 1 + upTo(3) }, (_, i) => bytesField(1, scope(i))))
}

const told = (spans: readonly { readonly bytes: Buffer; readonly envelope: string }[]): string[] =>
  spans.map(({ bytes, envelope }) => `${envelope} ${bytes.toString('hex')}`).sort()

test('spans go on with the bytes that they came with, in any order, whatever lay between them', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seeded(seed)
    const { put, send, store } = rig()
    const held = Array.from({ length: 4 }, () => put(randomRequest(random))).flat()
    const [gone, others] = [held.filter((_, i) => i % 7 === 3), held.filter((_, i) => i % 7 !== 3)]
    for (const { handle } of gone) store.release(handle)
    const inOrder = others.slice(0, others.length / 2)
    const mixed = others.slice(others.length / 2).sort(() => random() - 0.5)
    const additions = new Map(
      others.map((one) => [one, random() < 0.3 ? textField(3, 'y'.repeat(random() * 200)) : ''])
    )
    const addedTo = (one: Held): Buffer => Buffer.from(additions.get(one) ?? '')
    const went = [inOrder, mixed].flatMap((spans) => readOutgoing(send(spans, addedTo)))
    const expected = others.map((one) => ({ ...one, bytes: Buffer.concat([one.bytes, addedTo(one)]) }))
    expect({ seed, spans: told(went) }).toEqual({ seed, spans: told(expected) })
    expect(store.spans()).toBe(0)
  }
})

test('a handle and an id find their span and no other, until it is gone or its page gave way', () => {
  const { put, store, evicted } = rig(8 * PAGE_BYTES)
  const random = seeded(7)
  for (let i = 0; i < 40; i++) {
    const held = put(randomRequest(random))
    const { found } = store
    let wrong = 0
    for (const { handle, id, bytes } of held) {
      const [high, low] = id
      if (handle === 0 || !store.find(handle, high, low)) continue
      if (!found.bytes.subarray(found.at, found.at + found.length).equals(bytes)) wrong += 1
      if (store.find(handle, high, low + 1)) wrong += 1
      if (random() < 0.8) continue
      store.release(handle)
      if (store.find(handle, high, low)) wrong += 1
    }
    expect(wrong).toBe(0)
    expect(store.bytes()).toBeLessThanOrEqual(9 * PAGE_BYTES)
  }
  expect(evicted.size).toBeGreaterThan(1_000)
})
