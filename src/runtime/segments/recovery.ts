import { CORRUPT_SUFFIX, pruneAside, setAside } from './aside.ts'
import { type Folder, type ReadFile } from './folder.ts'
import { isSpareName, numberOfName, SEGMENT_HEAD_BYTES, segmentName } from './format.ts'
import { readHead, createSegmentReader, type ReadRecord, type SegmentReader } from './scan.ts'
import { type KnownSegment } from './known-segment.ts'
import { type LogStart } from './segment-log.ts'

/** What could not be read, since the start. */
export interface Losses {
  /**
   * After the last whole record of the newest segment: what was being written when the process or the machine died. 0 where
   * its file held another before: nothing tells where that begins.
   */
  tornBytes: number
  corruptBytes: number
  /** Records whose head was whole. What lay behind a damaged head is in the bytes only. */
  corruptRecords: number
  /** Files that are no segments of this version. */
  foreignFiles: number
}

export interface Recovery {
  readonly start: LogStart
  readonly losses: Losses
}

/**
 * Reads every segment there is, in order, mends the end of the newest and says where the log goes on. Nothing that lies in
 * the folder makes it fail; what cannot be read is passed over and counted. Records come once, each after all before it.
 */
export async function recover(folder: Folder, onRecord: OnRecord): Promise<Recovery> {
  const losses: Losses = { tornBytes: 0, corruptBytes: 0, corruptRecords: 0, foreignFiles: 0 }
  const names = await folder.list()
  for (const name of names.filter(isSpareName)) await folder.remove(name).catch(() => undefined)
  const numbers = names.flatMap((name) => numberOfName(name) ?? []).sort((a, b) => a - b)
  const newest = await newestWritten(folder, numbers)
  const segments: KnownSegment[] = []
  let sequence = 0
  let doubtful: ReadSegment | undefined
  for (const number of numbers) {
    const found = await readSegment(folder, { number, isNewest: number >= newest, after: sequence }, losses, onRecord)
    if (found === undefined) continue
    const { known, first, doubtfulBytes } = found
    if (doubtful !== undefined && first !== undefined) {
      if (first > Math.max(sequence, doubtful.last) + 1) {
        losses.corruptBytes += doubtful.doubtfulBytes
        doubtful.known.damaged = true
      }
      doubtful = undefined
    }
    if (doubtfulBytes > 0) doubtful = found
    segments.push(known)
    sequence = Math.max(sequence, known.last)
  }
  return { start: { segments, nextNumber: (numbers.at(-1) ?? 0) + 1, nextSequence: sequence + 1 }, losses }
}

/** The one being written when the process ended: another may have been made ready. */
async function newestWritten(folder: Folder, numbers: readonly number[]): Promise<number> {
  for (const number of numbers.toReversed()) if (await isWritten(folder, number)) return number
  return 0
}

/** One that was made ready has a head and no record. What cannot be read may have some. */
async function isWritten(folder: Folder, number: number): Promise<boolean> {
  const file = await folder.open(segmentName(number)).catch(() => undefined)
  if (file === undefined) return true
  try {
    if (file.bytes <= SEGMENT_HEAD_BYTES) return false
    const head = await readHead(file)
    const isNew = typeof head === 'string' || !head.isWrittenOver
    return isNew || (await createSegmentReader(file, number).next()) !== undefined
  } catch {
    return true
  } finally {
    await file.close().catch(() => undefined)
  }
}

/** May take its time: the next record is read when it is done. */
export type OnRecord = (record: ReadRecord, segment: number) => Promise<void> | void

interface Wanted {
  readonly number: number
  /** Nothing was written after it. */
  readonly isNewest: boolean
  /** Records up to this sequence have been read already: a write that failed is repeated in the next segment. */
  readonly after: number
}

interface ReadSegment {
  readonly known: KnownSegment
  readonly first: number | undefined
  readonly last: number
  /**
   * What its file held before, or damage: a process may die before it has cut a segment that is full. If the next segment goes
   * on with the next sequence nothing is missing between them.
   */
  readonly doubtfulBytes: number
}

async function readSegment(
  folder: Folder,
  { number, isNewest, after }: Wanted,
  losses: Losses,
  onRecord: OnRecord
): Promise<ReadSegment | undefined> {
  const name = segmentName(number)
  const file = await folder.open(name).catch(() => undefined)
  if (file === undefined) {
    losses.foreignFiles += 1
    return undefined
  }
  const known: KnownSegment = { number, last: -Infinity, bytes: file.bytes, bytesBefore: 0, damaged: false }
  const unknown = { first: undefined, last: -Infinity, doubtfulBytes: 0 }
  try {
    const head = await readHead(file)
    if (typeof head === 'string' || head.number < number) {
      // A power cut right after a segment was begun leaves it empty; all else is somebody's data.
      if (isNewest && file.bytes <= SEGMENT_HEAD_BYTES) losses.tornBytes += file.bytes
      else losses.foreignFiles += 1
      await setAside(folder, name)
      return undefined
    }
    if (head.number > number) {
      // It was to become another segment, and a power cut brought its old name back.
      await folder.remove(name)
      return undefined
    }
    const reader = createSegmentReader(file, number)
    await eachRecord(reader, after, (record) => {
      known.last = record.sequence
      return onRecord(record, number)
    })
    const damaged = reader.damaged()
    losses.corruptRecords += damaged.records
    losses.corruptBytes += damaged.bytes
    const unread = file.bytes - reader.at()
    known.damaged = damaged.records > 0
    if (unread > 0 && isNewest) {
      if (head.isWrittenOver) await folder.truncate(name, reader.at())
      else {
        losses.tornBytes += unread
        await cutTail(folder, name, file, reader.at())
      }
      known.bytes = reader.at()
    } else if (unread > 0 && !head.isWrittenOver) {
      losses.corruptBytes += unread
      known.damaged = true
    }
    const { first, last = -Infinity } = reader.sequences()
    return { known, first, last, doubtfulBytes: head.isWrittenOver && !isNewest ? unread : 0 }
  } catch {
    // The disk fails: what was read of the segment counts, and it stays where it is.
    return { ...unknown, known: { ...known, damaged: true } }
  } finally {
    await file.close().catch(() => undefined)
  }
}

async function eachRecord(
  reader: SegmentReader,
  after: number,
  work: (record: ReadRecord) => Promise<void> | void
): Promise<number> {
  let last = after
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
    if (record.sequence <= last) continue
    last = record.sequence
    const wait = work(record)
    if (wait instanceof Promise) await wait
  }
  return last
}

/** What a damaged head hides may be more than a torn write, so it is kept aside. A log that cannot be mended is read again as it is. */
async function cutTail(folder: Folder, name: string, file: ReadFile, at: number): Promise<void> {
  const tail = Buffer.alloc(file.bytes - at)
  await file.read(at, tail)
  if (tail.some((byte) => byte !== 0)) {
    const aside = `${name}.${at}${CORRUPT_SUFFIX}`
    const kept = await folder.create(aside, false)
    await kept.write([tail], 0)
    await kept.close()
    await pruneAside(folder)
  }
  await folder.truncate(name, at)
}

/** Reads the records of known segments once more. A segment that can no longer be read is passed over. */
export async function readAgain(folder: Folder, segments: readonly KnownSegment[], onRecord: OnRecord): Promise<void> {
  let after = 0
  for (const { number } of segments) {
    const file = await folder.open(segmentName(number)).catch(() => undefined)
    if (file === undefined) continue
    after = await eachRecord(createSegmentReader(file, number), after, (record) => onRecord(record, number)).catch(
      () => after
    )
    await file.close().catch(() => undefined)
  }
}
