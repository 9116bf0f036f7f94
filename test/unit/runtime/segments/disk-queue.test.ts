import { expect, test } from '@jest/globals'
import { type DiskQueue, openDiskQueue } from '../../../../src/runtime/segments/index.ts'
import { createDisk, type DiskModel } from '../../../builders/disk-model.ts'
import { createRandom } from '../../../builders/random.ts'

function openOn({ folder }: DiskModel, bytesMax = 1e6): Promise<DiskQueue> {
  const silent = (): void => undefined
  return openDiskQueue({
    folder,
    segmentBytes: 2_000,
    bytesMax,
    waitingBytesMax: 1e5,
    syncEveryMs: 0,
    nowMs: () => 1000,
    failed: silent,
    recovered: silent
  })
}

async function takeAll(queue: DiskQueue): Promise<string[]> {
  const taken: string[] = []
  for (let item = await queue.take(); item !== undefined; item = await queue.take()) taken.push(item.bytes.toString())
  return taken
}

test('items are given in order, also while others are appended', async () => {
  const queue = await openOn(createDisk())
  expect(await queue.take()).toBeUndefined()
  await queue.append(Buffer.from('a'), 7)
  expect((await queue.take())?.bytes.toString()).toBe('a')
  expect(await queue.take()).toBeUndefined()
  for (let i = 0; i < 30; i++) await queue.append(Buffer.from(`${i}:${'x'.repeat(500)}`), i)
  expect((await takeAll(queue)).map((text) => Number(text.split(':')[0]))).toEqual(
    Array.from({ length: 30 }, (_, i) => i)
  )
  await queue.close()
})

test('after a restart what was not delivered is given again, and nothing that was', async () => {
  const disk = createDisk()
  const before = await openOn(disk)
  for (const text of ['a', 'b', 'c']) await before.append(Buffer.from(text), 1)
  const first = await before.take()
  await before.ack(first?.position ?? 0)
  await before.take()
  await before.close()
  const after = await openOn(disk)
  expect(await takeAll(after)).toEqual(['b', 'c'])
  await after.close()
})

test('delivered items give their room back; a full queue keeps nothing more', async () => {
  const disk = createDisk()
  const queue = await openOn(disk, 6_000)
  const kept: boolean[] = []
  for (let i = 0; i < 12; i++) kept.push((await queue.append(Buffer.alloc(700), 1)) !== undefined)
  expect(kept.lastIndexOf(true)).toBe(7)
  for (let item = await queue.take(); item !== undefined; item = await queue.take()) await queue.ack(item.position)
  await queue.close()
  const emptied = await openOn(disk, 6_000)
  expect(emptied.bytes()).toBeLessThan(4_000)
  expect(await emptied.append(Buffer.alloc(700), 1)).toBeDefined()
  await emptied.close()
})

test('whenever the power goes, every item that was kept is given until it is delivered, in order', async () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = createRandom(seed)
    const disk = createDisk()
    const queue = await openOn(disk)
    const kept: number[] = []
    let delivered = -1
    let left = Math.floor(random() * 50)
    let found: readonly DiskModel[] = []
    disk.trouble(() => {
      if (left-- === 0) found = [disk.powerCut(random)]
      return undefined
    })
    const isCut = (): boolean => found.length > 0
    for (let i = 0; !isCut(); i++) {
      const position = await queue.append(Buffer.from(`${i}:${'x'.repeat(Math.floor(random() * 900))}`), i)
      if (position !== undefined && !isCut()) kept.push(i)
      if (random() < 0.5) continue
      const item = await queue.take()
      if (item === undefined) continue
      delivered = Number(item.bytes.toString().split(':')[0])
      void queue.ack(item.position)
    }
    const again = await openOn(found[0] as DiskModel)
    const given = (await takeAll(again)).map((text) => Number(text.split(':')[0]))
    expect(given).toEqual([...given].sort((a, b) => a - b))
    expect(kept.filter((i) => i > delivered && !given.includes(i))).toEqual([])
    await again.close()
  }
})
