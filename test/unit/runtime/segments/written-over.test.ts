import { expect, test } from '@jest/globals'
import {
  openSegmentLog,
  readAgain,
  recover,
  type Recovery,
  type SegmentLog,
  type SegmentLogSettings
} from '../../../../src/runtime/segments/index.ts'
import { segmentName } from '../../../../src/runtime/segments/format.ts'
import { createDisk, type DiskModel, type DiskOperation } from '../../../builders/disk-model.ts'
import { createRandom } from '../../../builders/random.ts'
import { smallLog } from '../../../builders/small-log.ts'

const RECORD_CHARS = 600

interface Found extends Recovery {
  readonly sequences: number[]
}

async function found({ folder }: DiskModel): Promise<Found> {
  const sequences: number[] = []
  const recovery = await recover(folder, ({ sequence, payload }) => {
    expect(payload.toString()).toBe(textOf(sequence))
    sequences.push(sequence)
  })
  return { ...recovery, sequences }
}

async function begin(disk: DiskModel, changed: Partial<SegmentLogSettings> = {}): Promise<SegmentLog> {
  const { folder } = disk
  const tools = { folder, nowMs: () => 1, synced: () => undefined, failed: () => undefined, recovered: () => undefined }
  return openSegmentLog({ ...smallLog, ...changed }, tools, (await found(disk)).start)
}

const textOf = (sequence: number): string => `${sequence}:`.padEnd(RECORD_CHARS, 'y')

/** The sequences of what was appended. */
async function append(log: SegmentLog, records: number): Promise<number[]> {
  const sequences: number[] = []
  for (let i = 0; i < records; i++) {
    const sequence = log.nextSequence()
    const how = sequence % 2 === 0 ? 'append' : 'appendLent'
    if (await log[how](1, Buffer.from(textOf(sequence)))) sequences.push(sequence)
  }
  return sequences
}

const spares = (disk: DiskModel): string[] => disk.names().filter((name) => name.endsWith('.spare'))

/** Counts what the disk is asked. */
function watch(disk: DiskModel): Map<DiskOperation, number> {
  const asked = new Map<DiskOperation, number>()
  disk.trouble((operation) => {
    asked.set(operation, (asked.get(operation) ?? 0) + 1)
    return undefined
  })
  return asked
}

/** A log whose current segment is written over a file of records, and has room. */
async function onWrittenOver(changed: Partial<SegmentLogSettings> = {}): Promise<{ disk: DiskModel; log: SegmentLog }> {
  const disk = createDisk()
  const log = await begin(disk, changed)
  await append(log, 12)
  await log.release(9)
  await append(log, 7)
  return { disk, log }
}

test('a segment that nobody needs is written over, and only what it holds now is found', async () => {
  const { disk, log } = await onWrittenOver()
  const asked = watch(disk)
  await log.release(17)
  const later = await append(log, 40)
  expect(asked.get('overwrite')).toBeGreaterThan(1)
  const { sequences, losses } = await found(disk.killed())
  expect(sequences.slice(-later.length)).toEqual(later)
  expect(sequences[0]).toBeGreaterThan(8)
  expect(losses).toEqual({ tornBytes: 0, corruptBytes: 0, corruptRecords: 0, foreignFiles: 0 })
  await log.close()
})

test('a process that is killed leaves a segment whose end is found, whatever lies behind it', async () => {
  let { disk, log } = await onWrittenOver()
  for (let life = 0; life < 4; life++) {
    const kept = await append(log, life)
    disk = disk.killed()
    const { sequences, losses, start } = await found(disk)
    expect(sequences.slice(sequences.length - kept.length)).toEqual(kept)
    expect(losses).toEqual({ tornBytes: 0, corruptBytes: 0, corruptRecords: 0, foreignFiles: 0 })
    expect(start.segments.some(({ damaged }) => damaged)).toBe(false)
    log = await begin(disk)
    await log.release(log.nextSequence() - 4)
    await append(log, 9)
  }
  await log.close()
})

