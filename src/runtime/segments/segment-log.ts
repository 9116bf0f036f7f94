import { Fault } from '../fault.ts'
import { type Batch, createBatch } from './batch.ts'
import { type Folder } from './folder.ts'
import { PAYLOAD_BYTES_MAX, RECORD_HEAD_BYTES } from './format.ts'
import { type KnownSegment } from './known-segment.ts'
import { createOpenSegments } from './open-segments.ts'
import { createPages } from './pages.ts'
import { createRoom, type RoomCounts } from './room.ts'

export interface SegmentLogSettings {
  readonly segmentBytes: number
  /** All segments together. */
  readonly bytesMax: number
  /** Of the file system must stay free, so that the log does not take the last of it from others. */
  readonly freeShareMin: number
  /** What is full: `drop` gives up the oldest segments, `fail` takes nothing more. */
  readonly whenFull: 'drop' | 'fail'
  /** At least so long from one write to the next: what comes meanwhile gathers and is written and synced together. */
  readonly gatherMs: number
  /** How often what was written is synced; 0 = each time, before anyone hears that it is kept. */
  readonly syncEveryMs: number
  /** Of records that wait to be written. */
  readonly waitingBytesMax: number
}

export interface SegmentLogTools {
  readonly folder: Folder
  readonly nowMs: () => number
  /** Told how long each sync took, or a write that is one. */
  readonly synced: (ms: number) => void
  /** Told when records stop being kept, and when they are again. */
  readonly failed: (reason: unknown) => void
  readonly recovered: () => void
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
  /** The same without a copy: the payload must stay as it is until this resolves. */
  readonly appendLent: (type: number, payload: Uint8Array) => Promise<boolean>
  /** Writes and syncs what waits, now. */
  readonly flush: () => Promise<void>
  /** Removes the segments all of whose records come before this one. */
  readonly release: (beforeSequence: number) => Promise<void>
  readonly segments: () => readonly KnownSegment[]
  /** Of files that are kept to be written over. */
  readonly spareBytes: () => number
  readonly failing: () => boolean
  readonly counts: SegmentLogCounts
  /** Memory for records on their way. */
  readonly bufferBytes: () => number
  readonly close: () => Promise<void>
}

export interface SegmentLogCounts extends Readonly<RoomCounts> {
  readonly records: number
  readonly bytes: number
  /** Records not kept because the log was failing. */
  readonly unkept: number
}

/** Under way at once: whoever comes during a write waits for no more than one of its own, and a disk takes two as it takes one. */
const WRITES_MAX = 2
/** So much is not held back to gather more. */
const WRITE_AT_ONCE_BYTES = 1 << 20
const RETRY_MS = 1000

