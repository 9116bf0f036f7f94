import { expect, jest, test } from '@jest/globals'
import {
  bytesOf,
  type Folder,
  openSegmentLog,
  readAgain,
  recover,
  type SegmentLog,
  type SegmentLogSettings,
  type WrittenFile
} from '../../../../src/runtime/segments/index.ts'
import { SEGMENT_HEAD_BYTES } from '../../../../src/runtime/segments/format.ts'
import { createDisk, type DiskModel } from '../../../builders/disk-model.ts'
import { createRandom } from '../../../builders/random.ts'
import { smallLog } from '../../../builders/small-log.ts'

interface Life {
  readonly log: SegmentLog
  /** Text of each record that was found at the start, by sequence. */
  readonly found: Map<number, string>
  readonly events: string[]
}

async function begin({ folder }: DiskModel, changed: Partial<SegmentLogSettings> = {}): Promise<Life> {
  const found = new Map<number, string>()
  const events: string[] = []
  const { start } = await recover(folder, ({ sequence, payload }) => {
    found.set(sequence, payload.toString())
  })
  const log = openSegmentLog(
    { ...smallLog, ...changed },
    {
      folder,
      nowMs: () => 1000,
      synced: () => undefined,
      failed: (reason) => events.push(`failed: ${(reason as Error).message}`),
      recovered: () => events.push('recovered')
    },
    start
  )
  return { log, found, events }
}

function text(random: () => number): string {
  return 'x'.repeat(Math.floor(random() ** 3 * 3_000)) + String(random())
}

const fault = (code: string): Error => Object.assign(new Error(code), { code })

/** The same disk, with something before each write to it: when that throws, the write has failed. */
function beforeWrites(
  disk: DiskModel,
  before: (...write: Parameters<WrittenFile['write']>) => Promise<void>
): DiskModel {
  const watched = async (opened: Promise<WrittenFile>): Promise<WrittenFile> => {
    const file = await opened
    return {
      ...file,
      async write(parts, at) {
        await before(parts, at)
        return file.write(parts, at)
      }
    }
  }
  const { create, overwrite } = disk.folder
  const folder: Folder = {
    ...disk.folder,
    create: (name, writeThrough) => watched(create(name, writeThrough)),
    overwrite: (name, writeThrough) => watched(overwrite(name, writeThrough))
  }
  return { ...disk, folder }
}

/** Writes that are under way together are done in any order. */
function unordered(disk: DiskModel, random: () => number): DiskModel {
  return beforeWrites(disk, async () => {
    for (let turns = random() < 0.5 ? 0 : Math.floor(random() * 40); turns > 0; turns--) await Promise.resolve()
  })
}

/** Appends for a while; everything the disk is asked counts, and at one of those questions the power goes. */
async function liveUntilCut(disk: DiskModel, random: () => number) {
  const { log } = await begin(unordered(disk, random))
  const appended = new Map<number, string>()
  const kept = new Set<number>()
  let after: DiskModel | undefined
  let released = 0
  let left = Math.floor(random() * 60)
  disk.trouble((operation) => {
    left -= 1
    if (left < 0) after ??= disk.powerCut(random)
    return operation === 'write' && random() < 0.1 ? 1 + Math.floor(random() * 100) : undefined
  })
  while (after === undefined) {
    for (let i = Math.floor(random() * 4); i >= 0; i--) {
      const payload = text(random)
      const sequence = log.nextSequence()
      appended.set(sequence, payload)
      const isKept = log[random() < 0.5 ? 'append' : 'appendLent'](1, Buffer.from(payload))
      // A batch of its own, while those before it are being written.
      if (random() < 0.5) await Promise.resolve()
      void isKept.then((answer) => {
        // What is answered after the cut was not answered.
        if (answer && after === undefined) kept.add(sequence)
      })
    }
    await log.flush()
    if (random() < 0.1) {
      released = log.nextSequence() - 5
      await log.release(released)
    }
  }
  return { appended, kept, released, after }
}

