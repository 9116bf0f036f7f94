import { Fault } from '../fault.ts'
import { type AppendedFile, type Folder } from './folder.ts'
import { PAYLOAD_BYTES_MAX, RECORD_HEAD_BYTES, segmentHead, segmentName, writeRecord } from './format.ts'

export interface SegmentLogSettings {
  readonly segmentBytes: number
  /** All segments together. */
  readonly bytesMax: number
  /** Of the file system must stay free, so that the log does not take the last of it from others. */
  readonly freeShareMin: number
  /** What is full: `drop` gives up the oldest segments, `fail` takes nothing more. */
  readonly whenFull: 'drop' | 'fail'
  /** Records gather for so long before they are written and synced together. */
  readonly gatherMs: number
  /** How often what was written is synced; 0 = each time, before anyone hears that it is kept. */
  readonly syncEveryMs: number
  /** Of records that wait to be written. */
  readonly waitingBytesMax: number
}

export interface SegmentLogTools {
  readonly folder: Folder
  readonly nowMs: () => number
  /** Told how long each sync took. */
  readonly synced: (ms: number) => void
  /** Told when records stop being kept, and when they are again. */
  readonly failed: (reason: unknown) => void
  readonly recovered: () => void
}

export interface KnownSegment {
  readonly number: number
  /** The last sequence in it; -Infinity when there is none. */
  last: number
  bytes: number
  /** A part of it cannot be read: it is put aside and not removed. */
  damaged: boolean
}

/** Where a log goes on. */
export interface LogStart {
  readonly segments: readonly KnownSegment[]
  readonly nextNumber: number
  readonly nextSequence: number
}

/**
 * Records in segments on disk. Each opens a segment of its own at the start; what an earlier process wrote is only read.
 *
 *   working --write or sync fails, in a second segment too--> failing (keeps nothing) --a segment opens--> working
 */
export interface SegmentLog {
  /** The sequence of the next record. */
  readonly nextSequence: () => number
  /** Whether so many bytes more may wait to be written. */
  readonly fits: (payloadBytes: number) => boolean
  readonly waitingBytes: () => number
  /** Copies a record in. Resolves to whether it is kept: written, and synced where each write is. */
  readonly append: (type: number, payload: Uint8Array) => Promise<boolean>
  /** Writes and syncs what waits, now. */
  readonly flush: () => Promise<void>
  /** Removes the segments all of whose records come before this one. */
  readonly release: (beforeSequence: number) => Promise<void>
  readonly segments: () => readonly KnownSegment[]
  readonly failing: () => boolean
  readonly counts: SegmentLogCounts
  /** Memory for records on their way. */
  readonly bufferBytes: () => number
  readonly close: () => Promise<void>
}

export interface SegmentLogCounts {
  records: number
  bytes: number
  /** Records not kept because the log was failing. */
  unkept: number
  /** Segments given up because the log was full. */
  dropped: number
  /** Files that could not be removed or put aside. */
  stuck: number
}

interface Batch {
  /** Filled in order; a record lies in one. */
  readonly pages: Page[]
  bytes: number
  records: number
  last: number
  /** When its first record came. */
  beganMs: number
  readonly kept: PromiseWithResolvers<boolean>
}

interface Page {
  readonly buffer: Buffer
  bytes: number
}

interface OpenSegment {
  readonly file: AppendedFile
  readonly known: KnownSegment
  /** Its name may not survive a power cut yet. */
  unnamed: boolean
  dirty: boolean
}

/** A larger record has a page of its own. Pages are used again: the kernel clears memory that is new to a process, which costs more than the copy. */
const PAGE_BYTES = 1 << 20
/** What a busy disk leaves in two batches, one being written and one being filled. */
const SPARE_PAGES_MAX = 16
/** So much is not held back to gather more. */
const WRITE_AT_ONCE_BYTES = 1 << 20
const RETRY_MS = 1000
/** Damaged files kept for whoever wants to know. */
export const CORRUPT_SUFFIX = '.corrupt'
const CORRUPT_KEPT = 4

