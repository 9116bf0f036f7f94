import { type Folder } from './folder.ts'
import { segmentName } from './format.ts'
import { type Losses, recover } from './recovery.ts'
import { createSegmentReader, type ReadRecord, type SegmentReader } from './scan.ts'
import { bytesOf, type KnownSegment } from './known-segment.ts'
import { openSegmentLog, type SegmentLog } from './segment-log.ts'

export interface DiskQueueOptions {
  readonly folder: Folder
  readonly segmentBytes: number
  /** Of files; what was delivered counts until all else in its file was. */
  readonly bytesMax: number
  /** Of items on their way to the disk. */
  readonly waitingBytesMax: number
  /** How often what was written is synced; 0 = each time, before an item is kept. */
  readonly syncEveryMs: number
  readonly nowMs: () => number
  readonly failed: (reason: unknown) => void
  readonly recovered: () => void
}

/** What is known of an item without reading it. */
export interface KeptItem {
  readonly position: number
  readonly bytes: number
  /** A whole number of 32 bits that means something to whoever appended it. */
  readonly mark: number
}

export interface QueuedItem {
  readonly position: number
  /** Valid until the next `take`. */
  readonly bytes: Buffer
}

/** Items in order, on disk, until they are delivered. After a restart those that were not are given again. */
export interface DiskQueue {
  /** Items of an earlier process that were not delivered, in order. */
  readonly found: readonly KeptItem[]
  readonly losses: Losses
  /** Copies an item in. Resolves to its position when it is kept; to undefined when the queue is full or the disk fails. */
  readonly append: (bytes: Uint8Array, mark: number) => Promise<number | undefined>
  /**
   * The next item after the one taken last; undefined when there is none now. What can no longer be read is passed over.
   * One caller at a time.
   */
  readonly take: () => Promise<QueuedItem | undefined>
  /** This item and all before it are delivered. Resolves to whether that is written; until it is synced, a crash may forget it. */
  readonly ack: (position: number) => Promise<boolean>
  readonly failing: () => boolean
  /** Of files. */
  readonly bytes: () => number
  /** Of memory for items on their way to the disk. */
  readonly bufferBytes: () => number
  readonly close: () => Promise<void>
}

const RecordType = { item: 1, delivered: 2 } as const
const MARK_BYTES = 4
const GATHER_MS = 2

export async function openDiskQueue(options: DiskQueueOptions): Promise<DiskQueue> {
  const { folder, bytesMax } = options
  let delivered = 0
  const items: KeptItem[] = []
  const { start, losses } = await recover(folder, ({ type, sequence, payload }) => {
    if (type === RecordType.delivered) delivered = Math.max(delivered, payload.readDoubleLE(0))
    else if (type === RecordType.item) {
      items.push({ position: sequence, bytes: payload.length - MARK_BYTES, mark: payload.readUInt32LE(0) })
    }
  })
  const log = openSegmentLog(
    {
      segmentBytes: options.segmentBytes,
      bytesMax: bytesMax * 2,
      freeShareMin: 0,
      whenFull: 'fail',
      gatherMs: GATHER_MS,
      syncEveryMs: options.syncEveryMs,
      waitingBytesMax: options.waitingBytesMax
    },
    { folder, nowMs: options.nowMs, synced: () => undefined, failed: options.failed, recovered: options.recovered },
    start
  )
  const reading = createFollower(folder, log)
  let lentBytes = 0

  return {
    found: items.filter(({ position }) => position > delivered),
    losses,
    async append(bytes, mark) {
      const full = bytesOf(log.segments()) + log.waitingBytes() + bytes.length > bytesMax
      if (full || !log.fits(MARK_BYTES + bytes.length)) return undefined
      const payload = Buffer.allocUnsafe(MARK_BYTES + bytes.length)
      payload.writeUInt32LE(mark)
      payload.set(bytes, MARK_BYTES)
      const position = log.nextSequence()
      const kept = log.appendLent(RecordType.item, payload)
      lentBytes += payload.length
      const isKept = await kept
      lentBytes -= payload.length
      return isKept ? position : undefined
    },
    async take() {
      for (let record = await reading.next(); record !== undefined; record = await reading.next()) {
        const { type, sequence, payload } = record
        if (type === RecordType.item && sequence > delivered) {
          return { position: sequence, bytes: payload.subarray(MARK_BYTES) }
        }
      }
      return undefined
    },
    async ack(position) {
      delivered = Math.max(delivered, position)
      const payload = Buffer.alloc(8)
      payload.writeDoubleLE(delivered)
      const kept = await log.append(RecordType.delivered, payload)
      // Also when it cannot be written: on a full disk this is what makes room, and a file that is gone says as much.
      await log.release(delivered + 1)
      return kept
    },
    failing: log.failing,
    bytes: () => bytesOf(log.segments()),
    bufferBytes: () => log.bufferBytes() + lentBytes,
    async close() {
      await reading.close()
      await log.close()
    }
  }
}

/** Reads a log that is being written: what is written already, segment after segment. */
function createFollower(
  folder: Folder,
  log: SegmentLog
): { next: () => Promise<ReadRecord | undefined>; close: () => Promise<void> } {
  let number = -1
  let reader: SegmentReader | undefined
  let close: () => Promise<void> = () => Promise.resolve()
  let readableBytes = 0
  let sequence = 0

  async function begin(segment: KnownSegment, at: number | undefined): Promise<void> {
    await close()
    number = segment.number
    const file = await folder.open(segmentName(number))
    close = file.close
    // What lies behind is being written.
    readableBytes = Math.min(file.bytes, segment.bytes)
    reader = createSegmentReader({ ...file, bytes: readableBytes }, number, at)
  }

  /** Whether there is more to read after what this reader saw. */
  async function goOn(): Promise<boolean> {
    const segments = log.segments()
    const same = segments.find((segment) => segment.number === number)
    if (reader !== undefined && same !== undefined && same.bytes > readableBytes) {
      await begin(same, reader.at())
      return true
    }
    const after = segments.find((segment) => segment.number > number && segment.last > sequence)
    if (after !== undefined) await begin(after, undefined)
    return after !== undefined
  }

  /** A file that cannot be read is passed over, and not removed when all in it would be delivered. */
  async function giveUp(): Promise<void> {
    const unread = log.segments().find((segment) => segment.number === number)
    if (unread !== undefined) unread.damaged = true
    reader = undefined
    await close().catch(() => undefined)
    close = () => Promise.resolve()
  }

  async function nextHere(): Promise<ReadRecord | undefined> {
    for (let record = await reader?.next(); record !== undefined; record = await reader?.next()) {
      // A write that failed is repeated in the next segment.
      if (record.sequence <= sequence) continue
      sequence = record.sequence
      return record
    }
    return undefined
  }

  return {
    async next() {
      for (;;) {
        try {
          const record = await nextHere()
          if (record !== undefined) return record
          if (!(await goOn())) return undefined
        } catch {
          await giveUp()
        }
      }
    },
    close: () => close()
  }
}
