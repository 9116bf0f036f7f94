import { afterEach, expect, test } from '@jest/globals'
import { Delivery } from '../../../src/model/forwarding.ts'
import { createDestinations, type Destinations } from '../../../src/forward/index.ts'
import { forwardSection, forwardSettings } from '../../../src/forward/settings.ts'
import { type Backend, grpcBackend, type GrpcReply, httpBackend, type HttpReply } from '../../builders/otlp-backends.ts'
import { bytesField, numberField, textField } from '../../builders/protobuf-bytes.ts'

const open: { close: () => unknown }[] = []
afterEach(async () => {
  for (const { close } of open.splice(0)) await close()
})

interface Rig {
  readonly destinations: Destinations
  readonly clock: { nowMs: number }
  readonly logged: string[]
  /** Gives a chunk of so many spans whose body begins with the number. */
  readonly give: (body: string, spans?: number) => void
  /** Lets time pass and turns go by until the condition holds. */
  readonly until: (holds: () => boolean) => Promise<void>
  readonly spans: (destination?: number) => Partial<Record<keyof typeof Delivery, number>>
}

function rig(...entries: object[]): Rig {
  const parsed = forwardSection.parse({ destinations: entries.map((entry, i) => ({ name: `d${i}`, ...entry })) })
  const clock = { nowMs: 1_000_000 }
  const logged: string[] = []
  const reused = { bytes: 0 }
  const log = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`)
  const destinations = createDestinations(forwardSettings(parsed).destinations, {
    nowMs: () => clock.nowMs,
    random: () => 0.5,
    delivered: ({ byteLength }) => void (reused.bytes += byteLength),
    log: { warn: log, info: log }
  })
  open.push({ close: () => destinations.close(0) })
  return {
    destinations,
    clock,
    logged,
    give(body, spans = 1) {
      destinations.offer('all', { bytes: Buffer.from(body), spans })
    },
    async until(holds) {
      const untilMs = performance.now() + 10_000
      while (!holds() && performance.now() < untilMs) {
        destinations.tick()
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(holds()).toBe(true)
    },
    spans(destination = 0) {
      const cells = destinations.states()[destination]?.spans ?? []
      return Object.fromEntries(
        Object.entries(Delivery).flatMap(([name, i]) => ((cells[i] ?? 0) > 0 ? [[name, cells[i]]] : []))
      )
    }
  }
}

async function http(...replies: HttpReply[]): Promise<Backend> {
  const backend = await httpBackend(replies.length === 0 ? undefined : replies)
  open.push(backend)
  return backend
}

async function grpc(...replies: GrpcReply[]): Promise<Backend> {
  const backend = await grpcBackend(replies.length === 0 ? undefined : replies)
  open.push(backend)
  return backend
}

const bodies = ({ received }: Backend): string[] => received.map(({ body }) => body.toString())

test.each(['none', 'gzip'])('over HTTP with %s: path, type, headers, and the very bytes', async (compression) => {
  const backend = await http()
  const one = rig({ endpoint: backend.endpoint, compression, headers: { 'x-tenant': 'shop' } })
  one.give('abc', 3)
  await one.until(() => one.spans().sent === 3)
  expect(bodies(backend)).toEqual(['abc'])
  expect(backend.received[0]?.headers).toMatchObject({
    ':path': '/v1/traces',
    'content-type': 'application/x-protobuf',
    'x-tenant': 'shop',
    ...(compression === 'gzip' && { 'content-encoding': 'gzip' })
  })
})

test('a path of the endpoint’s own is kept', async () => {
  const backend = await http()
  const one = rig({ endpoint: `${backend.endpoint}/api/otlp?key=1` })
  one.give('abc')
  await one.until(() => one.spans().sent === 1)
  expect(backend.received[0]?.headers[':path']).toBe('/api/otlp?key=1')
})

test.each(['none', 'gzip'])('over gRPC with %s: one connection, headers, and the very bytes', async (compression) => {
  const backend = await grpc()
  const one = rig({ endpoint: backend.endpoint, protocol: 'grpc', compression, headers: { 'x-tenant': 'shop' } })
  one.give('abc')
  one.give('def')
  one.give('ghi')
  await one.until(() => one.spans().sent === 3)
  // Two streams of one connection are nobody's order.
  expect(bodies(backend).sort()).toEqual(['abc', 'def', 'ghi'])
  expect(backend.received[0]?.headers).toMatchObject({ 'x-tenant': 'shop' })
})

const retryInfo = (seconds: number, nanos = 0): Buffer => {
  const delay = bytesField(1, Buffer.concat([numberField(1, seconds), numberField(2, nanos)]))
  const any = Buffer.concat([textField(1, 'type.googleapis.com/google.rpc.RetryInfo'), bytesField(2, delay)])
  return Buffer.concat([numberField(1, 14), textField(2, 'busy'), bytesField(3, any)])
}

test.each([400, 401, 403, 404, 405, 408, 413, 415, 422, 500, 501, 505, 301])('HTTP %i is for good', async (status) => {
  const backend = await http({ status })
  const one = rig({ endpoint: backend.endpoint })
  one.give('abc', 2)
  await one.until(() => one.spans().refused === 2)
  expect(backend.received).toHaveLength(1)
  expect(one.logged[0]).toContain(`HTTP ${status}`)
})

test.each([429, 502, 503, 504])('HTTP %i is tried again after a pause', async (status) => {
  const backend = await http({ status }, { status: 200 })
  const one = rig({ endpoint: backend.endpoint, retry: { initial: '1s' } })
  one.give('abc')
  await backend.until(1)
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  one.clock.nowMs += 999
  one.destinations.tick()
  expect(one.destinations.states()[0]?.queueBytes).toBe(3)
  one.clock.nowMs += 1
  await one.until(() => one.spans().sent === 1)
  expect(bodies(backend)).toEqual(['abc', 'abc'])
})

test.each([
  ['30', 30_000],
  ['Thu, 01 Jan 1970 00:17:00 GMT', 20_000]
])('Retry-After: %s holds', async (retryAfter, ms) => {
  const backend = await http({ status: 503, headers: { 'retry-after': retryAfter } }, { status: 200 })
  const one = rig({ endpoint: backend.endpoint })
  one.give('abc')
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  one.clock.nowMs += ms - 1
  one.destinations.tick()
  expect(backend.received).toHaveLength(1)
  one.clock.nowMs += 1
  await one.until(() => one.spans().sent === 1)
})

test.each([1, 4, 10, 11, 14, 15])('gRPC status %i is tried again', async (code) => {
  const backend = await grpc({ code }, { code: 0 })
  const one = rig({ endpoint: backend.endpoint, protocol: 'grpc' })
  one.give('abc')
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  one.clock.nowMs += 1_000
  await one.until(() => one.spans().sent === 1)
})

test.each([2, 3, 5, 6, 7, 8, 9, 12, 13, 16])('gRPC status %i is for good', async (code) => {
  const backend = await grpc({ code, message: 'no: 5 %' })
  const one = rig({ endpoint: backend.endpoint, protocol: 'grpc' })
  one.give('abc')
  await one.until(() => one.spans().refused === 1)
  expect(one.logged[0]).toContain(`gRPC status ${code}: no: 5 %`)
})

test.each([8, 14])('gRPC status %i with RetryInfo is tried again when it says', async (code) => {
  const backend = await grpc({ code, details: retryInfo(7, 500_000_000) }, { code: 0 })
  const one = rig({ endpoint: backend.endpoint, protocol: 'grpc' })
  one.give('abc')
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  one.clock.nowMs += 7_499
  one.destinations.tick()
  expect(backend.received).toHaveLength(1)
  one.clock.nowMs += 1
  await one.until(() => one.spans().sent === 1)
})

test.each([
  ['http', (body: Buffer) => http({ status: 200, body })],
  ['grpc', (body: Buffer) => grpc({ code: 0, body })]
])('a partial success over %s is counted and not sent again', async (protocol, backendWith) => {
  const backend = await backendWith(bytesField(1, Buffer.concat([numberField(1, 2), textField(2, 'too old')])))
  const one = rig({ endpoint: backend.endpoint, protocol })
  one.give('abc', 5)
  await one.until(() => one.spans().sent === 3)
  expect(one.spans()).toEqual({ sent: 3, rejected: 2 })
  expect(one.logged[0]).toContain('too old')
})

test('a connection that breaks, an answer that never comes and nobody there are tried again', async () => {
  const backend = await http({ status: 0, cut: true }, { status: 0, silent: true }, { status: 200 })
  const one = rig({ endpoint: backend.endpoint, timeout: '100ms' })
  one.give('abc')
  for (let i = 1; i <= 2; i++) {
    await one.until(() => one.destinations.states()[0]?.requests[1] === i)
    one.clock.nowMs += 10_000
  }
  await one.until(() => one.spans().sent === 1)
  await backend.close()
  open.splice(open.indexOf(backend), 1)
  one.give('def')
  await one.until(() => one.destinations.states()[0]?.requests[1] === 3)
  expect(one.destinations.states()[0]).toMatchObject({ healthy: false, queueBytes: 3 })
})

test('gRPC: of a server that goes away nothing is lost', async () => {
  const backend = await grpc()
  const one = rig({ endpoint: backend.endpoint, protocol: 'grpc' })
  one.give('abc')
  await one.until(() => one.spans().sent === 1)
  await backend.close()
  one.give('def')
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  expect(one.spans()).toEqual({ sent: 1 })
  expect(one.destinations.states()[0]?.queueBytes).toBe(3)
})

test('pauses double up to their limit, and what cannot be delivered for long is given up', async () => {
  const backend = await http({ status: 503 })
  const one = rig({ endpoint: backend.endpoint, retry: { initial: '1s', max: '4s', give_up_after: '10s' } })
  one.give('abc', 4)
  const pauses: number[] = []
  for (let tries = 1; one.spans().gaveUp === undefined; tries++) {
    await one.until(() => one.destinations.states()[0]?.requests[1] === tries)
    let waited = 0
    while (one.spans().gaveUp === undefined && backend.received.length === tries) {
      one.clock.nowMs += 500
      waited += 500
      one.destinations.tick()
      if (waited % 1_000 === 0)
        for (let turn = 0; turn < 200 && backend.received.length === tries; turn++)
          await new Promise((resolve) => setImmediate(resolve))
      if (waited > 60_000) break
    }
    pauses.push(waited)
  }
  expect(pauses.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 4_000])
  expect(one.spans()).toEqual({ gaveUp: 4 })
  expect(one.destinations.states()[0]?.queueBytes).toBe(0)
})

test('a dead destination fills its own queue, drops by its policy, and slows nobody', async () => {
  const healthy = await http()
  const dead = 'http://127.0.0.1:1'
  const one = rig(
    { endpoint: dead, queue_bytes_max: '10B', on_full: 'drop_newest' },
    { endpoint: dead, queue_bytes_max: '10B', on_full: 'drop_oldest' },
    { endpoint: healthy.endpoint }
  )
  await one.until(() => one.destinations.states().length === 3)
  one.give('0000')
  await one.until(() =>
    one.destinations
      .states()
      .slice(0, 2)
      .every(({ healthy: well }) => !well)
  )
  for (let i = 1; i <= 9; i++) one.give(`${i}${i}${i}${i}`)
  await one.until(() => one.spans(2).sent === 10)
  expect(one.spans(0)).toEqual({ queueFull: 8 })
  expect(one.spans(1)).toEqual({ queueFull: 8 })
  expect(one.destinations.states().map(({ queueBytes }) => queueBytes)).toEqual([8, 8, 0])
  expect(bodies(healthy).toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => String(i).repeat(4)))
})

test('closing waits for what is under way, then drops the rest and says so', async () => {
  const slow = await http({ status: 503 })
  const one = rig({ endpoint: slow.endpoint })
  one.give('abc', 3)
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  await one.destinations.close(50)
  expect(one.spans()).toEqual({ shutdown: 3 })
  one.give('def', 2)
  expect(one.spans()).toEqual({ shutdown: 5 })
})