export function openSegmentLog(settings: SegmentLogSettings, tools: SegmentLogTools, start: LogStart): SegmentLog {
  const { folder } = tools
  const segments = [...start.segments]
  const counts: SegmentLogCounts = { records: 0, bytes: 0, unkept: 0, dropped: 0, stuck: 0 }
  let nextNumber = start.nextNumber
  let nextSequence = start.nextSequence
  let current: OpenSegment | undefined
  const spare: Page[] = []
  /** Of all pages. */
  let pageBytes = 0
  let filling = newBatch()
  let writing = 0
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  /** The timer waits for more. */
  let isGathering = false
  let isFailing = false
  let failure: unknown
  let retryTimer: NodeJS.Timeout | undefined
  let syncTimer: NodeJS.Timeout | undefined
  /** What writes comes one after the other. */
  let line: Promise<unknown> = Promise.resolve()
  /** Neither writes nor answers wait for these: a sync of what was answered already, and removing a file, take many writes' time. */
  let syncing: Promise<unknown> = Promise.resolve()
  let removing: Promise<unknown> = Promise.resolve()

  function newBatch(): Batch {
    return { pages: [], bytes: 0, records: 0, last: -Infinity, beganMs: 0, kept: Promise.withResolvers() }
  }

  /** With room for so many bytes. */
  function pageFor(batch: Batch, bytes: number): Page {
    const last = batch.pages.at(-1)
    if (last !== undefined && last.bytes + bytes <= last.buffer.length) return last
    const page = (bytes <= PAGE_BYTES ? spare.pop() : undefined) ?? newPage(Math.max(bytes, PAGE_BYTES))
    batch.pages.push(page)
    return page
  }

  function newPage(bytes: number): Page {
    pageBytes += bytes
    return { buffer: Buffer.allocUnsafeSlow(bytes), bytes: 0 }
  }

  function giveBack(pages: readonly Page[]): void {
    for (const page of pages) {
      page.bytes = 0
      if (page.buffer.length === PAGE_BYTES && spare.length < SPARE_PAGES_MAX) spare.push(page)
      else pageBytes -= page.buffer.length
    }
  }

  function inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = line.then(work)
    line = done.catch(() => undefined)
    return done
  }

  function append(type: number, payload: Uint8Array): Promise<boolean> {
    if (payload.length > PAYLOAD_BYTES_MAX) throw new Fault('BUG', `a record of ${payload.length} bytes`)
    const sequence = nextSequence++
    if (isFailing) {
      counts.unkept += 1
      return Promise.resolve(false)
    }
    const bytes = RECORD_HEAD_BYTES + payload.length
    const page = pageFor(filling, bytes)
    page.bytes = writeRecord(page.buffer, page.bytes, { type, sequence, timeMs: tools.nowMs(), payload })
    filling.bytes += bytes
    if (filling.records === 0) filling.beganMs = performance.now()
    filling.records += 1
    filling.last = sequence
    if (writing === 0) schedule()
    return filling.kept.promise
  }

  /** What came while others were written has gathered long enough. */
  function schedule(): void {
    const isLarge = filling.bytes >= WRITE_AT_ONCE_BYTES
    if (timer !== undefined && !(isLarge && isGathering)) return
    unschedule()
    const leftMs = isLarge ? 0 : filling.beganMs + settings.gatherMs - performance.now()
    isGathering = leftMs > 0
    timer = isGathering ? setTimeout(write, leftMs) : setImmediate(write)
  }

  function write(): void {
    unschedule()
    void writeFilling()
  }

  function unschedule(): void {
    clearTimeout(timer as NodeJS.Timeout)
    clearImmediate(timer as NodeJS.Immediate)
    timer = undefined
  }

  async function writeFilling(): Promise<void> {
    if (filling.records === 0) return
    const batch = filling
    writing += 1
    filling = newBatch()
    const kept = await inLine(() => keep(batch))
    writing -= 1
    batch.kept.resolve(kept)
    giveBack(batch.pages)
    if (filling.records > 0 && writing === 0) schedule()
  }

  /** A segment that fails is left as it is, and what was not known to be on disk is written to another. */
  async function keep(batch: Batch): Promise<boolean> {
    for (const lastTry of [false, true]) {
      if (isFailing) break
      try {
        await writeBatch(batch)
        counts.records += batch.records
        counts.bytes += batch.bytes
        return true
      } catch (reason) {
        await abandon()
        if (lastTry) fail(reason)
      }
    }
    counts.unkept += batch.records
    return false
  }

  async function writeBatch(batch: Batch): Promise<void> {
    if (current !== undefined && current.known.bytes >= settings.segmentBytes) await finish()
    await makeRoom(batch.bytes)
    current ??= await begin()
    const { known, file } = current
    for (const page of batch.pages) await writeAll(file, page.buffer.subarray(0, page.bytes))
    // Not before: a sync may have begun meanwhile.
    current.dirty = true
    known.bytes += batch.bytes
    known.last = batch.last
    if (settings.syncEveryMs === 0) await sync()
    else syncTimer ??= setTimeout(syncLater, settings.syncEveryMs)
  }

  async function begin(): Promise<OpenSegment> {
    const known: KnownSegment = { number: nextNumber++, last: -Infinity, bytes: 0, damaged: false }
    const file = await folder.create(segmentName(known.number))
    segments.push(known)
    const opened = { file, known, unnamed: true, dirty: true }
    current = opened
    const head = segmentHead(known.number)
    await writeAll(file, head)
    known.bytes = head.length
    return opened
  }

  async function sync(segment = current): Promise<void> {
    if (segment?.dirty !== true) return
    const startMs = performance.now()
    // What is written from here on may be left out.
    segment.dirty = false
    await segment.file.sync()
    if (segment.unnamed) await folder.sync()
    segment.unnamed = false
    tools.synced(performance.now() - startMs)
  }

  function syncLater(): void {
    syncTimer = undefined
    const segment = current
    syncing = sync(segment).catch((reason: unknown) => {
      void inLine(async () => {
        if (segment === current) await abandon()
        fail(reason)
      })
    })
  }

  async function finish(): Promise<void> {
    await syncing
    await sync()
    const file = current?.file
    current = undefined
    await file?.close()
  }

  /** Cuts off what was written in part, where that still works. */
  async function abandon(): Promise<void> {
    if (current === undefined) return
    const { file, known } = current
    current = undefined
    await file.truncate(known.bytes).catch(() => undefined)
    await file.close().catch(() => undefined)
  }

  function fail(reason: unknown): void {
    if (!isFailing) tools.failed(reason)
    isFailing = true
    failure = reason
    retryTimer = setTimeout(() => {
      void inLine(retry)
    }, RETRY_MS)
  }

  async function retry(): Promise<void> {
    if (!isFailing) return
    try {
      if (settings.whenFull === 'drop' && isFull(failure)) await dropOldest()
      await makeRoom(Math.min(WRITE_AT_ONCE_BYTES, settings.bytesMax / 2))
      await begin()
      await sync()
      isFailing = false
      tools.recovered()
    } catch (reason) {
      await abandon()
      fail(reason)
    }
  }

  async function makeRoom(bytes: number): Promise<void> {
    // Asking the file system costs more than a write; a segment is soon enough.
    let short = current === undefined && (await folder.freeShare()) < settings.freeShareMin
    while (short || bytesOf(segments) + bytes > settings.bytesMax) {
      if (settings.whenFull === 'fail' || !(await dropOldest())) {
        throw new Fault('BUSY', short ? 'the file system has too little free space' : 'the log is full')
      }
      short = current === undefined && (await folder.freeShare()) < settings.freeShareMin
    }
  }

  async function dropOldest(): Promise<boolean> {
    const oldest = segments[0]
    if (oldest === undefined || oldest === current?.known) return false
    counts.dropped += 1
    await remove(oldest)
    return true
  }

  async function removeBefore(sequence: number): Promise<void> {
    for (let oldest = segments[0]; oldest !== undefined; oldest = segments[0]) {
      if (oldest === current?.known || oldest.last >= sequence) return
      await remove(oldest)
    }
  }

  async function remove(segment: KnownSegment): Promise<void> {
    segments.splice(segments.indexOf(segment), 1)
    const name = segmentName(segment.number)
    try {
      if (segment.damaged) await setAside(folder, name)
      else await folder.remove(name)
    } catch {
      counts.stuck += 1
    }
  }

  return {
    nextSequence: () => nextSequence,
    fits: (payloadBytes) =>
      isFailing || filling.bytes === 0 || filling.bytes + RECORD_HEAD_BYTES + payloadBytes <= settings.waitingBytesMax,
    waitingBytes: () => filling.bytes,
    append,
    async flush() {
      unschedule()
      await writeFilling()
      await syncing
      await inLine(async () => {
        if (!isFailing) await sync()
      }).catch(() => undefined)
    },
    release(beforeSequence) {
      const done = removing.then(() => removeBefore(beforeSequence))
      removing = done
      return done
    },
    segments: () => segments,
    failing: () => isFailing,
    counts,
    bufferBytes: () => pageBytes,
    async close() {
      unschedule()
      await writeFilling()
      clearTimeout(syncTimer)
      await syncing
      await inLine(finish).catch(() => undefined)
      await removing
      clearTimeout(retryTimer)
    }
  }
}

function isFull(reason: unknown): boolean {
  const { code } = reason as { code?: unknown }
  return code === 'ENOSPC' || code === 'EDQUOT'
}

async function writeAll(file: AppendedFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const written = await file.write(at === 0 ? bytes : bytes.subarray(at))
    if (written === 0) throw new Fault('BUSY', 'the disk took nothing')
    at += written
  }
}

export function bytesOf(segments: readonly KnownSegment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Renames a file that is damaged or foreign. */
export async function setAside(folder: Folder, name: string): Promise<void> {
  await folder.rename(name, `${name}${CORRUPT_SUFFIX}`)
  await pruneAside(folder)
}

/** Removes the oldest of the files that were put aside. */
export async function pruneAside(folder: Folder): Promise<void> {
  const aside = (await folder.list()).filter((other) => other.endsWith(CORRUPT_SUFFIX)).sort()
  for (const old of aside.slice(0, -CORRUPT_KEPT)) await folder.remove(old)
}