export function openSegmentLog(settings: SegmentLogSettings, tools: SegmentLogTools, start: LogStart): SegmentLog {
  const { folder } = tools
  const segments = [...start.segments]
  const counts = { records: 0, bytes: 0, unkept: 0, dropped: 0, stuck: 0 }
  const pages = createPages()
  const writeThrough = settings.syncEveryMs === 0
  const files = createOpenSegments({
    ...{ folder, writeThrough, synced: tools.synced, nextNumber: start.nextNumber },
    hasSpace: () => room.hasSpace(),
    takeSpare: () => room.takeSpare()
  })
  const room = createRoom({ ...settings, folder, segments, counts, current: files.current, nextBytes: files.nextBytes })
  let nextSequence = start.nextSequence
  let filling = createBatch(pages)
  /** Not kept yet, in their order; all but what `filling` gathers are being written. */
  const underWay: Batch[] = []
  let writeBeganMs = -Infinity
  /** Waits for more to gather. */
  let timer: NodeJS.Timeout | undefined
  let isFailing = false
  let failure: unknown
  let retryTimer: NodeJS.Timeout | undefined
  let syncTimer: NodeJS.Timeout | undefined
  /** All that is under way. */
  let line: Promise<unknown> = Promise.resolve()
  let aloneInLine = 0
  /** Neither writes nor answers wait for these: a sync of what was answered already, and removing a file, take many writes' time. */
  let syncing: Promise<unknown> = Promise.resolve()
  let removing: Promise<unknown> = Promise.resolve()

  /** Begins when all that is under way is done, and whatever comes later waits for it. */
  async function alone(work: () => Promise<unknown>): Promise<void> {
    aloneInLine += 1
    const done = line.then(work)
    line = done.catch(() => undefined)
    try {
      await done
    } finally {
      aloneInLine -= 1
    }
  }

  function append(how: 'add' | 'addLent', type: number, payload: Uint8Array): Promise<boolean> {
    if (payload.length > PAYLOAD_BYTES_MAX) throw new Fault('BUG', `a record of ${payload.length} bytes`)
    const sequence = nextSequence++
    if (isFailing) {
      counts.unkept += 1
      return Promise.resolve(false)
    }
    filling[how]({ type, sequence, timeMs: tools.nowMs(), payload })
    const { kept } = filling
    if (mayWrite()) schedule()
    return kept.promise
  }

  /** A second one only where it need not wait, and never more than what may wait. */
  function mayWrite(): boolean {
    const [first] = underWay
    if (first === undefined) return true
    if (underWay.length >= WRITES_MAX || aloneInLine > 0) return false
    return first.bytes() + filling.bytes() <= settings.waitingBytesMax
  }

  /** Whoever comes after a pause waits for nobody, nor does what gathered while others were written: not even for the thread's other work. */
  function schedule(): void {
    const isLarge = filling.bytes() >= WRITE_AT_ONCE_BYTES
    if (timer !== undefined && !isLarge) return
    const leftMs = isLarge ? 0 : writeBeganMs + settings.gatherMs - performance.now()
    if (leftMs > 0) timer = setTimeout(write, leftMs)
    else write()
  }

  function write(): void {
    unschedule()
    void writeFilling()
  }

  async function writeNow(): Promise<void> {
    unschedule()
    await writeFilling()
    await Promise.all(underWay.map(({ kept }) => kept.promise))
  }

  function unschedule(): void {
    clearTimeout(timer)
    timer = undefined
  }

  async function writeFilling(): Promise<void> {
    if (filling.records() === 0) return
    const batch = filling
    writeBeganMs = performance.now()
    filling = createBatch(pages)
    underWay.push(batch)
    if (hasRoom(batch)) await writeBeside(batch)
    else await alone(keepAll)
    if (filling.records() > 0 && mayWrite()) schedule()
  }

  /** Whether the current segment takes it, as it is. */
  function hasRoom(batch: Batch): boolean {
    const segment = files.current()
    if (aloneInLine > 0 || isFailing || segment === undefined) return false
    const bytes = underWay.reduce((sum, one) => sum + one.bytes(), 0)
    return segment.bytes + bytes - batch.bytes() < settings.segmentBytes && room.fits(bytes)
  }

  async function writeBeside(batch: Batch): Promise<void> {
    const segment = files.current()
    const written = files.write(batch.parts(), batch.last())
    line = Promise.allSettled([line, written])
    try {
      await written
      afterWrite()
      settle(true)
    } catch {
      await alone(async () => {
        // Whoever failed with it has left it already.
        if (files.current() === segment) await files.abandon()
        await keepAll()
      })
    }
  }

  /** In their order, whichever of them asked for it. */
  async function keepAll(): Promise<void> {
    for (const batch of [...underWay]) settle(await keep(batch))
  }

  function settle(isKept: boolean): void {
    const batch = underWay.shift() as Batch
    if (isKept) {
      counts.records += batch.records()
      counts.bytes += batch.bytes()
    } else counts.unkept += batch.records()
    batch.kept.resolve(isKept)
    batch.giveBack()
  }

  /** A segment that fails is left as it is, and what was not known to be on disk is written to another. */
  async function keep(batch: Batch): Promise<boolean> {
    for (const lastTry of [false, true]) {
      if (isFailing) break
      try {
        await writeBatch(batch)
        return true
      } catch (reason) {
        await files.abandon()
        if (lastTry) fail(reason)
      }
    }
    return false
  }

  async function writeBatch(batch: Batch): Promise<void> {
    if ((files.current()?.bytes ?? 0) >= settings.segmentBytes) await finish()
    await room.makeRoom(batch.bytes())
    if (files.current() === undefined) await begin()
    await files.write(batch.parts(), batch.last())
    afterWrite()
  }

  function afterWrite(): void {
    if (!writeThrough) syncTimer ??= setTimeout(syncLater, settings.syncEveryMs)
  }

  async function begin(): Promise<void> {
    if (!(await files.hasNext())) await room.makeSpace()
    segments.push(await files.begin())
  }

  function syncLater(): void {
    syncTimer = undefined
    const synced = files.current()
    syncing = files.sync().catch((reason: unknown) => {
      void alone(async () => {
        if (synced === files.current()) await files.abandon()
        fail(reason)
      })
    })
  }

  async function finish(): Promise<void> {
    await syncing
    await files.finish()
  }

  function fail(reason: unknown): void {
    if (!isFailing) tools.failed(reason)
    isFailing = true
    failure = reason
    retryTimer = setTimeout(() => {
      void alone(retry)
    }, RETRY_MS)
  }

  async function retry(): Promise<void> {
    if (!isFailing) return
    try {
      await files.discardNext()
      while (await room.giveUpSpare());
      if (settings.whenFull === 'drop' && isFull(failure)) await room.dropOldest()
      await room.makeRoom(Math.min(WRITE_AT_ONCE_BYTES, settings.bytesMax / 2))
      await begin()
      isFailing = false
      tools.recovered()
    } catch (reason) {
      await files.abandon()
      fail(reason)
    }
  }

  return {
    nextSequence: () => nextSequence,
    fits: (payloadBytes) =>
      isFailing ||
      filling.bytes() === 0 ||
      filling.bytes() + RECORD_HEAD_BYTES + payloadBytes <= settings.waitingBytesMax,
    waitingBytes: () => filling.bytes(),
    append: (type, payload) => append('add', type, payload),
    appendLent: (type, payload) => append('addLent', type, payload),
    async flush() {
      await writeNow()
      await syncing
      await alone(async () => {
        if (!isFailing) await files.sync()
      }).catch(() => undefined)
    },
    release(beforeSequence) {
      const done = removing.then(() => room.removeBefore(beforeSequence))
      removing = done
      return done
    },
    segments: () => segments,
    spareBytes: room.spareBytes,
    failing: () => isFailing,
    counts,
    bufferBytes: pages.bytes,
    async close() {
      await writeNow()
      clearTimeout(syncTimer)
      await syncing
      await alone(async () => {
        await finish().catch(() => undefined)
        await files.discardNext()
      })
      await removing
      while (await room.giveUpSpare().catch(() => false));
      clearTimeout(retryTimer)
    }
  }
}

function isFull(reason: unknown): boolean {
  const { code } = reason as { code?: unknown }
  return code === 'ENOSPC' || code === 'EDQUOT'
}