test('after a power cut at any moment every record that was said to be kept is there, once, in order, and none that was never written', async () => {
  for (let seed = 0; seed < 150; seed++) {
    const random = createRandom(seed)
    let disk = createDisk()
    const everAppended = new Map<number, string>()
    for (let life = 0; life < 3; life++) {
      const { appended, kept, released, after } = await liveUntilCut(disk, random)
      for (const [sequence, payload] of appended) everAppended.set(sequence, payload)
      const { found } = await begin(after)
      const missing = [...kept].filter((sequence) => sequence >= released && !found.has(sequence))
      expect({ seed, life, missing }).toEqual({ seed, life, missing: [] })
      for (const [sequence, payload] of found) expect(payload).toBe(everAppended.get(sequence))
      disk = after.killed()
    }
  }
})

test('a process that is killed loses nothing that was written, synced or not', async () => {
  const disk = createDisk()
  const { log } = await begin(disk, { syncEveryMs: 60_000 })
  const kept = [log.append(1, Buffer.from('a')), log.append(2, Buffer.from('b'))]
  expect(await Promise.all(kept)).toEqual([true, true])
  const { found } = await begin(disk.killed())
  expect([...found]).toEqual([
    [1, 'a'],
    [2, 'b']
  ])
  await log.close()
})

/** A log of ten records of some hundred bytes each, over several segments. */
async function tenRecords(): Promise<DiskModel> {
  const disk = createDisk()
  const { log } = await begin(disk)
  for (let i = 0; i < 10; i++) await log.append(1, Buffer.from(`${i}:${'y'.repeat(600)}`))
  await log.close()
  return disk
}

test('segments end at their size, and those whose records are all released are removed in order', async () => {
  const disk = await tenRecords()
  expect(disk.names()).toHaveLength(3)
  const { log } = await begin(disk)
  await log.release(9)
  expect(log.segments().map(({ last }) => last)).toEqual([10])
  expect(bytesOf(log.segments())).toBeLessThan(2_000)
})

test('a flipped byte in a payload costs its record; in a head, the rest of its segment; the file is kept aside when it is released', async () => {
  const disk = await tenRecords()
  const [first = ''] = disk.names()
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at] = (bytes[at] as number) ^ 1
    return bytes
  }
  const payloadOfFirst = 28 + 32 + 5
  disk.damage(first, flip(payloadOfFirst))
  const once = await begin(disk)
  expect([...once.found.keys()]).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
  const headOfSecond = 28 + 32 + 602 + 4
  disk.damage(first, flip(headOfSecond))
  const { found, log } = await begin(disk)
  expect(Math.min(...found.keys())).toBeGreaterThan(3)
  await log.release(9)
  expect(disk.names()).toContain(`${first}.corrupt`)
})

test('whatever bytes are changed, cut off or added, recovery ends, gives only what was written, and the log goes on', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = createRandom(seed)
    const disk = await tenRecords()
    for (const name of disk.names()) {
      if (random() < 0.4) continue
      disk.damage(name, (bytes) => {
        if (random() < 0.3) return bytes.subarray(0, Math.floor(random() * bytes.length))
        if (random() < 0.3) return Buffer.concat([bytes, Buffer.from('z'.repeat(Math.floor(random() * 90)))])
        for (let i = random() * 20; i > 0; i--) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
        return bytes
      })
    }
    const { found, log } = await begin(disk)
    for (const [sequence, payload] of found) expect(payload).toBe(`${sequence - 1}:${'y'.repeat(600)}`)
    expect(await log.append(1, Buffer.from('more'))).toBe(true)
    await log.close()
    const again = await begin(disk)
    expect([...again.found.values()].at(-1)).toBe('more')
    expect(again.found.size).toBe(found.size + 1)
  }
})

test('what was being written when the process died is torn, not damaged, although another segment was ready', async () => {
  const disk = createDisk()
  const { log } = await begin(disk)
  await log.append(1, Buffer.from('whole'))
  const torn = disk.killed()
  expect(torn.names()).toHaveLength(2)
  torn.damage(torn.names()[0] as string, (bytes) => Buffer.concat([bytes, Buffer.alloc(20, 1)]))
  const { losses, start } = await recover(torn.folder, () => undefined)
  expect(losses).toEqual({ tornBytes: 20, corruptBytes: 0, corruptRecords: 0, foreignFiles: 0 })
  expect(start.segments.map(({ damaged }) => damaged)).toEqual([false, false])
  await log.close()
})