/** The number of a full segment that is written over and was not cut, with others behind it. */
async function uncut(): Promise<{ disk: DiskModel; log: SegmentLog; number: number }> {
  const { disk, log } = await onWrittenOver()
  disk.trouble((operation) => {
    if (operation === 'truncate') throw new Error('the process died before')
    return undefined
  })
  const number = log.segments().at(-1)?.number ?? 0
  await append(log, 8)
  disk.trouble(undefined)
  // As a file that was longer before.
  disk.damage(segmentName(number), (bytes) => Buffer.concat([bytes, Buffer.from('z'.repeat(500))]))
  return { disk, log, number }
}

test('what the file of a full segment held before is no damage: the next segment goes on with the next sequence', async () => {
  const { disk, log } = await uncut()
  const { losses, start } = await found(disk.killed())
  expect(losses.corruptBytes).toBe(0)
  expect(start.segments.some(({ damaged }) => damaged)).toBe(false)
  await log.close()
})

test('a head that is damaged in such a segment costs the rest of it, and is known by the sequences that are missing', async () => {
  const { disk, log, number } = await uncut()
  const whole = (await found(disk.killed())).sequences
  const hurt = disk.killed()
  const headOfSecond = 28 + 32 + RECORD_CHARS + 4
  hurt.damage(segmentName(number), (bytes) => {
    bytes[headOfSecond] = (bytes[headOfSecond] as number) ^ 1
    return bytes
  })
  const { sequences, losses, start } = await found(hurt)
  expect(sequences.length).toBeLessThan(whole.length)
  expect(losses.corruptBytes).toBeGreaterThan(RECORD_CHARS)
  expect(start.segments.filter(({ damaged }) => damaged).map((segment) => segment.number)).toEqual([number])
  await log.close()
})

test('of a segment that was only made ready nothing is found, though its file is full of records', async () => {
  const { disk, log } = await onWrittenOver()
  const killed = disk.killed()
  const ready = killed.names().at(-1) as string
  expect(killed.bytes(ready)).toBeGreaterThan(3 * RECORD_CHARS)
  for (const name of killed.names()) if (name !== ready) await killed.folder.remove(name)
  expect((await found(killed)).sequences).toEqual([])
  await log.close()
})

test('what was being written is torn although a segment was made ready over a file of records', async () => {
  const disk = createDisk()
  const log = await begin(disk)
  await append(log, 12)
  await log.release(9)
  await append(log, 4)
  const torn = disk.killed()
  const [current, ready] = torn.names().slice(-2) as [string, string]
  expect(torn.bytes(ready)).toBeGreaterThan(3 * RECORD_CHARS)
  torn.damage(current, (bytes) => Buffer.concat([bytes, Buffer.alloc(20, 1)]))
  expect((await found(torn)).losses).toEqual({ tornBytes: 20, corruptBytes: 0, corruptRecords: 0, foreignFiles: 0 })
  await log.close()
})

test('whoever still reads a file that is written over finds none of what is written now', async () => {
  const disk = createDisk()
  const log = await begin(disk, { segmentBytes: 4e6, bytesMax: 1e9, waitingBytesMax: 1e9 })
  const appendLarge = async (records: number): Promise<void> => {
    // More than a reader takes at once.
    for (let i = 0; i < records; i++) await log.append(1, Buffer.alloc(1.2e6, i))
  }
  await appendLarge(12)
  const read: number[] = []
  await readAgain(disk.folder, [...log.segments()], async ({ sequence }) => {
    read.push(sequence)
    if (sequence !== 1) return
    await log.release(12)
    await appendLarge(12)
  })
  expect(read[0]).toBe(1)
  expect(read.filter((sequence) => sequence > 12)).toEqual([])
  await log.close()
})

test('a name that a power cut brings back, of a file that was to become another segment, is no segment', async () => {
  const disk = createDisk()
  const log = await begin(disk)
  await append(log, 12)
  let seen: DiskModel | undefined
  disk.trouble((operation) => {
    // The file says already what it is to become, and the folder was not synced since it was put by.
    if (operation === 'sync folder') seen ??= disk.powerCut(() => 0)
    return undefined
  })
  await log.release(9)
  await append(log, 6)
  disk.trouble(undefined)
  expect(seen?.names()).toContain(segmentName(1))
  const { sequences, losses } = await found(seen as DiskModel)
  expect(sequences[0]).toBeGreaterThan(4)
  expect(losses).toEqual({ tornBytes: 0, corruptBytes: 0, corruptRecords: 0, foreignFiles: 0 })
  expect(seen?.names()).not.toContain(segmentName(1))
  await log.close()
})

