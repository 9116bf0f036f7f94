import { afterEach, expect, test } from '@jest/globals'
import { createKeptQueue } from '../../../src/forward/destinations/kept-queue.ts'
import { type Waiting } from '../../../src/forward/destinations/parcel-queue.ts'
import { createDestinations, type Destinations } from '../../../src/forward/index.ts'
import { forwardSection, forwardSettings } from '../../../src/forward/settings.ts'
import { Delivery } from '../../../src/model/forwarding.ts'
import { createDisk, type DiskModel } from '../../builders/disk-model.ts'
import { type Backend, httpBackend, type HttpReply } from '../../builders/otlp-backends.ts'
import { createRandom } from '../../builders/random.ts'

const open: { close: () => unknown }[] = []
afterEach(async () => {
  for (const { close } of open.splice(0)) await close()
})

interface Life {
  readonly destinations: Destinations
  readonly clock: { nowMs: number }
  readonly logged: string[]
  readonly give: (...bodies: string[]) => void
  readonly until: (holds: () => boolean) => Promise<void>
  readonly spans: () => Partial<Record<keyof typeof Delivery, number>>
  readonly counter: (name: string) => number | undefined
}

/** A process with one destination, whose queue is on this disk. Each body is a request of one span. */
async function live(disk: DiskModel, endpoint: string, entry: object = {}, left: string[] = []): Promise<Life> {
  const parsed = forwardSection.parse({ destinations: [{ name: 'd', endpoint, ...entry }] })
  const clock = { nowMs: 1_000_000 }
  const logged: string[] = []
  const log = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`)
  const destinations = createDestinations(forwardSettings(parsed).destinations, {
    nowMs: () => clock.nowMs,
    random: () => 0.5,
    delivered: () => undefined,
    log: { warn: log, info: log },
    queues: {
      syncEveryMs: 0,
      waitingBytesMax: 1e6,
      folders: { open: () => Promise.resolve(disk.folder), besides: () => Promise.resolve(left) }
    }
  })
  open.push({ close: () => destinations.close(0) })
  await destinations.open()
  return {
    destinations,
    clock,
    logged,
    give(...bodies) {
      for (const body of bodies) destinations.offer('all', { bytes: Buffer.from(body), spans: 1 })
    },
    async until(holds) {
      const untilMs = performance.now() + 10_000
      while (!holds() && performance.now() < untilMs) {
        destinations.tick()
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(holds()).toBe(true)
    },
    spans() {
      const cells = destinations.states()[0]?.spans ?? []
      return Object.fromEntries(
        Object.entries(Delivery).flatMap(([name, i]) => ((cells[i] ?? 0) > 0 ? [[name, cells[i]]] : []))
      )
    },
    counter: (name) => destinations.counters.samples().find((sample) => sample.name === name)?.value
  }
}

async function backend(...replies: HttpReply[]): Promise<Backend> {
  const one = await httpBackend(replies.length === 0 ? undefined : replies)
  open.push(one)
  return one
}

const bodies = ({ received }: Backend): string[] => received.map(({ body }) => body.toString())
const DEAD = 'http://127.0.0.1:1'
const letters = 'a b c d e f g h i j'.split(' ')

test('what waited when the process was killed is sent by the next one, in order', async () => {
  const disk = createDisk()
  const before = await live(disk, DEAD)
  before.give(...letters)
  await before.destinations.kept()
  const there = await backend()
  const after = await live(disk.killed(), there.endpoint, { concurrency: 1 })
  expect(after.counter('tail_forward_queue_found_spans_total')).toBe(10)
  await after.until(() => after.spans().sent === 10)
  expect(bodies(there)).toEqual(letters)
  expect(after.destinations.states()[0]?.queueBytes).toBe(0)
})

test('closing keeps what is not delivered, and nothing that is', async () => {
  const disk = createDisk()
  const there = await backend({ status: 200 }, { status: 200 }, { status: 503 })
  const before = await live(disk, there.endpoint, { concurrency: 1 })
  before.give(...letters)
  await before.until(() => there.received.length === 3 && !before.destinations.states()[0]?.healthy)
  await before.destinations.close(0)
  expect(before.spans()).toEqual({ sent: 2 })
  const well = await backend()
  const after = await live(disk.killed(), well.endpoint, { concurrency: 1 })
  await after.until(() => after.spans().sent === 8)
  expect(bodies(well)).toEqual(letters.slice(2))
})

test('what was under way when the queue closed, and comes back before it is closed, is not taken for delivered', async () => {
  const disk = createDisk()
  const queueOn = async ({ folder }: DiskModel) => {
    const ignore = (): void => undefined
    const queue = createKeptQueue(
      { name: 'd', queueBytesMax: 1e6, onFull: 'drop_newest', concurrency: 1 },
      {
        openFolder: () => Promise.resolve(folder),
        syncEveryMs: 0,
        waitingBytesMax: 1e6,
        nowMs: () => 0,
        dropped: ignore,
        ready: ignore,
        delivered: ignore,
        happened: ignore,
        log: { warn: ignore, info: ignore }
      }
    )
    await queue.open()
    return queue
  }
  const before = await queueOn(disk)
  before.add({ bytes: Buffer.from('a'), spans: 1, readers: 1 })
  let underWay: Waiting | undefined
  while ((underWay = before.next()) === undefined) await new Promise((resolve) => setImmediate(resolve))
  const closed = before.close()
  before.putBack(underWay)
  await closed
  const after = await queueOn(disk.killed())
  expect(after.bytes()).toBe(1)
  await after.close()
})

test('with several under way, what is delivered before an older one may come again; the older one does', async () => {
  const disk = createDisk()
  const there = await backend({ status: 200, silent: true }, { status: 200 })
  const before = await live(disk, there.endpoint, { concurrency: 2, timeout: '1m' })
  before.give(...letters)
  await before.until(() => before.spans().sent === 9)
  before.clock.nowMs += 1_000
  before.destinations.tick()
  await before.destinations.kept()
  const [stuck] = bodies(there)
  const well = await backend()
  const after = await live(disk.killed(), well.endpoint, { concurrency: 1 })
  await after.until(() => after.destinations.states()[0]?.queueBytes === 0)
  expect(bodies(well)).toContain(stuck)
  expect(bodies(well)).toEqual(letters.slice(letters.indexOf(stuck ?? '')))
})

test.each([
  ['drop_newest', 'abcd'],
  ['drop_oldest', 'ghij']
])('a full queue drops by its policy: %s leaves %s', async (onFull, left) => {
  const disk = createDisk()
  const there = await backend({ status: 503 })
  const before = await live(disk, there.endpoint, { on_full: onFull, queue_bytes_max: '4B', concurrency: 1 })
  before.give('a')
  await before.until(() => before.destinations.states()[0]?.healthy === false)
  for (const letter of letters.slice(1)) {
    before.give(letter)
    await before.destinations.kept()
  }
  expect(before.spans()).toEqual({ queueFull: 6 })
  expect(before.destinations.states()[0]?.queueBytes).toBe(4)
  before.clock.nowMs += 100
  await before.destinations.close(0)
  const well = await backend()
  const after = await live(disk.killed(), well.endpoint, { concurrency: 1 })
  await after.until(() => after.destinations.states()[0]?.queueBytes === 0)
  expect(bodies(well).join('')).toBe(left)
})

test('a full disk lets spans wait in memory, visibly, and they are delivered', async () => {
  const disk = createDisk()
  const there = await backend({ status: 503 }, { status: 200 })
  const one = await live(disk, there.endpoint, { concurrency: 1 })
  disk.trouble((operation) => {
    if (operation === 'write' || operation === 'create') throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    return undefined
  })
  one.give(...letters)
  await one.destinations.kept()
  expect(one.destinations.states()[0]?.disk?.degraded).toBe(true)
  expect(one.counter('tail_forward_queue_unkept_total')).toBe(10)
  expect(one.counter('tail_forward_queue_failures_total')).toBe(1)
  expect(one.logged.join()).toContain('waits in memory only')
  await one.until(() => one.destinations.states()[0]?.healthy === false)
  one.clock.nowMs += 60_000
  await one.until(() => one.spans().sent === 10)
  expect([...new Set(bodies(there))].sort()).toEqual(letters)
})

test('a damaged request is lost and counted, the others are sent, and the file is put aside', async () => {
  const disk = createDisk()
  const before = await live(disk, DEAD)
  before.give('first', 'DAMAGED', 'third')
  await before.destinations.kept()
  const found = disk.killed()
  const [name = ''] = found.names()
  found.damage(name, (bytes) => {
    bytes.write('X', bytes.indexOf('DAMAGED'))
    return bytes
  })
  const there = await backend()
  const after = await live(found, there.endpoint, { concurrency: 1 })
  expect(after.counter('tail_forward_queue_damaged_bytes_total')).toBeGreaterThan(0)
  await after.until(() => after.destinations.states()[0]?.queueBytes === 0)
  await after.destinations.close(0)
  expect(bodies(there)).toEqual(['first', 'third'])
  expect(found.names()).toContain(`${name}.corrupt`)
})

test('what the disk does not give back while it runs is counted as lost, and nobody waits for it', async () => {
  const disk = createDisk()
  const before = await live(disk, DEAD)
  before.give(...letters)
  await before.destinations.kept()
  const found = disk.killed()
  const there = await backend()
  const after = await live(found, there.endpoint)
  // They were found, and are not read yet.
  found.trouble((operation) => {
    if (operation === 'open') throw Object.assign(new Error('broken'), { code: 'EIO' })
    return undefined
  })
  after.destinations.tick()
  after.give('k')
  await after.until(() => after.spans().lost === 11)
  expect(after.destinations.states()[0]?.queueBytes).toBe(0)
})

test('queues of destinations that are not in the settings are named and counted', async () => {
  const one = await live(createDisk(), DEAD, {}, ['old', 'older'])
  expect(one.counter('tail_forward_left_queues_total')).toBe(2)
  expect(one.logged.join()).toContain('["old","older"]')
})

test('whenever the power goes, all that was kept and not delivered is sent, and little that was', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const random = createRandom(seed)
    const disk = createDisk()
    const there = await backend()
    const before = await live(disk, there.endpoint, { concurrency: 4, queue_bytes_max: '1MiB' })
    const kept: string[] = []
    for (let i = 0; i < 40; i++) {
      before.give(`${i}`)
      if (random() < 0.3) {
        await before.destinations.kept()
        kept.splice(0, kept.length, ...Array.from({ length: i + 1 }, (_, j) => `${j}`))
      }
      before.clock.nowMs += random() * 100
      before.destinations.tick()
    }
    const delivered = new Set(bodies(there))
    const well = await backend()
    const after = await live(disk.powerCut(random), well.endpoint)
    await after.until(() => after.destinations.states()[0]?.queueBytes === 0)
    const again = bodies(well)
    expect(kept.filter((body) => !delivered.has(body) && !again.includes(body))).toEqual([])
    expect(new Set(again).size).toBe(again.length)
    for (const { close } of open.splice(0)) await close()
  }
})