test('the segment made ready is gone when the log is closed, and its number is not given again', async () => {
  const disk = createDisk()
  const { log } = await begin(disk)
  await log.append(1, Buffer.from('a'))
  expect(disk.names()).toHaveLength(2)
  const killed = disk.killed()
  await log.close()
  expect(disk.names()).toHaveLength(1)
  const { start } = await recover(killed.folder, () => undefined)
  expect(start.nextNumber).toBe(3)
})

test('a segment of another version and a file of the same name by someone else are put aside', async () => {
  const disk = await tenRecords()
  const [first = '', second = ''] = disk.names()
  disk.damage(first, () => Buffer.from('nothing of ours'))
  disk.damage(second, (bytes) => {
    bytes.writeUInt32LE(1, 8)
    return bytes
  })
  const { start, losses } = await recover(disk.folder, () => undefined)
  expect(losses.foreignFiles).toBe(2)
  expect(start.segments).toHaveLength(1)
  expect(disk.names().filter((name) => name.endsWith('.corrupt'))).toHaveLength(2)
})

test('a disk that fails in one segment is asked once more in another, and nothing comes twice', async () => {
  const disk = createDisk()
  const { log, events } = await begin(disk)
  let failures = 1
  disk.trouble((operation) => {
    if (operation === 'sync' && failures-- > 0) throw fault('EIO')
    return undefined
  })
  expect(await log.append(1, Buffer.from('a'))).toBe(true)
  expect(await log.append(1, Buffer.from('b'))).toBe(true)
  await log.close()
  expect(events).toEqual([])
  const found: string[] = []
  const { start } = await recover(disk.folder, ({ payload }) => void found.push(payload.toString()))
  await readAgain(disk.folder, start.segments, ({ payload }) => void found.push(payload.toString()))
  expect(found).toEqual(['a', 'b', 'a', 'b'])
})

test('copied and lent records of any size come back in their order, whatever of them a write takes', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = createRandom(seed)
    const disk = createDisk()
    const changed = { waitingBytesMax: Infinity, segmentBytes: 1e6, bytesMax: 1e9 }
    const { log } = await begin(unordered(disk, random), changed)
    disk.trouble((operation) => {
      if (operation !== 'write') return undefined
      if (random() < 0.05) throw fault('EIO')
      return random() < 0.3 ? 1 + Math.floor(random() * 3_000) : undefined
    })
    const written: string[] = []
    for (let batch = 0; batch < 3; batch++) {
      const kept = Array.from({ length: Math.floor(random() * 12) }, () => {
        const isLarge = random() < 0.1
        const payload = 'z'.repeat(Math.floor(random() * (isLarge ? 1_500_000 : 2_000)) * (random() < 0.2 ? 0 : 1))
        written.push(payload)
        return log[random() < 0.5 ? 'append' : 'appendLent'](1, Buffer.from(payload))
      })
      for (const isKept of await Promise.all(kept)) if (!isKept) written.length = 0
      if (written.length === 0) break
    }
    disk.trouble(undefined)
    await log.close()
    const { found } = await begin(disk)
    if (written.length > 0) expect([...found.values()]).toEqual(written)
  }
})

test('what is lent is written from where it lies, at once or when it is tried again', async () => {
  const disk = createDisk()
  const parts: Uint8Array[] = []
  let failures = 1
  const watched = beforeWrites(disk, (given) => {
    if (given.length > 1) parts.push(...given)
    return given.length > 1 && failures-- > 0 ? Promise.reject(fault('EIO')) : Promise.resolve()
  })
  const { log } = await begin(watched, { bytesMax: 1e8 })
  const payload = Buffer.alloc(4_000_000, 'p')
  expect(await log.appendLent(1, payload)).toBe(true)
  expect(parts.filter(({ buffer }) => buffer === payload.buffer)).toHaveLength(2)
  expect(log.bufferBytes()).toBeLessThan(payload.length)
  await log.close()
})