test('a segment under the name of a later one was renamed by somebody, and is put aside', async () => {
  const disk = createDisk()
  const log = await begin(disk)
  await append(log, 6)
  await log.close()
  await disk.folder.rename(segmentName(1), segmentName(7))
  expect(await found(disk)).toMatchObject({ sequences: [5, 6], losses: { foreignFiles: 1 } })
  expect(disk.names()).toContain(`${segmentName(7)}.corrupt`)
})

test('files to write over are kept up to an eighth of what the log may have, and gone when it ends or begins', async () => {
  const disk = createDisk()
  const log = await begin(disk, { bytesMax: 40_000 })
  await append(log, 40)
  await log.release(log.nextSequence())
  expect(spares(disk).length).toBeGreaterThan(0)
  expect(log.spareBytes()).toBeLessThanOrEqual(5_000)
  const killed = disk.killed()
  await log.close()
  expect(spares(disk)).toEqual([])
  await found(killed)
  expect(spares(killed)).toEqual([])
})

test('a log that needs room gives up what it keeps to write over before it refuses', async () => {
  const disk = createDisk()
  const log = await begin(disk, { bytesMax: 30_000 })
  await append(log, 20)
  await log.release(log.nextSequence())
  expect(log.spareBytes()).toBeGreaterThan(0)
  const kept = await append(log, 100)
  expect(log.spareBytes()).toBe(0)
  const onDisk = disk.names().reduce((sum, name) => sum + disk.bytes(name), 0)
  expect(onDisk).toBeLessThanOrEqual(30_000)
  expect(kept.length).toBeGreaterThan(35)
  await log.close()
})

test('where the file system has little space left nothing is kept to write over', async () => {
  const disk = createDisk()
  let free = 1
  const folder = { ...disk.folder, freeShare: () => Promise.resolve(free) }
  const log = await begin({ ...disk, folder }, { freeShareMin: 0.5 })
  await append(log, 12)
  free = 0.1
  await log.release(9)
  expect(spares(disk)).toEqual([])
  await log.close()
})

test('a file that cannot be written over costs nothing: another is made', async () => {
  const disk = createDisk()
  const log = await begin(disk)
  await append(log, 12)
  disk.trouble((operation) => {
    if (operation === 'overwrite') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    return undefined
  })
  await log.release(9)
  const kept = await append(log, 12)
  expect(kept).toHaveLength(12)
  expect((await found(disk.killed())).sequences.slice(-12)).toEqual(kept)
  await log.close()
})

test('after a power cut at any moment all that was kept is there and nothing from before, though every file was written over', async () => {
  let writtenOver = 0
  for (let seed = 0; seed < 150; seed++) {
    const random = createRandom(seed)
    const { disk, log } = await onWrittenOver()
    const kept: number[] = []
    let left = Math.floor(random() * 60)
    let after: DiskModel | undefined
    let released = 0
    disk.trouble((operation) => {
      left -= 1
      if (operation === 'overwrite') writtenOver += 1
      if (left < 0) after ??= disk.powerCut(random)
      return operation === 'write' && random() < 0.1 ? 1 + Math.floor(random() * 100) : undefined
    })
    while (after === undefined) {
      const sequence = log.nextSequence()
      const isKept = await log.append(1, Buffer.from(textOf(sequence)))
      if (isKept && (after as DiskModel | undefined) === undefined) kept.push(sequence)
      if (random() < 0.3) {
        released = sequence - 2
        await log.release(released)
      }
    }
    const { sequences } = await found(after)
    expect({ seed, missing: kept.filter((one) => one >= released && !sequences.includes(one)) }).toEqual({
      seed,
      missing: []
    })
    await log.close()
  }
  expect(writtenOver).toBeGreaterThan(100)
})