/** A disk whose first sync of records takes until it is let go; what was written when it began is durable then. */
function slowOnce(disk: DiskModel): { readonly slow: DiskModel; readonly letGo: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let syncs = 0
  const create: DiskModel['folder']['create'] = async (name, writeThrough) => {
    const file = await disk.folder.create(name, writeThrough)
    let written = 0
    const synced = async (): Promise<void> => {
      if (written > SEGMENT_HEAD_BYTES && ++syncs === 1) await promise
    }
    return {
      ...file,
      async write(parts, at) {
        const bytes = await file.write(parts, at)
        written += bytes
        if (writeThrough) await synced()
        return bytes
      },
      async sync() {
        await file.sync()
        await synced()
      }
    }
  }
  const letGo = (): void => {
    resolve(undefined)
  }
  return { slow: { ...disk, folder: { ...disk.folder, create } }, letGo }
}

test('with syncs now and then a write waits for none of them, and what came during one is in the next', async () => {
  jest.useFakeTimers()
  try {
    const disk = createDisk()
    const { slow, letGo } = slowOnce(disk)
    const { log } = await begin(slow, { syncEveryMs: 100 })
    const first = log.append(1, Buffer.from('a'))
    await jest.advanceTimersByTimeAsync(150)
    expect(await first).toBe(true)
    const second = log.append(1, Buffer.from('b'))
    await jest.advanceTimersByTimeAsync(1)
    expect(await second).toBe(true)
    letGo()
    await jest.advanceTimersByTimeAsync(100)
    const { found } = await begin(disk.powerCut(createRandom(1)))
    expect([...found.values()]).toEqual(['a', 'b'])
    await log.close()
  } finally {
    jest.useRealTimers()
  }
})

test('who comes after a pause is written at once, who comes soon after a write with all who come meanwhile', async () => {
  jest.useFakeTimers()
  try {
    const { log } = await begin(createDisk(), { gatherMs: 5 })
    const kept: string[] = []
    const append = (name: string): void => void log.append(1, Buffer.from(name)).then(() => kept.push(name))
    append('first')
    await jest.advanceTimersByTimeAsync(1)
    expect(kept).toEqual(['first'])
    append('second')
    await jest.advanceTimersByTimeAsync(2)
    append('third')
    expect(kept).toEqual(['first'])
    await jest.advanceTimersByTimeAsync(3)
    expect(kept).toEqual(['first', 'second', 'third'])
    await log.close()
  } finally {
    jest.useRealTimers()
  }
})

test('what came while others were synced has gathered meanwhile, and is written at once', async () => {
  jest.useFakeTimers()
  try {
    const { slow, letGo } = slowOnce(createDisk())
    const { log } = await begin(slow, { gatherMs: 5 })
    let kept = 0
    const append = (): void => void log.append(1, Buffer.from('a')).then(() => kept++)
    append()
    await jest.advanceTimersByTimeAsync(4)
    append()
    await jest.advanceTimersByTimeAsync(1)
    append()
    await jest.advanceTimersByTimeAsync(5)
    letGo()
    await jest.advanceTimersByTimeAsync(0)
    expect(kept).toBe(3)
    await log.close()
  } finally {
    jest.useRealTimers()
  }
})

test('no other work of the thread comes before a write: not for who comes after a pause, nor for what came during one', async () => {
  const disk = createDisk()
  const { log } = await begin(disk)
  const events: string[] = []
  await log.append(1, Buffer.from('begins a segment, and makes another ready'))
  await new Promise(setImmediate)
  disk.trouble((operation) => {
    if (operation === 'write') events.push('written')
    return undefined
  })
  const append = (name: string): Promise<unknown> => log.append(1, Buffer.from(name)).then(() => events.push(name))
  setImmediate(() => events.push('other work'))
  await Promise.all([append('first'), append('second')])
  await new Promise(setImmediate)
  expect(events).toEqual(['written', 'written', 'first', 'second', 'other work'])
  await log.close()
})

/** A disk whose writes of records are done, or fail, when they are told to. */
async function slowDisk() {
  const disk = createDisk()
  const writes: { readonly done: () => void; readonly fail: () => void }[] = []
  let isSlow = false
  const slow = beforeWrites(disk, async (_parts, at) => {
    if (!isSlow || at === 0) return
    await new Promise<void>((done, fail) => {
      writes.push({
        done,
        fail: () => {
          fail(fault('EIO'))
        }
      })
    })
  })
  const { log, events } = await begin(slow)
  await log.append(1, Buffer.from('begins a segment'))
  await turn()
  isSlow = true
  const kept: string[] = []
  const append = async (name: string): Promise<void> => {
    void log.append(1, Buffer.from(name)).then((isKept) => isKept && kept.push(name))
    await turn()
  }
  const end = async (): Promise<string[]> => {
    isSlow = false
    await log.close()
    return [...(await begin(disk)).found.values()].slice(1)
  }
  return { writes, kept, events, append, end }
}

const turn = (): Promise<void> => new Promise(setImmediate)

test('two writes are under way at a time, and who came second is told second', async () => {
  const { writes, kept, append, end } = await slowDisk()
  for (const name of ['a', 'b', 'c']) await append(name)
  expect(writes).toHaveLength(2)
  writes[1]?.done()
  await turn()
  expect(kept).toEqual([])
  writes[0]?.done()
  await turn()
  expect(kept).toEqual(['a', 'b'])
  expect(writes).toHaveLength(3)
  writes[2]?.done()
  expect(await end()).toEqual(['a', 'b', 'c'])
})

test('when the first of two writes fails both are written again, in their order and before what came later', async () => {
  const { writes, kept, events, append, end } = await slowDisk()
  for (const name of ['a', 'b']) await append(name)
  writes[0]?.fail()
  await append('c')
  expect(writes).toHaveLength(2)
  writes[1]?.done()
  for (let next = 2; next < 5; next++) {
    await turn()
    writes[next]?.done()
  }
  await turn()
  expect(kept).toEqual(['a', 'b', 'c'])
  expect(events).toEqual([])
  expect(await end()).toEqual(['a', 'b', 'c'])
})

test('when the second of two writes fails, what the first wrote stays where it is', async () => {
  const { writes, kept, append, end } = await slowDisk()
  for (const name of ['a', 'b']) await append(name)
  writes[1]?.fail()
  await turn()
  writes[0]?.done()
  await turn()
  expect(kept).toEqual(['a'])
  expect(writes).toHaveLength(3)
  writes[2]?.done()
  await turn()
  expect(await end()).toEqual(['a', 'b'])
})

test('a disk that stays full keeps nothing, says so once, and records are kept again when there is room', async () => {
  jest.useFakeTimers()
  try {
    const disk = createDisk()
    const { log, events } = await begin(disk)
    let full = true
    disk.trouble((operation) => {
      if (full && operation === 'write') throw fault('ENOSPC')
      return undefined
    })
    const first = log.append(1, Buffer.from('a'))
    await jest.advanceTimersByTimeAsync(10)
    expect(await first).toBe(false)
    expect(log.failing()).toBe(true)
    expect(await log.append(1, Buffer.from('b'))).toBe(false)
    await jest.advanceTimersByTimeAsync(3_000)
    expect(log.counts.unkept).toBe(2)
    full = false
    await jest.advanceTimersByTimeAsync(1_000)
    const third = log.append(1, Buffer.from('c'))
    await jest.advanceTimersByTimeAsync(10)
    expect(await third).toBe(true)
    expect(events).toEqual(['failed: ENOSPC', 'recovered'])
    await log.close()
    expect([...(await begin(disk)).found.values()]).toEqual(['c'])
  } finally {
    jest.useRealTimers()
  }
})

test('over its own size the log gives up its oldest segments, or fails, as it is told', async () => {
  const dropping = await begin(createDisk(), { bytesMax: 6_000, whenFull: 'drop' })
  for (let i = 0; i < 20; i++) expect(await dropping.log.append(1, Buffer.alloc(700))).toBe(true)
  expect(dropping.log.counts.dropped).toBeGreaterThan(2)
  expect(bytesOf(dropping.log.segments())).toBeLessThanOrEqual(6_000)
  await dropping.log.close()
  const failing = await begin(createDisk(), { bytesMax: 6_000 })
  const kept: boolean[] = []
  for (let i = 0; i < 20; i++) kept.push(await failing.log.append(1, Buffer.alloc(700)))
  expect(kept.lastIndexOf(true)).toBe(7)
  expect(failing.events).toEqual(['failed: the log is full'])
  await failing.log.close()
})
